/** The stages of an upload as a shopper follows them: a sentence, a bar and four steps. */

const STEPS = ['prepare', 'upload', 'remove', 'done'];
const STEP_OF = {
  preparing: 'prepare',
  asking: 'prepare',
  uploading: 'upload',
  waiting_for_upload: 'upload',
  starting_worker: 'remove',
  removing_background: 'remove',
  rendering: 'remove',
  done: 'done',
  downloading: 'done',
};
const SENTENCES = {
  preparing: () => 'Preparing your photo',
  asking: () => 'Asking whether we know it',
  uploading: (sent) => `Uploading, ${percent(sent)}`,
  downloading: (fetched) => `Fetching it, ${percent(fetched)}`,
  waiting_for_upload: () => 'Your photo has arrived',
  starting_worker: () => 'Waking a worker',
  removing_background: () => 'Cutting it out',
  rendering: () => 'Rendering',
  retrying: ({ seconds }) => `The line is bad. Trying again in ${Math.max(1, Math.round(seconds))}\u00a0s`,
  offline: () => 'You are offline. It goes on as soon as you are back',
  done: () => 'Ready',
};

const TRANSFERS = ['uploading', 'downloading'];
const part = ({ loaded, total }) => Math.min(1, loaded / total);

export const percent = (transfer) => `${Math.floor(100 * part(transfer))}\u00a0%`;

export class ProgressView {
  #now;
  #bar;
  #steps;
  #spoken;
  #ticking;

  constructor({ now, bar, steps, spoken }) {
    this.#now = now;
    this.#bar = bar;
    this.#steps = steps;
    this.#spoken = spoken;
  }

  show(progress) {
    const { stage, loaded, secondsLeft } = progress;
    clearInterval(this.#ticking);
    const sentence = SENTENCES[stage]?.(progress) ?? stage;
    this.#now.textContent = sentence;
    const moving = TRANSFERS.includes(stage);
    if (moving) this.#bar.value = part(progress);
    else this.#bar.removeAttribute('value');
    if (secondsLeft) this.#count(sentence, secondsLeft);
    if (!moving || (stage === 'uploading' && !loaded)) this.#spoken.textContent = sentence;
    if (STEP_OF[stage]) this.#mark(STEP_OF[stage]);
  }

  stop() {
    clearInterval(this.#ticking);
  }

  #count(sentence, seconds) {
    const until = performance.now() + 1000 * seconds;
    const tick = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      this.#now.textContent = left > 0 ? `${sentence}, about ${left}\u00a0s` : `${sentence}, any moment now`;
    };
    tick();
    this.#ticking = setInterval(tick, 500);
  }

  #mark(step) {
    const reached = STEPS.indexOf(step);
    for (const item of this.#steps.children) {
      const at = STEPS.indexOf(item.dataset.step);
      item.dataset.mark = at < reached ? 'past' : at === reached ? 'now' : 'ahead';
      if (at === reached) item.setAttribute('aria-current', 'step');
      else item.removeAttribute('aria-current');
    }
  }
}
