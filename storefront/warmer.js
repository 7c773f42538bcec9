/**
 * Tells the service that an upload may follow, so that a worker can be awake in time: one beacon a stage and session.
 * Nothing is sent where the shopper saves data or does not want to be tracked. Types are in `warmer.d.ts`.
 */

const KEPT = 'cutout-intents';
const LINGER = 500; // ms: a pointer that passes by says nothing

export function watch({ api, key, button, section, input }) {
  if (!welcome()) return { tell() {}, stop() {} };
  const over = new AbortController();
  const memory = remembered();
  let lingering;

  function tell(stage) {
    if (over.signal.aborted || memory.told.includes(stage)) return;
    const body = new Blob([JSON.stringify({ session: memory.session, stage, key })], { type: 'text/plain' });
    if (!navigator.sendBeacon(`${api.replace(/\/$/, '')}/intents`, body)) return; // its queue is full
    memory.told.push(stage);
    keep(memory);
  }

  const on = (element, types, listener) => {
    for (const type of types) element?.addEventListener(type, listener, { signal: over.signal, passive: true });
  };
  on(button, ['pointerenter', 'focusin'], () => {
    clearTimeout(lingering);
    lingering = setTimeout(() => tell('hover'), LINGER);
  });
  on(button, ['pointerleave', 'focusout'], () => clearTimeout(lingering));
  on(input, ['click', 'change'], () => tell('file_chosen'));

  const nearing = new IntersectionObserver(
    (seen) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      nearing.disconnect();
      tell('scroll');
    },
    { rootMargin: '25%' },
  );
  const observe = () => section && !over.signal.aborted && nearing.observe(section);
  addEventListener('scroll', observe, { once: true, passive: true, signal: over.signal });

  tell('page_view');
  return {
    tell,
    stop() {
      clearTimeout(lingering);
      nearing.disconnect();
      over.abort();
    },
  };
}

function welcome() {
  const untracked = navigator.doNotTrack === '1' || navigator.globalPrivacyControl === true;
  return !untracked && !navigator.connection?.saveData && 'sendBeacon' in navigator;
}

/** The session is a random text that ends with the tab. */
function remembered() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT));
    if (kept) return kept;
  } catch {
    // no storage: the session is that of this page
  }
  const random = crypto.getRandomValues(new Uint8Array(16));
  return { session: Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join(''), told: [] };
}

function keep(memory) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(memory));
  } catch {
    // no storage
  }
}
