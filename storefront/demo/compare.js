/** Before and after, one over the other, with a native slider: mouse, touch, keyboard and screen readers all work. */

const REVEAL_MS = 900;

export class Compare {
  #figure;
  #slider;
  #revealing;
  #turn;

  constructor(figure, slider) {
    this.#figure = figure;
    this.#slider = slider;
    slider.addEventListener('input', () => {
      cancelAnimationFrame(this.#revealing);
      this.#move(slider.value);
    });
  }

  /** `before` null where the browser can't show the photo (HEIC): then there is nothing to compare with. */
  frame(before, width, height) {
    this.#figure.style.setProperty('--ratio', String(width / height));
    const photo = this.#figure.querySelector('.before');
    photo.hidden = !before;
    if (before) photo.src = before;
    this.#figure.classList.toggle('alone', !before);
    this.#slider.disabled = !before;
  }

  /**
   * Resolves once it can be seen, or something else was to be shown meanwhile. `backdrop` is a colour that stands in
   * for one that is not rendered yet.
   */
  async show(url, backdrop, label) {
    const turn = (this.#turn = Symbol(url));
    const picture = this.#figure.querySelector('.after');
    const next = new Image();
    next.src = url;
    await next.decode().catch((error) => {
      if (this.#turn === turn) throw error;
    });
    if (this.#turn !== turn) return;
    picture.src = url;
    picture.alt = label;
    this.#figure.style.setProperty('--backdrop', backdrop ?? 'transparent');
  }

  /** What is on its way will not be shown. */
  leave() {
    this.#turn = null;
    cancelAnimationFrame(this.#revealing);
  }

  /** From the photo to half of the cutout. */
  reveal() {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return this.#set(50);
    const started = performance.now();
    const step = (now) => {
      const part = Math.min(1, (now - started) / REVEAL_MS);
      this.#set(100 - 50 * (1 - (1 - part) ** 3));
      if (part < 1) this.#revealing = requestAnimationFrame(step);
    };
    this.#revealing = requestAnimationFrame(step);
  }

  #set(value) {
    this.#slider.value = value;
    this.#move(value);
  }

  #move(value) {
    this.#figure.style.setProperty('--at', `${value}%`);
    this.#slider.setAttribute('aria-valuetext', `${Math.round(value)} percent before`);
  }
}
