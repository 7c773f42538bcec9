/** The demo shop: one photo at a time, from the shopper's hands to a download. */

import { backgroundSwatches, effectChips, formatOptions, showThumb } from './choices.js';
import { Compare } from './compare.js';
import { showFacts } from './facts.js';
import { Looks } from './looks.js';
import { explain } from './messages.js';
import { dollars, effectName, formatName, plural } from './names.js';
import { ProgressView } from './progress.js';

const NEAR_MS = 120;
const $ = (id) => document.getElementById(id);

export class Shop {
  #client;
  #config;
  #compare = new Compare($('compare'), $('slider'));
  #progress = new ProgressView({ now: $('now'), bar: $('bar'), steps: $('steps'), spoken: $('spoken') });
  #tally = { uploads: 0, looks: new Set() };
  #session = null; // all of one photo; a new one for each
  #near;

  constructor(client, config) {
    this.#client = client;
    this.#config = config;
    const clicks = {
      cancel: () => this.#cancel(),
      retry: () => this.begin(this.#session.file),
      another: () => this.#start(),
      anew: () => this.#start(),
      remove: () => this.#remove(),
      download: () => this.#download(),
    };
    for (const [id, listener] of Object.entries(clicks)) $(id).addEventListener('click', listener);
    $('preview').addEventListener('error', () => $('working').classList.add('blind'));
    this.#show('empty');
  }

  /** A new photo, instead of the one before. */
  async begin(file) {
    this.#close();
    const mine = {
      file,
      photo: URL.createObjectURL(file),
      style: {},
      looks: new Looks(this.#client),
      controller: new AbortController(),
    };
    this.#session = mine;
    $('preview').src = mine.photo;
    $('working').classList.remove('blind');
    this.#show('working');
    $('cancel').focus({ preventScroll: true });
    try {
      const look = await this.#cutOut(mine);
      if (this.#session === mine) await this.#ready(mine, look);
    } catch (error) {
      if (this.#session === mine) this.#failed(error);
    }
  }

  async #cutOut(mine) {
    const started = performance.now();
    const job = await this.#client.uploadPhoto(mine.file, {
      recipes: Looks.first,
      signal: mine.controller.signal,
      onProgress: (one) => {
        mine.handle = one.job ?? mine.handle;
        mine.uploaded ||= one.stage === 'uploading';
        this.#progress.show(one);
      },
    });
    return mine.looks.begin(job, (performance.now() - started) / 1000);
  }

  async #ready(mine, look) {
    const { effects, backgrounds, formats } = this.#config;
    this.#tally.uploads += mine.uploaded ? 1 : 0;
    this.#count(look);
    effectChips($('effects'), effects, {
      onChoose: (effect) => this.#style({ effect }),
      onNear: (effect) => this.#prefetch(effect),
    });
    backgroundSwatches($('backgrounds'), backgrounds, (background) => this.#style({ background }));
    formatOptions($('format'), formats, true, formatName);
    for (const effect of effects) showThumb($('effects'), effect, look.url);
    this.#compare.frame((await shows(mine.photo)) ? mine.photo : null, look.width, look.height);
    await this.#compare.show(look.url, null, describe(mine.style));
    facts(look);
    this.#show('ready');
    say('Ready. Choose an effect or a background, or download it.');
    this.#compare.reveal();
    $('slider').focus({ preventScroll: true });
    if (!savesData()) this.#thumbs(mine);
  }

  /** The chips show the shopper's own photo; they do without where that fails. */
  async #thumbs(mine) {
    const others = this.#config.effects.filter((effect) => effect !== 'none');
    const found = await mine.looks.thumbs(others, this.#config.max_recipes).catch(() => []);
    if (this.#session === mine) for (const [effect, url] of found) showThumb($('effects'), effect, url);
  }

  /** Another effect or background: at once where it was fetched, and for a plain colour as a stand-in until it is. */
  async #style(change) {
    const mine = this.#session;
    const wanted = recipeOf({ ...mine.style, ...change });
    const current = () => this.#session === mine && mine.style === wanted;
    mine.style = wanted;
    formatOptions($('format'), this.#config.formats, !wanted.background, formatName);
    tell(null);
    const known = mine.looks.there(wanted);
    $('stage').classList.toggle('busy', !known);
    try {
      if (!known) await this.#standIn(mine, wanted);
      const look = known ?? (await mine.looks.get(wanted));
      this.#count(look);
      if (!current()) return;
      await this.#compare.show(look.url, null, describe(wanted));
      facts(look);
      say(`${describe(wanted)}, ready`);
    } catch (error) {
      if (current()) tell(error, () => this.#style(change));
    } finally {
      if (current()) $('stage').classList.remove('busy');
    }
  }

  async #standIn(mine, { effect, background }) {
    const plain = mine.looks.there(recipeOf({ effect }));
    if (background?.kind !== 'color' || !plain) return;
    await this.#compare.show(plain.url, background.color, describe({ effect, background }));
  }

  /** A pointer that rests on a chip will likely choose it. */
  #prefetch(effect) {
    clearTimeout(this.#near);
    if (savesData()) return;
    const mine = this.#session;
    this.#near = setTimeout(() => {
      const wanted = recipeOf({ ...mine.style, effect });
      if (this.#session !== mine || mine.looks.there(wanted)) return;
      mine.looks.get(wanted).catch(() => {}); // it is asked for again, and told of, once it is chosen
    }, NEAR_MS);
  }

  async #download() {
    const { looks, style } = this.#session;
    const format = $('format').value;
    await this.#during('download', async () => {
      const look = await looks.full(format === 'mask' ? {} : style, format);
      const link = document.createElement('a');
      link.href = look.url;
      link.download = `cutout.${format === 'mask' ? 'png' : format}`;
      link.click();
      facts(look);
      say('Downloaded');
    });
  }

  async #remove() {
    await this.#during('remove', async () => {
      await this.#session.looks.remove();
      this.#start();
      say('Your photo and everything made of it are deleted');
    });
  }

  /** What a button started; the button can't be used meanwhile. */
  async #during(id, action) {
    $(id).setAttribute('aria-disabled', 'true');
    try {
      await action();
    } catch (error) {
      tell(error, () => this.#during(id, action));
    } finally {
      $(id).removeAttribute('aria-disabled');
    }
  }

  #cancel() {
    const { handle } = this.#session;
    this.#start();
    say('Cancelled');
    if (handle) this.#client.remove(handle).catch(() => {}); // what did arrive goes away with the uploads' lifetime
  }

  /** Back to the beginning. */
  #start() {
    this.#close();
    this.#show('empty');
    $('file').focus({ preventScroll: true });
  }

  #close() {
    this.#progress.stop();
    if (!this.#session) return;
    this.#session.controller.abort();
    this.#session.looks.close();
    URL.revokeObjectURL(this.#session.photo);
    this.#session = null;
  }

  /** Of the upload: instead of the photo. */
  #failed(error) {
    const { title, text, action } = explain(error);
    $('problem-title').textContent = title;
    $('problem-text').textContent = text;
    $('problem-code').textContent = error.code ?? error.name;
    $('retry').hidden = action !== 'retry';
    this.#show('failed');
    $(action === 'retry' ? 'retry' : 'another').focus({ preventScroll: true });
  }

  #show(state) {
    this.#progress.stop();
    document.body.dataset.state = state;
    $('empty').hidden = state !== 'empty';
    $('working').hidden = state !== 'working';
    $('compare').hidden = $('tools').hidden = state !== 'ready';
    $('problem').hidden = state !== 'failed';
    tell(null);
    scrollTo(0, 0);
  }

  #count(look) {
    const { looks, uploads } = this.#tally;
    looks.add(look);
    const cost = [...looks].reduce((sum, one) => sum + Number(one.cost), 0);
    $('tally').textContent = `${plural(looks.size, 'look')}, ${plural(uploads, 'upload')}, ${dollars(cost)}`;
    $('tally').hidden = false;
  }
}

/** Without defaults and in one order: equal looks are found again. */
function recipeOf({ effect, background }) {
  return { ...(effect && effect !== 'none' ? { effect } : {}), ...(background ? { background } : {}) };
}

const describe = ({ effect = 'none', background }) =>
  `The cutout, ${effectName(effect).toLowerCase()}${background ? ', on a background' : ''}`;

/** An error of anything but the upload: beside what is there. */
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
  button.addEventListener('click', () => {
    tell(null);
    again();
  });
  $('notice').append(button);
}

function facts(look) {
  showFacts({ list: $('facts'), bars: $('bars'), timings: $('timings') }, look);
}

function say(text) {
  $('spoken').textContent = text;
}

const savesData = () => navigator.connection?.saveData === true;

/** HEIC, for one, shows in few browsers. */
async function shows(url) {
  const picture = new Image();
  picture.src = url;
  return picture.decode().then(
    () => true,
    () => false,
  );
}
