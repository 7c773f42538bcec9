/** What the shopper wants back. Every field has a default; the API names all values and refuses unknown fields. */
export interface Recipe {
  /** `none` (default), `black_white`, ... */
  effect?: string;
  /** Behind the subject, such as `{ kind: 'color', color: '#ffffff' }`; null or left out: transparent. */
  background?: { kind: string; [field: string]: unknown } | null;
  /** `png` (default), `webp`, `jpg` (needs a background), `mask`, ... */
  format?: string;
  /** Longest side of the result, px; never enlarges. */
  max_side?: number | null;
  [field: string]: unknown;
}

/** All that it takes to follow, restyle or remove a job, on this page or a later one. The token is a secret. */
export interface JobHandle {
  job_id: string;
  token: string;
}

export type CacheAnswer = 'hit' | 'matte' | 'miss';

export interface Result {
  recipe: Recipe;
  /** Signed, valid until `expires_at`; `download` asks for a new one after that. */
  url: string;
  expires_at: string;
  content_type: string;
  width: number;
  height: number;
  bytes: number;
  cache: CacheAnswer;
}

export interface FinishedJob extends JobHandle {
  state: 'done';
  /** The dearest answer among the results. */
  cache: CacheAnswer;
  confidence: number | null;
  /** Seconds, by stage. */
  timings: Record<string, number>;
  /** A decimal number, exact. */
  cost_usd: string;
  /** In the order of the recipes. */
  results: Result[];
}

/** In this order, but for `retrying` and `offline`, which may come at any time, and stages that are skipped. */
export type Stage =
  | 'preparing'
  | 'asking'
  | 'uploading'
  | 'waiting_for_upload'
  | 'starting_worker'
  | 'removing_background'
  | 'rendering'
  | 'done'
  | 'retrying'
  | 'offline';

export interface Progress {
  stage: Stage;
  /** From `uploading` on. Kept, it lets a later page go on with `follow`. */
  job?: JobHandle;
  /** Bytes, while uploading. */
  loaded?: number;
  total?: number;
  /** While the service works: whether a worker is awake, and an estimate. */
  worker?: 'cold' | 'warm';
  secondsLeft?: number;
  /** While retrying: failures so far, the pause before the next attempt, and why. */
  attempt?: number;
  seconds?: number;
  error?: CutoutError;
}

/** Of the service, at once or as the end of a job. */
export type ServiceCode =
  | 'asset_missing'
  | 'asset_unusable'
  | 'conflict'
  | 'content_mismatch'
  | 'corrupt_image'
  | 'daily_cap_reached'
  | 'forbidden'
  | 'internal'
  | 'invalid_message'
  | 'matte_missing'
  | 'method_not_allowed'
  | 'no_foreground'
  | 'not_found'
  | 'polyglot'
  | 'rate_limited'
  | 'retries_exhausted'
  | 'temporarily_unavailable'
  | 'too_large'
  | 'too_many_pixels'
  | 'unauthorized'
  | 'unsupported_format'
  | 'unsupported_recipe'
  | 'upload_missing';

/** Of this client: no connection, a file that can't be read, a bucket that said no, an answer that is none. */
export type ClientCode = 'network' | 'unreadable_file' | 'upload_refused' | 'download_refused' | 'unexpected';

/** A cancelled call rejects with the signal's own reason instead: an `AbortError`. */
export class CutoutError extends Error {
  /** `ServiceCode` may grow; treat an unknown code by `retryable`. */
  readonly code: ServiceCode | ClientCode | (string & {});
  /** Whether the same call may work later. What may work soon was tried again before this was thrown. */
  readonly retryable: boolean;
  /** HTTP status, where there was an answer. */
  readonly status?: number;
  /** Seconds until it is worth another try, where the service says. */
  readonly retryAfter?: number;
  /** Of `invalid_message`: what is wrong, by field. */
  readonly fields?: Record<string, string>;
  /** Of a job that failed. */
  readonly jobId?: string;
}

export interface Options {
  /** Where the API is reached. */
  api: string;
  /** The storefront's key: public, bound to the shop's origins. */
  key: string;
  /** Longer photos are scaled down before they go up, px. Default 4096. */
  maxSide?: number;
  /** As the service's limit. Default 30 MiB. */
  maxBytes?: number;
  /** Of photos that are scaled down, 0 to 1. Default 0.92. */
  quality?: number;
  /** Of each request. Being offline is waited out and does not count. Default 6. */
  attempts?: number;
  /** The first pause between attempts, in seconds; each is twice the one before, up to 8. Default 0.5. */
  pause?: number;
  /** An upload that makes no progress for so many seconds is lost and starts again. Default 30. */
  stall?: number;
}

export interface CallOptions {
  signal?: AbortSignal;
}

export interface FollowOptions extends CallOptions {
  onProgress?: (progress: Progress) => void;
}

export interface UploadOptions extends FollowOptions {
  /** 1 to 8. Default: one transparent PNG. */
  recipes?: Recipe[];
}

/** Every method rejects with a `CutoutError`, or with the signal's reason. */
export interface Storefront {
  /** A photo to its results. Nothing is uploaded where the service knows the photo and has them all. */
  uploadPhoto(file: Blob, options?: UploadOptions): Promise<FinishedJob>;
  /** Other results of the same photo: no upload, and no GPU. */
  restyle(job: JobHandle, recipes: Recipe[], options?: FollowOptions): Promise<FinishedJob>;
  /** Wait for a job that was started before. */
  follow(job: JobHandle, options?: FollowOptions): Promise<FinishedJob>;
  /** One result's bytes. */
  download(job: FinishedJob, index?: number, options?: CallOptions): Promise<Blob>;
  /** Delete the photo and its results. */
  remove(job: JobHandle, options?: CallOptions): Promise<void>;
}

export function connect(options: Options): Storefront;
