/** What each error means to a shopper, and what can be done: `retry`, `another` photo, or nothing but to `wait`. */

const LONGEST_WAIT = 300; // seconds that a shopper may sit out on the page

const another = (title, text) => ({ title, text, action: 'another' });
const retry = (title, text) => ({ title, text, action: 'retry' });
const wait = (title, text) => ({ title, text, action: 'wait' });

const MESSAGES = {
  // the photo
  too_large: another('This file is too large', 'Photos may have up to 30 MB. A smaller copy will do.'),
  too_many_pixels: another('This photo has too many pixels', 'Up to 50 megapixels can be cut out. A smaller copy will do.'),
  unsupported_format: another('This is not a photo we can read', 'JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP and GIF work.'),
  corrupt_image: another('This photo is damaged', 'The file starts as a photo but breaks off. Try the original.'),
  polyglot: another('This file is more than a photo', 'It carries a program or document inside, so we do not touch it.'),
  no_foreground: another('Nothing stands out in this photo', 'Try one with a clear subject: a person, an animal, a thing.'),
  unreadable_file: another('The file can’t be read', 'It is empty, has moved, or is still in the cloud. Choose it again.'),
  unsupported_recipe: another('This look can’t be made', 'The effect, background and format don’t go together, or the photo is too big for them.'),
  no_file: another('That was no photo', 'Drop or paste the picture itself, or save it first and choose it here.'),
  asset_missing: wait('This background is gone', 'The shop does not have that picture any more. Choose another background.'),
  asset_unusable: wait('This background can’t be used', 'The shop’s picture is damaged. Choose another background.'),
  // the way there
  network: retry('The connection was lost', 'Your photo is still here. Try again once you are online.'),
  timeout: retry('This takes too long', 'Your photo has arrived and is kept. Look again whether it is done.'),
  upload_refused: retry('The upload was refused', 'The storage did not take the photo. Try again.'),
  download_refused: retry('The result could not be fetched', 'Its link had expired. Try again.'),
  upload_missing: retry('The upload is gone', 'It expired or was deleted before it was cut out. Send it again.'),
  content_mismatch: retry('The upload arrived damaged', 'It was not the photo that was announced. Send it again.'),
  // the service
  temporarily_unavailable: retry('The service is busy', 'This usually passes within a minute.'),
  matte_missing: retry('The cutout has to be made again', 'It was removed in the meantime. Try again.'),
  retries_exhausted: retry('It did not work, several times', 'The photo is kept, and so is what went wrong. Try again later.'),
  internal: retry('Something broke on our side', 'It is noted. Try again.'),
  unexpected: retry('The service gave a strange answer', 'Try again in a moment.'),
  rate_limited: retry('Too many photos at once', 'Your photo is still here. Take a short break.'),
  daily_cap_reached: wait('The shop has spent its budget for today', 'It starts anew at midnight UTC.'),
  // the page
  page_incomplete: retry('The shop did not load', 'Something is in the way between this page and the shop.'),
  page_broken: retry('Something broke on this page', 'Try again; if that does not help, reload it.'),
  conflict: retry('Not yet', 'The photo is not ready for this, or is no longer kept. Send it again.'),
  not_found: another('This photo is gone', 'It was deleted. Choose it again to start over.'),
  unauthorized: wait('The shop’s key is not valid', 'The page has to be reloaded, or its key renewed.'),
  forbidden: wait('This page may not ask for that', 'The key belongs to another site.'),
  invalid_message: wait('The page asked for something unknown', 'Reload it; it may be older than the service.'),
  method_not_allowed: wait('The page asked in a wrong way', 'Reload it; it may be older than the service.'),
};

export const KNOWN_CODES = Object.keys(MESSAGES);

const UNKNOWN = wait('This did not work', 'The service refused it, for a reason that this page does not know.');

/** `title`, `text` and `action` for any error; `seconds` before a retry, where it has to wait. */
export function explain({ code, retryable, retryAfter: seconds }) {
  const other = typeof code !== 'string' ? MESSAGES.page_broken : retryable ? MESSAGES.unexpected : UNKNOWN;
  const known = MESSAGES[code] ?? other;
  if (!seconds) return known;
  if (seconds <= LONGEST_WAIT) return { ...known, action: 'retry', seconds };
  return { ...known, action: 'wait', text: `${known.text} Try again in ${duration(seconds)}.` };
}

function duration(seconds) {
  return seconds < 5400 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`;
}
