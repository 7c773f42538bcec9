/** The demo shop: one photo at a time, from the shopper's hands to a download. */

import { backgroundSwatches, effectChips, formatOptions, markBackground, markEffect, showThumb } from './choices.js';
import { Compare } from './compare.js';
import { showFacts } from './facts.js';
import { KeptJobs } from './kept.js';
import { Looks } from './looks.js';
import { explain } from './messages.js';
import { dollars, effectName, formatName, plural } from './names.js';
import { countDown, say, tell, waits } from './notice.js';
import { ProgressView, percent } from './progress.js';

const $ = (id) => document.getElementById(id);

export class Shop {
  #client;
  #config;
  #compare = new Compare($('compare'), $('slider'));
  #progress = new ProgressView({ now: $('now'), bar: $('bar'), steps: $('steps'), spoken: $('spoken') });
  #tally = { jobs: 0, uploads: 0, cost: 0 };
  #kept = new KeptJobs();
  #session = null; // all of one photo; a new one for each
  #counting;

  constructor(client, config) {
    this.#client = client;
    this.#config = config;
    const clicks = {
      cancel: () => this.#cancel(),
      retry: () => this.#attempt(this.#session),
      another: () => this.#start(),
      anew: () => this.#start(),
      remove: () => this.#remove(),
      download: () => this.#download(),
    };
    for (const [id, listener] of Object.entries(clicks))
      $(id).addEventListener('click', () => waits($(id)) || listener());
    $('preview').addEventListener('error', () => $('working').classList.add('blind'));
    this.#show('empty');
  }

  /** A new photo, instead of the one before. */
  begin(file) {
    this.#close();
    const mine = {
      file,
      photo: URL.createObjectURL(file),
      known: file, // for the page: the same for the same photo
      style: {},
      looks: new Looks(this.#client, (job) => this.#count(1, 0, Number(job.cost_usd))),
      controller: new AbortController(),
      arrived: null, // the job to follow, where the photo is up but waiting for it came to nothing
      over: false, // the upload: its result was shown, or the service said why there is none
    };
    this.#session = mine;
    $('preview').src = mine.photo;
    $('working').classList.remove('blind');
    return this.#attempt(mine);
  }

  async #attempt(mine) {
    this.#show('working');
    $('cancel').focus({ preventScroll: true });
    try {
      const look = await this.#cutOut(mine);
      if (this.#session === mine) await this.#ready(mine, look);
    } catch (error) {
      if (this.#session === mine) this.#failed(mine, error);
    }
  }

  async #cutOut(mine) {
    const started = performance.now();
    const onProgress = (one) => {
      if (one.job) mine.looks.hold(one.job);
      mine.known = one.sha256 ?? mine.known;
      if (!mine.uploaded && one.stage === 'uploading' && one.loaded === one.total) {
        mine.uploaded = true;
        this.#count(0, 1, 0);
      }
      if (this.#session === mine) this.#progress.show(one);
    };
    const { signal } = mine.controller;
    const job = mine.arrived
      ? await this.#client.follow(mine.arrived, { signal, onProgress })
      : await this.#client.uploadPhoto(mine.file, { recipes: Looks.first, signal, onProgress });
    return mine.looks.begin(job, () => (performance.now() - started) / 1000, onProgress);
  }

  async #ready(mine, look) {
    const { effects, backgrounds, formats } = this.#config;
    const before = (await shows(mine.photo)) ? mine.photo : null;
    if (this.#session !== mine) return;
    await this.#compare.show(look.url, null, describe(mine.style));
    if (this.#session !== mine) return;
    this.#compare.frame(before, look.width, look.height);
    effectChips($('effects'), effects, {
      onChoose: (effect) => this.#style({ effect }),
      onNear: (effect) => this.#prefetch(effect),
    });
    backgroundSwatches($('backgrounds'), backgrounds, (background) => this.#style({ background }));
    formatOptions($('format'), formats, true, formatName);
    for (const effect of effects) showThumb($('effects'), effect, look.url);
    mine.shown = { style: mine.style, look };
    mine.over = true;
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
    this.#choose(mine, wanted);
    tell(null);
    const known = mine.looks.there(wanted);
    $('stage').classList.toggle('busy', !known);
    try {
      if (!known) await this.#standIn(mine, wanted);
      const look = known ?? (await mine.looks.get(wanted));
      if (!current()) return;
      await this.#compare.show(look.url, null, describe(wanted));
      if (!current()) return;
      mine.shown = { style: wanted, look };
      facts(look);
      say(`${describe(wanted)}, ready`);
    } catch (error) {
      if (!current()) return;
      const { style, look } = mine.shown;
      this.#choose(mine, style);
      $('stage').classList.remove('busy');
      tell(error, () => this.#style(change));
      await this.#compare.show(look.url, null, describe(style));
    } finally {
      if (current()) $('stage').classList.remove('busy');
    }
  }

  #choose(mine, style) {
    mine.style = style;
    markEffect($('effects'), style.effect ?? 'none');
    markBackground($('backgrounds'), style.background ?? null);
    formatOptions($('format'), this.#config.formats, !style.background, formatName);
  }

  async #standIn(mine, { effect, background }) {
    const plain = mine.looks.there(recipeOf({ effect }));
    if (background?.kind !== 'color' || !plain) return;
    await this.#compare.show(plain.url, background.color, describe({ effect, background }));
  }

  #prefetch(effect) {
    const mine = this.#session;
    if (!mine || mine.leaving || savesData()) return;
    const wanted = recipeOf({ ...mine.style, effect });
    if (!mine.looks.there(wanted)) mine.looks.get(wanted).catch(() => {}); // told of once it is chosen
  }

  async #download() {
    const mine = this.#session;
    const { looks, style } = mine;
    const format = $('format').value;
    const onProgress = (one) => {
      if (this.#session === mine && one.stage === 'downloading') $('download').textContent = percent(one);
    };
    await this.#during(mine, 'download', 'Rendering…', async () => {
      say('Rendering it at full size');
      const look = await looks.full(format === 'mask' ? {} : style, format, onProgress);
      if (this.#session !== mine) return;
      const link = document.createElement('a');
      link.href = look.url;
      link.download = `cutout.${format === 'mask' ? 'png' : format}`;
      link.click();
      facts(look);
      say('Downloaded');
    });
  }

  /** Of the photo that is there, and goes on if another one takes its place. */
  async #remove() {
    const mine = this.#session;
    await this.#during(mine, 'remove', 'Deleting…', async () => {
      say('Deleting your photo');
      for (const job of this.#kept.take(mine.known)) mine.looks.hold(job);
      this.#leaving(mine, true);
      try {
        await mine.looks.remove();
      } catch (error) {
        this.#leaving(mine, false);
        if (this.#session !== mine) this.#kept.add(mine.known, mine.looks.jobs);
        throw error;
      }
      if (this.#session === mine) this.#start();
      say('Your photo and everything made of it are deleted');
    });
  }

  /** While a photo is removed nothing more is made of it. */
  #leaving(mine, is) {
    mine.leaving = is;
    if (this.#session === mine) usable(!is);
  }

  /** What a button started, and says meanwhile; it can't be used until that is over. */
  async #during(mine, id, doing, action) {
    const button = $(id);
    const here = () => this.#session === mine;
    if (here()) {
      button.ariaDisabled = 'true';
      button.textContent = doing;
    }
    try {
      await action();
    } catch (error) {
      if (error.name !== 'AbortError') tell(error, () => this.#during(mine, id, doing, action));
    } finally {
      if (here()) idle(button);
    }
  }

  #cancel() {
    this.#start();
    say('Cancelled');
  }

  /** Back to the beginning. */
  #start() {
    this.#close();
    this.#show('empty');
    $('file').focus({ preventScroll: true });
  }

