/** What one result came to: the cache's answer, time, cost, and where the time went. */

import { bytes, cacheStory, dollars, duration, formatName, timingName } from './names.js';

export function showFacts({ list, bars, timings }, look) {
  const [answer, story] = cacheStory(look.cache);
  list.replaceChildren(
    ...pair('Cache', badge(answer, look.cache), ` ${story}`),
    ...pair('Time', duration(look.seconds)),
    ...pair('Cost', dollars(look.cost)),
    ...pair('Picture', `${look.width} × ${look.height}, ${bytes(look.bytes)} ${formatName(look.recipe.format)}`),
  );
  const stages = Object.entries(look.timings ?? {}).filter(([, seconds]) => seconds > 0);
  timings.hidden = stages.length === 0;
  const longest = Math.max(...stages.map(([, seconds]) => seconds));
  bars.replaceChildren(...stages.map(([stage, seconds]) => bar(stage, seconds, seconds / longest)));
}

function pair(term, ...definition) {
  const [name, value] = [document.createElement('dt'), document.createElement('dd')];
  name.textContent = term;
  value.append(...definition);
  return [name, value];
}

function badge(text, kind) {
  const made = document.createElement('span');
  made.className = 'badge';
  made.dataset.cache = kind;
  made.textContent = text;
  return made;
}

function bar(stage, seconds, part) {
  const item = document.createElement('li');
  const [name, value, line] = ['span', 'span', 'i'].map((tag) => document.createElement(tag));
  name.textContent = timingName(stage);
  value.textContent = duration(seconds);
  line.style.setProperty('--part', String(part));
  item.append(name, value, line);
  return item;
}
