/** The demo shop: one photo at a time, from the shopper's hands to a download. */

import { connect } from '../cutout.js';
import { watch } from '../warmer.js';
import { backgroundSwatches, effectChips, formatOptions, showThumb } from './choices.js';
import { Compare } from './compare.js';
import { showFacts } from './facts.js';
import { follow } from './feed.js';
import { Looks } from './looks.js';
import { explain } from './messages.js';
import { dollars, effectName, formatName, plural } from './names.js';
import { ProgressView } from './progress.js';

const NEAR_MS = 120;
const $ = (id) => document.getElementById(id);
const config = await (await fetch('/config.json')).json();
const client = connect(config);
const warmer = watch({ ...config, button: $('choose'), section: $('stage'), input: $('file') });
const compare = new Compare($('compare'), $('slider'));
const progress = new ProgressView({ now: $('now'), bar: $('bar'), steps: $('steps'), spoken: $('spoken') });
const tally = { results: 0, uploads: 0, cost: 0 };

/** All of one photo; a new one for each. */
let session = null;
let near;

function show(state) {
  document.body.dataset.state = state;
  $('empty').hidden = state !== 'empty';
  $('working').hidden = state !== 'working';
  $('compare').hidden = $('tools').hidden = state !== 'ready';
  $('problem').hidden = state !== 'failed';
  tell(null);
  scrollTo(0, 0);
}

async function begin(file) {
  close();
  const mine = { file, style: {}, controller: new AbortController(), looks: new Looks(client), photo: URL.createObjectURL(file) };
  session = mine;
  $('preview').src = mine.photo;
  $('working').classList.remove('blind');
  show('working');
  $('cancel').focus({ preventScroll: true });
  const started = performance.now();
  try {
    const job = await client.uploadPhoto(file, {
      recipes: Looks.first,
      signal: mine.controller.signal,
      onProgress: (one) => {
        mine.handle = one.job ?? mine.handle;
        mine.uploaded ||= one.stage === 'uploading';
        progress.show(one);
      },
    });
    const look = await mine.looks.begin(job, (performance.now() - started) / 1000);
    if (session === mine) await ready(mine, look);
  } catch (error) {
    if (session === mine) failed(error);
  } finally {
    progress.stop();
  }
}

async function ready(mine, look) {
  tally.uploads += mine.uploaded ? 1 : 0;
  count(look);
  effectChips($('effects'), config.effects, { onChoose: (effect) => style({ effect }), onNear: prefetch });
  backgroundSwatches($('backgrounds'), config.backgrounds, (background) => style({ background }));
  formatOptions($('format'), config.formats, true, formatName);
  for (const effect of config.effects) showThumb($('effects'), effect, look.url);
  compare.frame((await shows(mine.photo)) ? mine.photo : null, look.width, look.height);
  await compare.show(look.url, null, 'The cutout');
  facts(look);
  show('ready');
  say('Ready. Choose an effect or a background, or download it.');
  compare.reveal();
  $('slider').focus({ preventScroll: true });
  if (!navigator.connection?.saveData) thumbs(mine);
}

/** The chips show the shopper's own photo; they do without where that fails. */
async function thumbs(mine) {
  const others = config.effects.filter((effect) => effect !== 'none');
  const found = await mine.looks.thumbs(others, config.max_recipes).catch(() => []);
  if (session === mine) for (const [effect, url] of found) showThumb($('effects'), effect, url);
}

/** Another effect or background: at once where it was fetched, and for a plain colour as a stand-in until it is. */
async function style(change) {
  const mine = session;
  mine.style = recipeOf({ ...mine.style, ...change });
  const wanted = mine.style;
  formatOptions($('format'), config.formats, !wanted.background, formatName);
  tell(null);
  const known = mine.looks.there(wanted);
  if (!known) await standIn(mine, wanted);
  $('stage').classList.toggle('busy', !known);
  try {
    const look = known ?? (await mine.looks.get(wanted));
    if (!known) count(look);
    if (session !== mine || mine.style !== wanted) return;
    await compare.show(look.url, null, describe(wanted));
    facts(look);
    say(`${describe(wanted)}, ready`);
  } catch (error) {
    if (session === mine && mine.style === wanted) tell(error, () => style(change));
  } finally {
    if (session === mine && mine.style === wanted) $('stage').classList.remove('busy');
  }
}

async function standIn(mine, { effect, background }) {
  const plain = mine.looks.there(recipeOf({ effect }));
  if (background?.kind === 'color' && plain) await compare.show(plain.url, background.color, describe(mine.style));
}

/** Without defaults and in one order: equal looks are found again. */
function recipeOf({ effect, background }) {
  return { ...(effect && effect !== 'none' ? { effect } : {}), ...(background ? { background } : {}) };
}

const describe = ({ effect = 'none', background }) =>
  `The cutout, ${effectName(effect).toLowerCase()}${background ? ', on a background' : ''}`;

