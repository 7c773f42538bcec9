/** The live feed: what happened where, newest first. */

import { bytes, dollars, plural } from './names.js';

const SHOWN = 60;

const effects = ({ recipes = [] }) => recipes.map((recipe) => (recipe.effect ?? 'none').replaceAll('_', ' ')).join(', ');
/** Where it happened, and what, by topic. */
const STORIES = {
  'uploads-finalized': (data) => ['Bucket', `a photo of ${bytes(Number(data.size))} arrived`],
  jobs: (data) => ['GPU queue', `cut it out: ${effects(data)}`],
  renders: (data) => ['CPU queue', `render ${effects(data)} from the matte`],
  results: (data) =>
    data.code
      ? ['Result', `failed: ${data.code.replaceAll('_', ' ')}`]
      : ['Result', `${plural(data.results.length, 'picture')}, cache ${cacheOf(data)}, ${dollars(data.cost_usd)}`],
  deliveries: () => ['Webhook', 'a receiver is told'],
  costs: (data) => ['Cost', `${data.kind}: ${dollars(data.usd)}`],
  warmups: (data) => ['Warm-up', `the worker is woken: ${data.reason.replaceAll('_', ' ')}`],
  'dead-letters': () => ['Dead letter', 'every attempt failed; kept for replay'],
};

const cacheOf = ({ results }) => ['miss', 'matte', 'hit'].find((answer) => results.some(({ cache }) => cache === answer));

export function follow(url, { rows, list, live, placeholder }) {
  const source = new EventSource(url);
  const seen = new Set();
  source.onopen = () => say('live', 'on');
  source.onerror = () => say('offline', 'off');
  source.onmessage = ({ data }) => {
    const item = JSON.parse(data);
    if (seen.has(item.id) || !item.data) return;
    seen.add(item.id);
    placeholder.hidden = true;
    rows.hidden = false;
    if (!added(list, item)) insert(list, row(item));
  };

  function say(text, state) {
    live.textContent = text;
    live.dataset.state = state;
  }
}

function row({ topic, at, data }) {
  const [place, what] = STORIES[topic](data);
  const moment = new Date(at);
  const time = element('time', moment.toLocaleTimeString('en-GB') + `.${String(moment.getMilliseconds()).padStart(3, '0')}`);
  time.dateTime = at;
  const item = element('li', time, element('b', place), element('span', what));
  item.dataset.topic = topic;
  item.dataset.at = String(moment.getTime());
  if (topic === 'costs') Object.assign(item.dataset, { cost: `${data.job_id} ${data.kind}`, count: '1', usd: data.usd });
  const job = data.job_id ?? data.name?.split('/')[1];
  if (job) item.append(element('code', job.slice(-6)));
  return item;
}

/** Each picture of a job has a cost record of its own: shown as one line. */
function added(list, { topic, data }) {
  const shown = topic === 'costs' && list.querySelector(`[data-cost="${data.job_id} ${data.kind}"]`);
  if (!shown) return false;
  shown.dataset.count = String(Number(shown.dataset.count) + 1);
  shown.dataset.usd = String(Number(shown.dataset.usd) + Number(data.usd));
  shown.querySelector('span').textContent = `${data.kind}: ${dollars(shown.dataset.usd)} for ${shown.dataset.count} pictures`;
  return true;
}

/** Messages of several topics may overtake each other. */
function insert(list, item) {
  const older = [...list.children].find((other) => Number(other.dataset.at) <= Number(item.dataset.at));
  list.insertBefore(item, older ?? null);
  while (list.children.length > SHOWN) list.lastChild.remove();
}

function element(name, ...content) {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}
