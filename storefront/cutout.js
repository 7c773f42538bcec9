/**
 * Photos to cutouts, from a shop's page. No dependencies; types and documentation are in `cutout.d.ts`.
 */

import { prepare } from './photo.js';

const WAITS = [1, 2, 4, 8, 15, 20]; // seconds: the stage is seen early, a long job costs few requests
const BETWEEN_POLLS = 1; // seconds at least, however soon the service answers
const LONGEST_PAUSE = 30; // seconds that a shopper is asked to wait before another attempt
const ANSWER_SECONDS = 15;
const TICKETS = 3;

export class CutoutError extends Error {
  name = 'CutoutError';

  constructor(code, message, details) {
    super(message);
    this.code = code;
    this.retryable = false;
    Object.assign(this, details);
  }
}

export function connect({
  api,
  key,
  maxSide = 4096,
  maxBytes = 30 * 1024 * 1024,
  quality = 0.92,
  attempts = 6,
  pause = 0.5,
  stall = 30,
  timeout = 600,
}) {
  const base = api.replace(/\/$/, '');

  async function uploadPhoto(file, { recipes = [{}], onProgress, signal } = {}) {
    const tell = teller(onProgress);
    tell('preparing');
    const { body, sha256 } = await prepared(file, { maxSide, maxBytes, quality }, signal);
    const wanted = { content_type: body.type, size: body.size, recipes, sha256 };
    for (let ticket = 1; ; ticket += 1) {
      tell('asking', { sha256 });
      const job = await call('POST', '/uploads', { body: wanted, tell, signal });
      if (job.state === 'done') return finished(job, job, tell);
      try {
        await retrying(() => putOnce(job.upload, body, stall, signal, (sent) => tell('uploading', sent, job)), tell, signal);
      } catch (error) {
        if (error.code === 'upload_refused' && ticket < TICKETS) continue; // its URL has expired: ask for another
        throw error;
      }
      return follow(job, { onProgress, signal });
    }
  }

  async function restyle(job, recipes, { onProgress, signal } = {}) {
    const tell = teller(onProgress);
    tell('asking');
    const body = { source_job_id: job.job_id, recipes };
    return follow(await call('POST', '/jobs', { body, token: job.token, tell, signal }), { onProgress, signal });
  }

  async function follow(job, { onProgress, signal } = {}) {
    const tell = teller(onProgress);
    const end = later(timeout);
    for (let poll = 0; ; poll += 1) {
      const wait = WAITS[Math.min(poll, WAITS.length - 1)];
      const next = later(BETWEEN_POLLS);
      const asked = call('GET', `/jobs/${job.job_id}?wait=${wait}`, { token: job.token, wait, tell, signal });
      const status = await asked.catch((error) => {
        if (error instanceof CutoutError) error.job = job;
        throw error;
      });
      if (status.state === 'done') return finished(status, job, tell);
      if (status.state === 'failed') {
        const { code, message, retryable } = status.error;
        throw new CutoutError(code, message, { retryable, jobId: job.job_id });
      }
      tell(status.stage, { worker: status.worker, secondsLeft: status.seconds_left }, job);
      if (!left(end)) throw new CutoutError('timeout', 'The result takes too long', { retryable: true, job });
      await slept(left(next), signal);
    }
  }

  async function download(job, index = 0, { onProgress, signal } = {}) {
    const tell = teller(onProgress);
    const { url, expires_at: end, bytes: total } = job.results[index];
    const heard = (loaded) => tell('downloading', { loaded, total }, job);
    const fetched = (from) => retrying(() => getOnce(from, stall, signal, heard), tell, signal);
    try {
      // Of an expired URL a bucket says so; what a CDN says, no page may read: it looks like a lost connection.
      if (Date.now() < Date.parse(end)) return await fetched(url);
    } catch (error) {
      if (error.code !== 'download_refused') throw error;
    }
    const fresh = await call('GET', `/jobs/${job.job_id}`, { token: job.token, tell, signal });
    return fetched(fresh.results[index].url);
  }

  async function remove(job, { signal } = {}) {
    await call('DELETE', `/jobs/${job.job_id}`, { token: job.token, tell: teller(), signal });
  }

  /** One request of the API, as often as it takes. */
  function call(method, path, { body, token, wait = 0, tell, signal }) {
    const headers = { 'X-Api-Key': key };
    if (body) headers['Content-Type'] = 'application/json';
    if (token) headers.Authorization = `Bearer ${token}`;
    const request = { method, headers, body: body && JSON.stringify(body), cache: 'no-store' };
    const once = async () => {
      const { response, content } = await answered(base + path, request, ANSWER_SECONDS + wait, signal);
      const answer = parsed(await content.text());
      if (response.ok) return answer;
      const { code, message, retryable, fields } = answer?.error ?? {};
      throw new CutoutError(code ?? 'unexpected', message ?? `The service answered ${response.status}`, {
        status: response.status,
        retryable: retryable ?? response.status >= 500,
        retryAfter: seconds(response.headers.get('Retry-After')),
        fields,
      });
    };
    return retrying(once, tell, signal);
  }

  /** Repeats what is lost or refused for a while; waits for as long as the device is offline. */
  async function retrying(attempt, tell, signal) {
    for (let failures = 1; ; failures += 1) {
      signal?.throwIfAborted();
      try {
        return await attempt();
      } catch (error) {
        signal?.throwIfAborted();
        const again = error.retryable || error.status === 429;
        const wait = error.retryAfter ?? Math.min(pause * 2 ** (failures - 1), 8) * (0.5 + Math.random() / 2);
        if (!again || failures >= attempts || wait > LONGEST_PAUSE) throw error;
        tell('retrying', { attempt: failures, seconds: wait, error });
        await slept(wait, signal);
        if (globalThis.navigator?.onLine === false) {
          tell('offline', { error });
          await happened(globalThis, 'online', signal);
          failures = 0;
        }
      }
    }
  }

  return { uploadPhoto, restyle, follow, download, remove };
}