/** A pointer that rests on a chip will likely choose it. */
function prefetch(effect) {
  clearTimeout(near);
  if (navigator.connection?.saveData) return;
  const mine = session;
  near = setTimeout(() => {
    const wanted = recipeOf({ ...mine.style, effect });
    if (session === mine && !mine.looks.there(wanted)) mine.looks.get(wanted).then(count, () => {});
  }, NEAR_MS);
}

async function download() {
  const { looks, style: wanted } = session;
  const format = $('format').value;
  $('download').setAttribute('aria-disabled', 'true');
  try {
    const look = await looks.full(format === 'mask' ? {} : wanted, format);
    const link = document.createElement('a');
    link.href = look.url;
    link.download = `cutout.${format === 'mask' ? 'png' : format}`;
    link.click();
    facts(look);
    say('Downloaded');
  } catch (error) {
    tell(error, download);
  } finally {
    $('download').removeAttribute('aria-disabled');
  }
}

async function remove() {
  $('remove').setAttribute('aria-disabled', 'true');
  try {
    await session.looks.remove();
    start();
    say('Your photo and everything made of it are deleted');
  } catch (error) {
    tell(error, remove);
  } finally {
    $('remove').removeAttribute('aria-disabled');
  }
}

function cancel() {
  const { handle } = session;
  start();
  say('Cancelled');
  if (handle) client.remove(handle).catch(() => {}); // what did arrive goes away with the uploads' lifetime
}

/** Back to the beginning. */
function start() {
  close();
  show('empty');
  $('file').focus({ preventScroll: true });
}

function close() {
  if (!session) return;
  session.controller.abort();
  session.looks.close();
  URL.revokeObjectURL(session.photo);
  session = null;
}

/** Of the upload: instead of the photo. */
function failed(error) {
  const { title, text, action } = explain(error);
  $('problem-title').textContent = title;
  $('problem-text').textContent = text;
  $('problem-code').textContent = error.code ?? error.name;
  $('retry').hidden = action !== 'retry';
  show('failed');
  $(action === 'retry' ? 'retry' : 'another').focus({ preventScroll: true });
}

/** Of anything later: beside what is there. */
function tell(error, again) {
  $('notice').hidden = !error;
  if (!error) return;
  const { title, text, action } = explain(error);
  $('notice').replaceChildren(`${title}. ${text} `);
  if (action !== 'retry') return;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'link';
  button.textContent = 'Try again';
  button.addEventListener('click', again);
  $('notice').append(button);
}

function count(look) {
  tally.results += 1;
  tally.cost += Number(look.cost);
  const { results, uploads, cost } = tally;
  $('tally').textContent = `${plural(results, 'look')}, ${plural(uploads, 'upload')}, ${dollars(cost)}`;
  $('tally').hidden = false;
}

function facts(look) {
  showFacts({ list: $('facts'), bars: $('bars'), timings: $('timings') }, look);
}

function say(text) {
  $('spoken').textContent = text;
}

/** HEIC, for one, shows in few browsers. */
async function shows(url) {
  const picture = new Image();
  picture.src = url;
  return picture.decode().then(
    () => true,
    () => false,
  );
}

function samples(names) {
  for (const name of names) {
    const button = document.createElement('button');
    button.type = 'button';
    const picture = new Image();
    picture.src = `/photos/${name}`;
    picture.alt = name.split('.')[0];
    button.append(picture);
    button.addEventListener('click', async () => {
      warmer.tell('file_chosen');
      const blob = await (await fetch(picture.src)).blob();
      begin(new File([blob], name, { type: blob.type }));
    });
    $('samples').append(button);
  }
}

function dropped(event) {
  event.preventDefault();
  document.body.classList.remove('dragging');
  chosen(event.dataTransfer?.files);
}

function chosen(files) {
  if (!files?.length) return;
  warmer.tell('file_chosen');
  begin(files[0]);
}

for (const input of [$('file'), $('camera')])
  input.addEventListener('change', () => {
    chosen(input.files);
    input.value = '';
  });
addEventListener('paste', (event) => chosen(event.clipboardData?.files));
addEventListener('dragover', (event) => {
  event.preventDefault();
  document.body.classList.add('dragging');
});
addEventListener('dragleave', (event) => event.relatedTarget || document.body.classList.remove('dragging'));
addEventListener('drop', dropped);
$('preview').addEventListener('error', () => $('working').classList.add('blind'));
$('cancel').addEventListener('click', cancel);
$('retry').addEventListener('click', () => begin(session.file));
$('another').addEventListener('click', start);
$('anew').addEventListener('click', start);
$('remove').addEventListener('click', remove);
$('download').addEventListener('click', download);

samples(config.samples);
follow('/events', { rows: $('rows'), list: $('feed'), live: $('live'), placeholder: $('feed-empty') });
show('empty');
