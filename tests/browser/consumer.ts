// A shop in TypeScript: compiles only if the types say what the modules do.
import { connect, CutoutError, type FinishedJob, type Progress, type Recipe, type Storefront } from '@cutout/storefront';
import { watch, type Watch } from '@cutout/storefront/warmer';

const shop: Storefront = connect({ api: 'https://api.example', key: 'key', maxSide: 3000 });
const warmer: Watch = watch({ api: 'https://api.example', key: 'key', button: document.querySelector('button') });

export async function cutOut(photo: File, signal: AbortSignal): Promise<Blob | string> {
  const onProgress = ({ stage, loaded = 0, total = 1 }: Progress) => console.log(stage, loaded / total);
  try {
    const job: FinishedJob = await shop.uploadPhoto(photo, { recipes: [{}, { format: 'mask' }], onProgress, signal });
    const styled = await shop.restyle(job, [{ effect: 'black_white', background: { kind: 'color', color: '#ffffff' } }]);
    return await shop.download(styled, 0, { signal });
  } catch (error) {
    if (error instanceof CutoutError) return error.code === 'too_large' ? 'too large' : error.message;
    throw error;
  } finally {
    warmer.stop();
  }
}

// @ts-expect-error a storefront needs its key
connect({ api: 'https://api.example' });
// @ts-expect-error there is no such stage
warmer.tell('bought');

export const sticker: Recipe = {
  background: { kind: 'gradient', colors: ['#ffffff', '#808080'], angle: 90 },
  crop: { margin: 5 },
  scale: 80,
  position: { x: 0, y: 100 },
  shadow: { color: '#000000', y: 20 },
  outline: { width: 20 },
  size: 'medium',
  dpi: 300,
};
// @ts-expect-error an effect has one spelling
sticker.effect = 'blackwhite';
// @ts-expect-error there is no such field
sticker.colour = '#ffffff';
// @ts-expect-error a gradient has two colours or more
sticker.background = { kind: 'gradient', colors: ['#ffffff'] };
// @ts-expect-error a blur has no colour
sticker.background = { kind: 'blur', color: '#ffffff' };
// @ts-expect-error of margins there are two, and no others
sticker.crop = { padding: 5 };