/** In a worker, unless the page can't have this one: then the page does it itself. */
async function prepared(file, limits, signal) {
  signal?.throwIfAborted();
  if (!file.size) throw new CutoutError('unreadable_file', 'The file is empty');
  let worker;
  try {
    worker = new Worker(new URL('./photo-worker.js', import.meta.url), { type: 'module' });
    worker.postMessage([file, limits]);
    const { data } = await happened(worker, 'message', signal);
    if (data.problem) throw new CutoutError('unreadable_file', data.problem);
    return data.photo;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof CutoutError) throw error;
    return await prepare(file, limits).catch((problem) => {
      throw new CutoutError('unreadable_file', String(problem));
    });
  } finally {
    worker?.terminate();
  }
}

function putOnce({ url, headers }, body, stall, signal, sent) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let silence;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(stop, 1000 * stall);
    };
    const stop = () => request.abort();
    request.upload.onprogress = ({ loaded }) => {
      heard();
      sent({ loaded, total: body.size });
    };
    request.onloadend = () => {
      clearTimeout(silence);
      signal?.removeEventListener('abort', stop);
      const { status } = request;
      if ((status >= 200 && status < 300) || status === 412) resolve(); // 412: an earlier attempt had arrived
      else reject(refusal('upload', status, request.responseText));
    };
    request.open('PUT', url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    signal?.addEventListener('abort', stop);
    heard();
    sent({ loaded: 0, total: body.size });
    request.send(body);
  });
}

async function getOnce(url, stall, signal, heard) {
  const { response, content } = await answered(url, {}, stall, signal, heard);
  if (!response.ok) throw refusal('download', response.status, await content.text());
  return content;
}

/** Of the bucket, which answers in XML. */
function refusal(what, status, text) {
  if (!status) return lost();
  if (/EntityTooLarge/.test(text)) return new CutoutError('too_large', 'The photo has too many bytes', { status });
  const retryable = status === 408 || status === 429 || status >= 500;
  return new CutoutError(retryable ? 'unexpected' : `${what}_refused`, `The bucket answered ${status}`, { status, retryable });
}

const lost = (cause) => new CutoutError('network', 'The connection was lost', { retryable: true, cause });

/** The whole answer: a connection can be lost between its head and its end. So many seconds of silence count as that. */
async function answered(url, request, stall, signal, heard) {
  const silence = new AbortController();
  let timer;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), 1000 * stall);
  };
  try {
    wait();
    const either = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
    const response = await fetch(url, { ...request, signal: either });
    const reader = response.body?.getReader();
    const chunks = [];
    let loaded = 0;
    for (let read; reader && !(read = await reader.read()).done; ) {
      wait();
      chunks.push(read.value);
      heard?.((loaded += read.value.length));
    }
    return { response, content: new Blob(chunks, { type: response.headers.get('Content-Type') ?? '' }) };
  } catch (error) {
    throw lost(error);
  } finally {
    clearTimeout(timer);
  }
}

function finished(view, job, tell) {
  const done = { ...view, job_id: job.job_id, token: job.token };
  tell('done', {}, done);
  return done;
}

const teller = (onProgress) => (stage, details, job) => onProgress?.({ stage, ...details, job });

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const seconds = (header) => (header && /^\d+$/.test(header) ? Number(header) : undefined);
const later = (wait) => performance.now() + 1000 * wait;
const left = (until) => Math.max(0, until - performance.now()) / 1000;

/** The first event of that type; rejects with a worker's error event, or when the signal aborts. */
function happened(target, type, signal) {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const listen = (on, kind, settle) =>
      on?.addEventListener(kind, (event) => (over.abort(), settle(event)), { signal: over.signal });
    listen(target, type, resolve);
    if (target !== globalThis) listen(target, 'error', reject); // those of the page are none of ours
    listen(signal, 'abort', () => reject(signal.reason));
  });
}

function slept(wait, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, 1000 * wait);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
