/** Names for people of what the service calls its own way. */

const EFFECTS = {
  none: 'Original',
  black_white: 'Black & white',
  enhanced_black_white: 'High contrast',
  eight_bit: '8-bit',
};
const BACKGROUNDS = { blur: 'Blurred photo', image: 'The shop\u2019s picture' };
const FORMATS = { png: 'PNG', webp: 'WebP', jpg: 'JPEG', avif: 'AVIF', mask: 'Mask only (PNG)' };
const CACHE = {
  hit: ['Hit', 'seen before: nothing was computed'],
  matte: ['Matte', 'rendered from the kept cutout, no GPU'],
  miss: ['Miss', 'a new photo: the network ran'],
};
const TIMINGS = { event: 'Event on its way', queue: 'In the queue', network: 'The network', store_matte: 'Matte stored' };

const plain = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ');

export const effectName = (effect) => EFFECTS[effect] ?? plain(effect);
export const backgroundName = (kind) => BACKGROUNDS[kind] ?? plain(kind);
export const formatName = (format) => FORMATS[format] ?? format.toUpperCase();
export const cacheStory = (cache) => CACHE[cache] ?? [plain(cache), ''];
export const timingName = (stage) => TIMINGS[stage] ?? plain(stage);

const DOLLARS = new Intl.NumberFormat('en', { style: 'currency', currency: 'USD', maximumSignificantDigits: 2 });

export const plural = (number, what) => `${number} ${what}${number === 1 ? '' : 's'}`;
export const dollars = (amount) => DOLLARS.format(Number(amount));
export const duration = (seconds) => (seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(2)} s`);
export const bytes = (size) =>
  size < 1024 * 1024 ? `${Math.ceil(size / 1024)} kB` : `${(size / 1024 / 1024).toFixed(1)} MB`;
