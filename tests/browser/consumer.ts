// A shop in TypeScript: compiles only if the types say what the modules do.
import { connect, CutoutError, type FinishedJob, type Progress, type Storefront } from '@cutout/storefront';
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
