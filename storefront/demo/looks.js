/** One photo and every look of it that was fetched: asked for once, then there at once. */

const VIEW = { format: 'webp', max_side: 1600 };
const THUMB = { format: 'webp', max_side: 160 };

export class Looks {
  #client;
  #job;
  #jobs = new Map();
  #found = new Map();
  #thumbs;
  #urls = [];
  #over = new AbortController();

  constructor(client) {
    this.#client = client;
  }

  /** What the photo's upload asks for: the plain cutout, at the size of a screen. */
  static first = [VIEW];

  /** Takes the finished upload. `seconds` since the shopper chose the photo. */
  async begin(job, seconds) {
    this.#job = job;
    this.#jobs.set(job.job_id, job);
    const look = this.#look(job, await this.#client.download(job, 0, { signal: this.#over.signal }), seconds);
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
  full(style, format) {
    return this.#fetched({ ...style, format });
  }

  /** URLs of small pictures, by effect: one job for as many as the service takes. */
  thumbs(effects, most) {
    this.#thumbs ??= this.#small(effects.slice(0, most));
    return this.#thumbs;
  }

  /** Of the service: the photo goes once no job of it is left. */
  async remove() {
    await Promise.allSettled([this.#thumbs, ...[...this.#found.values()].map(({ pending }) => pending)]);
    for (const job of [...this.#jobs.values()].reverse()) await this.#client.remove(job);
  }

  /** Ends what is under way and lets go of the pictures. */
  close() {
    this.#over.abort();
    for (const url of this.#urls) URL.revokeObjectURL(url);
  }

  #fetched(recipe) {
    const key = JSON.stringify(recipe);
    const known = this.#found.get(key);
    if (known) return known.pending;
    const entry = { pending: this.#restyled(recipe) };
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

  #restyle(recipes) {
    const onProgress = ({ job }) => job && this.#jobs.set(job.job_id, job);
    return this.#client.restyle(this.#job, recipes, { signal: this.#over.signal, onProgress });
  }

  async #restyled(recipe) {
    const started = performance.now();
    const job = await this.#restyle([recipe]);
    const blob = await this.#client.download(job, 0, { signal: this.#over.signal });
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
