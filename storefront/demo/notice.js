/** Trouble beside what is there, and the button that tries again. */

import { explain } from './messages.js';

const $ = (id) => document.getElementById(id);
let counting;

/** Null takes it away. `again` is what a retry does, where the error allows one. */
export function tell(error, again) {
  const notice = $('notice');
  clearInterval(counting);
  notice.hidden = !error;
  if (!error) return;
  const { title, text, action, seconds } = explain(error);
  notice.replaceChildren(`${title}. ${text} `);
  if (action !== 'retry' || !again) return;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'link';
  button.addEventListener('click', () => {
    if (waits(button)) return;
    tell(null);
    again();
  });
  notice.append(button);
  counting = countDown(button, seconds);
}

/** Says that on the button, which can be used after so many seconds. Returns the timer. */
export function countDown(button, seconds = 0) {
  const until = performance.now() + 1000 * seconds;
  const rest = document.createElement('span');
  rest.ariaHidden = 'true'; // read out once, not each second
  button.replaceChildren('Try again', rest);
  button.ariaDisabled = 'true';
  const tick = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    rest.textContent = left > 0 ? ` in ${left}\u00a0s` : '';
    if (left > 0) return;
    clearInterval(timer);
    button.ariaDisabled = null;
    if (seconds) say('You can try again now');
  };
  const timer = setInterval(tick, 250);
  tick();
  return timer;
}

/** A button that can be reached but not used now. */
export const waits = (button) => button.ariaDisabled === 'true';

export function say(text) {
  $('spoken').textContent = text;
}
