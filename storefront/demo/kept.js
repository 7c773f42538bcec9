/** Jobs of photos that the page has left: of the same photo, they go with it. */

export class KeptJobs {
  #byPhoto = new Map();

  add(photo, jobs) {
    this.#byPhoto.set(photo, [...(this.#byPhoto.get(photo) ?? []), ...jobs]);
  }

  /** All of that photo, which are forgotten here. */
  take(photo) {
    const jobs = this.#byPhoto.get(photo) ?? [];
    this.#byPhoto.delete(photo);
    return jobs;
  }
}