  #close() {
    const mine = this.#session;
    if (!mine) return;
    this.#session = null;
    this.#compare.leave();
    mine.controller.abort();
    mine.looks.close();
    URL.revokeObjectURL(mine.photo);
    for (const id of ['download', 'remove']) idle($(id));
    usable(true);
    if (mine.leaving) return;
    if (mine.over) this.#kept.add(mine.known, mine.looks.jobs);
    else mine.looks.remove().catch(() => {}); // what did arrive goes away with the uploads' lifetime
  }

  /** Of the upload: instead of the photo. */
  #failed(mine, error) {
    mine.arrived = error.job ?? null;
    mine.over ||= error.jobId !== undefined;
    const { title, text, action, seconds } = explain(error);
    $('problem-title').textContent = title;
    $('problem-text').textContent = text;
    $('problem-code').textContent = error.code ?? error.name;
    $('retry').hidden = action !== 'retry';
    this.#show('failed');
    if (action === 'retry') this.#counting = countDown($('retry'), seconds);
    $(action === 'retry' ? 'retry' : 'another').focus({ preventScroll: true });
  }

  #show(state) {
    this.#progress.stop();
    clearInterval(this.#counting);
    $('stage').classList.remove('busy');
    document.body.dataset.state = state;
    $('empty').hidden = state !== 'empty';
    $('working').hidden = state !== 'working';
    $('compare').hidden = $('tools').hidden = state !== 'ready';
    $('problem').hidden = state !== 'failed';
    tell(null);
    scrollTo(0, 0);
  }

  #count(jobs, uploads, cost) {
    const all = this.#tally;
    all.jobs += jobs;
    all.uploads += uploads;
    all.cost += cost;
    $('tally').textContent = `${plural(all.jobs, 'job')}, ${plural(all.uploads, 'upload')}, ${dollars(all.cost)}`;
    $('tally').hidden = false;
  }
}

/** Without defaults and in one order: equal looks are found again. */
function recipeOf({ effect, background }) {
  return { ...(effect && effect !== 'none' ? { effect } : {}), ...(background ? { background } : {}) };
}

const describe = ({ effect = 'none', background }) =>
  `The cutout, ${effectName(effect).toLowerCase()}${background ? ', on a background' : ''}`;

function facts(look) {
  showFacts({ list: $('facts'), bars: $('bars'), timings: $('timings') }, look);
}

/** All that makes something of the photo. */
function usable(is) {
  for (const tool of $('tools').querySelectorAll('fieldset, #format, #download')) tool.disabled = !is;
}

/** A button says again what it does. */
function idle(button) {
  button.ariaDisabled = null;
  button.textContent = button.dataset.does;
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
