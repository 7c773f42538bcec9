import { connect } from '../cutout.js';
import { watch } from '../warmer.js';
import { follow } from './feed.js';
import { tell } from './notice.js';
import { picking, samplePhotos } from './picking.js';
import { Shop } from './shop.js';

const $ = (id) => document.getElementById(id);
let shop;
let warmer;
let waiting; // a photo that was chosen before the shop was there

picking([$('file'), $('camera')], take, () => tell({ code: 'no_file' }));
$('camera').addEventListener('click', () => warmer?.tell('file_chosen'));
await open();

function take(photo) {
  warmer?.tell('file_chosen');
  if (shop) shop.begin(photo);
  else waiting = photo;
}

async function open() {
  let config;
  try {
    const answer = await fetch('/config.json');
    if (!answer.ok) throw answer;
    config = await answer.json();
  } catch {
    return tell({ code: 'page_incomplete' }, open);
  }
  shop = new Shop(connect(config), config);
  warmer = watch({ ...config, button: $('choose'), section: $('stage'), input: $('file') });
  samplePhotos($('samples'), config.samples, take, () => tell({ code: 'network' }));
  follow('/events', { rows: $('rows'), list: $('feed'), live: $('live'), placeholder: $('feed-empty') });
  if (waiting) take(waiting);
}
