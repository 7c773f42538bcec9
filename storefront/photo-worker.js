import { prepare } from './photo.js';

self.onmessage = async ({ data: [file, limits] }) => {
  try {
    self.postMessage({ photo: await prepare(file, limits) });
  } catch (error) {
    self.postMessage({ problem: String(error) });
  }
};
