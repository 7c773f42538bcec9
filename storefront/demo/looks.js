/** One photo and every look of it that was fetched: asked for once, then there at once. */

const VIEW = { format: 'webp', max_side: 1600 };
const THUMB = { format: 'webp', max_side: 160 };

export class Looks {
  #client;
  #onFinished;
  #job;
  #jobs = new Map();
  #asking = new Set();
  #found = new Map();
  #thumbs;
  #urls = [];
  #over = new AbortController();

  /** Calls `onFinished` with each job of the photo that was carried out. */
  constructor(client, onFinished) {
    this.#client = client;
    this.#onFinished = onFinished;
  }

  /** What the photo's upload asks for: the plain cutout, at the size of a screen. */
  static first = [VIEW];

  /** Every job of the photo that is not removed. */
  get jobs() {
    return [...this.#jobs.values()];
  }

  /** For `remove`. */
  hold(job) {
    this.#jobs.set(job.job_id, job);
  }

  /** Takes the finished upload. `seconds()` since the shopper chose the photo. */
  async begin(job, seconds, onProgress) {
    this.#job = job;
    this.hold(job);
    this.#onFinished(job);
    const blob = await this.#client.download(job, 0, { signal: this.#over.signal, onProgress });
    const look = this.#look(job, blob, seconds());
    this.#found.set(JSON.stringify(VIEW), { look, pending: Promise.resolve(look) });
    return look;
  }

  /** If it was fetched before. */
  there(style) {
    return this.#found.get(JSON.stringify({ ...VIEW, ...style }))?.look;
  }

  get(style) {
    return this.#fetched({ ...VIEW, ...style });
  }

  /** At full size, in any format. */
  full(style, format, onProgress) {
    return this.#fetched({ ...style, format }, onProgress);
  }

  /** URLs of small pictures, by effect: one job for as many as the service takes. */
  thumbs(effects, most) {
    this.#thumbs ??= this.#small(effects.slice(0, most));
    return this.#thumbs;
  }

  /** Of the service: the photo goes once no job of it is left. What is asked for meanwhile goes too. */
  async remove() {
    while (this.#asking.size || this.#jobs.size) {
      await Promise.allSettled(this.#asking);
      for (const job of this.jobs.reverse()) {
        await this.#client.remove(job);
        this.#jobs.delete(job.job_id);
      }
    }
  }

  /** Ends what is under way and lets go of the pictures. */
  close() {
    this.#over.abort();
    for (const url of this.#urls) URL.revokeObjectURL(url);
  }

  #fetched(recipe, onProgress) {
    const key = JSON.stringify(recipe);
    const known = this.#found.get(key);
    if (known) return known.pending;
    const entry = { pending: this.#restyled(recipe, onProgress) };
    this.#found.set(key, entry);
    entry.pending.then(
      (look) => (entry.look = look),
      () => this.#found.delete(key),
    );
    return entry.pending;
  }

  async #small(effects) {
    const job = await this.#restyle(effects.map((effect) => ({ ...THUMB, effect })));
    const { signal } = this.#over;
    const blobs = await Promise.all(job.results.map((_, index) => this.#client.download(job, index, { signal })));
    return blobs.map((blob, index) => [effects[index], this.#url(blob)]);
  }

  async #restyle(recipes) {
    const onProgress = ({ job }) => job && this.hold(job);
    const asked = this.#client.restyle(this.#job, recipes, { signal: this.#over.signal, onProgress });
    this.#asking.add(asked);
    try {
      const job = await asked;
      this.#onFinished(job);
      return job;
    } finally {
      this.#asking.delete(asked);
    }
  }

  async #restyled(recipe, onProgress) {
    const started = performance.now();
    const job = await this.#restyle([recipe]);
    const blob = await this.#client.download(job, 0, { signal: this.#over.signal, onProgress });
    return this.#look(job, blob, (performance.now() - started) / 1000);
  }

  #look(job, blob, seconds) {
    const [{ width, height, bytes, cache, recipe }] = job.results;
    const { cost_usd: cost, timings } = job;
    return { url: this.#url(blob), width, height, bytes, type: blob.type, cache, recipe, cost, timings, seconds };
  }

  #url(blob) {
    const url = URL.createObjectURL(blob);
    this.#urls.push(url);
    return url;
  }
}
