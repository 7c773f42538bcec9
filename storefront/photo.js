/**
 * A photo as it goes up: fitted into the limits, and hashed. Runs in a worker, or on the page where there can be none.
 */

const HEADER_BYTES = 1 << 18;
const KNOWN = /^image\/(jpeg|png|webp|hei[cf]|avif|tiff|bmp|gif)$/;
const STARTS = Object.entries({
  jpeg: /^\xff\xd8/,
  png: /^\x89PNG/,
  webp: /^RIFF.{4}WEBP/s,
  heic: /^.{4}ftyphe[iv]/s,
  heif: /^.{4}ftypm[is]f1/s,
  avif: /^.{4}ftypavi/s,
  tiff: /^(II\*|MM\0)/,
  bmp: /^BM/,
  gif: /^GIF8/,
});

/**
 * The exact bytes to PUT, their type and their SHA-256 (hex; undefined where the page is not secure, or the photo is
 * over the limit and will be refused). Photos within the limits stay as they are, byte for byte.
 *
 * @param {Blob} file
 * @param {{ maxSide: number, maxBytes: number, quality: number }} limits px, bytes, 0 to 1
 * @returns {Promise<{ body: Blob, sha256: string | undefined }>}
 */
export async function prepare(file, limits) {
  const head = new DataView(await file.slice(0, HEADER_BYTES).arrayBuffer());
  const fitted = await fit(file.slice(0, file.size, typeOf(file.type, head)), head, limits);
  if (fitted.size > limits.maxBytes) return { body: fitted, sha256: undefined };
  const bytes = await fitted.arrayBuffer();
  // A file of a cloud drive may change or vanish between two reads; a copy of what was hashed can't.
  return { body: new Blob([bytes], { type: fitted.type }), sha256: await sha256(bytes) };
}

/**
 * Some devices give a photo no type, or one that the service does not know: then its first bytes tell.
 *
 * @param {string} given
 * @param {DataView} head
 */
function typeOf(given, head) {
  if (KNOWN.test(given)) return given;
  const start = String.fromCharCode(...new Uint8Array(head.buffer, 0, Math.min(head.byteLength, 16)));
  const kind = STARTS.find(([, pattern]) => pattern.test(start))?.[0];
  return kind ? `image/${kind}` : given;
}

/** @param {Blob} file @param {DataView} head @param {{ maxSide: number, maxBytes: number, quality: number }} limits */
async function fit(file, head, { maxSide, maxBytes, quality }) {
  const side = longestSide(head);
  if (side && side <= maxSide && file.size <= maxBytes) return file;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
    const scale = Math.min(1, maxSide / Math.max(bitmap.width, bitmap.height));
    if (scale === 1 && file.size <= maxBytes) return file;
    const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const type = /jpeg|hei[cf]/.test(file.type) ? 'image/jpeg' : 'image/webp';
    return await canvas.convertToBlob({ type, quality });
  } catch {
    return file; // HEIC in most browsers, or no image at all: the service decodes more, and says what it can't read
  } finally {
    bitmap?.close();
  }
}

/**
 * In px, from the header of a JPEG or PNG; 0 where that does not tell.
 *
 * @param {DataView} head
 */
function longestSide(head) {
  if (head.byteLength > 24 && head.getUint32(0) === 0x89504e47) return Math.max(head.getUint32(16), head.getUint32(20));
  if (head.byteLength < 2 || head.getUint16(0) !== 0xffd8) return 0;
  for (let at = 2; at + 9 < head.byteLength; at += 2 + head.getUint16(at + 2)) {
    const marker = head.getUint16(at);
    const startsFrame = marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
    if (startsFrame) return Math.max(head.getUint16(at + 5), head.getUint16(at + 7));
  }
  return 0;
}

/** @param {ArrayBuffer} bytes */
async function sha256(bytes) {
  const digest = await crypto.subtle?.digest('SHA-256', bytes);
  return digest && Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
