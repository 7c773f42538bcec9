import { connect } from '../cutout.js';
import { watch } from '../warmer.js';
import { follow } from './feed.js';
import { picking } from './picking.js';
import { Shop } from './shop.js';

const $ = (id) => document.getElementById(id);
const config = await (await fetch('/config.json')).json();
const shop = new Shop(connect(config), config);
const warmer = watch({ ...config, button: $('choose'), section: $('stage'), input: $('file') });

picking({ inputs: [$('file'), $('camera')], samples: $('samples'), names: config.samples }, (file) => {
  warmer.tell('file_chosen');
  shop.begin(file);
});
follow('/events', { rows: $('rows'), list: $('feed'), live: $('live'), placeholder: $('feed-empty') });
