/** From the first to the last that a shopper does before an upload. */
export type IntentStage = 'page_view' | 'scroll' | 'hover' | 'file_chosen';

export interface WatchOptions {
  /** Where the API is reached. */
  api: string;
  /** The storefront's key. */
  key: string;
  /** The upload button: a pointer or the focus on it for 500 ms is `hover`. */
  button?: Element | null;
  /** The upload section: scrolling to within a quarter of a screen of it is `scroll`. */
  section?: Element | null;
  /** The file input: opening its picker, or choosing a file, is `file_chosen`. */
  input?: Element | null;
}

export interface Watch {
  /** For what only the shop sees, such as a photo that was dropped or pasted. */
  tell(stage: IntentStage): void;
  stop(): void;
}

/**
 * Tells the service at once of a page view, then of each further stage, at most once a stage and browser tab. Does
 * nothing with Save-Data, Do-Not-Track or Global Privacy Control.
 */
export function watch(options: WatchOptions): Watch;
