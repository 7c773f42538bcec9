export type Effect =
  | 'none'
  | 'black_white'
  | 'enhanced_black_white'
  | 'pop_art'
  | 'halftone'
  | 'dither'
  | 'eight_bit'
  | 'sketch'
  | 'sepia';

/** `jpg` needs a background; `mask` is the 8-bit alpha alone, as PNG: no effect, background, shadow or outline. */
export type Format = 'png' | 'webp' | 'jpg' | 'avif' | 'mask';

/** Longest side: 640 px, 1920 px, or the photo's own. */
export type Size = 'preview' | 'medium' | 'full';

/** Colours are `#rrggbb`, lower case. */
export interface Color {
  kind: 'color';
  color: string;
}

/** As CSS draws `linear-gradient(ANGLEdeg, COLORS)`. */
export interface Gradient {
  kind: 'gradient';
  colors: [string, string, string?, string?];
  /** Degrees, 0 to 359: 0 is upwards, 90 to the right. Default 180. */
  angle?: number;
}

/** The photo's own background out of focus. */
export interface Blur {
  kind: 'blur';
  /** 5 to 100 thousandths of the result's longer side. Default 20. */
  radius?: number;
}

/** An image of the storefront's own; it covers the frame. */
export interface Picture {
  kind: 'image';
  /** SHA-256 of the image, lower-case hex. */
  asset: string;
}

export type Background = Color | Gradient | Blur | Picture;

/** To the subject, with one of the two margins. */
export interface Crop {
  /** 0 to 100 percent of the subject's longer side. */
  margin?: number;
  /** 0 to 4096 px of the photo. */
  margin_px?: number;
}

/** Of the free space, in percent: 0 is the left or upper edge, 50 (default) the middle. */
export interface Position {
  x?: number;
  y?: number;
}

/** Lengths are thousandths of the result's longer side. */
export interface Shadow {
  /** Default `#000000`. */
  color?: string;
  /** 1 to 100 percent. Default 40. */
  opacity?: number;
  /** 0 to 100. Default 12. */
  blur?: number;
  /** -200 to 200, to the right. Default 0. */
  x?: number;
  /** -200 to 200, down. Default 10. */
  y?: number;
}

/** A sticker's line around the subject. */
export interface Outline {
  /** Default `#ffffff`. */
  color?: string;
  /** 1 to 100 thousandths of the result's longer side. Default 12. */
  width?: number;
}

/** What the shopper wants back. Every field has a default. Numbers are whole. */
export interface Recipe {
  /** Default `none`. */
  effect?: Effect;
  /** Null, the default: transparent. */
  background?: Background | null;
  /** Null, the default: the photo's frame. */
  crop?: Crop | null;
  /** 1 to 100: percent of the frame that the subject fills. */
  scale?: number | null;
  position?: Position | null;
  shadow?: Shadow | null;
  outline?: Outline | null;
  /** Default `png`. */
  format?: Format;
  /** Default `full`. */
  size?: Size;
  /** Longest side of the result, 16 to 16384 px; never enlarges. */
  max_side?: number | null;
  /** 1 to 2400, written into the file. */
  dpi?: number | null;
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

/**
 * In this order, but for `retrying` and `offline`, which may come at any time, and stages that are skipped.
 * `downloading` is of `download`.
 */
export type Stage =
  | 'preparing'
  | 'asking'
  | 'uploading'
  | 'waiting_for_upload'
  | 'starting_worker'
  | 'removing_background'
  | 'rendering'
  | 'done'
  | 'downloading'
  | 'retrying'
  | 'offline';

export interface Progress {
  stage: Stage;
  /** While asking: of the bytes that would go up, hex. */
  sha256?: string;
  /** From `uploading` on. Kept, it lets a later page go on with `follow`. */
  job?: JobHandle;
  /** Bytes, while uploading or downloading. */
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

/** Of this client: no connection, no end, a file that can't be read, a bucket that said no, an answer that is none. */
export type ClientCode =
  | 'network'
  | 'timeout'
  | 'unreadable_file'
  | 'upload_refused'
  | 'download_refused'
  | 'unexpected';

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
  /** Of a photo that has arrived, when waiting for its results came to nothing: another `follow` may see them. */
  readonly job?: JobHandle;
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
  /** The first pause between attempts, in seconds; each is twice the one before, up to 8, less up to half. Default 0.5. */
  pause?: number;
  /** An upload or download that makes no progress for so many seconds is lost and starts again. Default 30. */
  stall?: number;
  /** A job that has no end after so many seconds is a `timeout`. Default 600. */
  timeout?: number;
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
  download(job: FinishedJob, index?: number, options?: FollowOptions): Promise<Blob>;
  /** Delete the photo and its results. */
  remove(job: JobHandle, options?: CallOptions): Promise<void>;
}

export function connect(options: Options): Storefront;
