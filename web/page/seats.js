/**
 * Who has a tile where there is no place for everybody: those who spoke last.
 * @module
 */

/** Gives out tiles so that nobody moves without need: a newcomer takes the place of one person. */
export class Seats {
  /** @type {string[]} */
  #seated = [];
  /** When somebody was last heard; by the order of hearing. @type {Map<string, number>} */
  #heard = new Map();
  #clock = 0;

  /**
   * Some are heard now.
   * @param {Iterable<string>} keys
   */
  hear(keys) {
    this.#clock += 1;
    for (const key of keys) this.#heard.set(key, this.#clock);
  }

  /**
   * Who is to be seen, in their order on the screen.
   * @param {string[]} keys all, in the order of coming
   * @param {number} count of tiles
   * @param {string[]} [fixed] who must be seen, whatever the count
   * @returns {string[]}
   */
  choose(keys, count, fixed = []) {
    const present = new Set(keys);
    for (const key of this.#heard.keys()) if (!present.has(key)) this.#heard.delete(key);
    /** @param {string} key */
    const rank = (key) => (fixed.includes(key) ? this.#clock + 1 : (this.#heard.get(key) ?? 0));
    // Those who have a tile keep it until somebody speaks who was heard after them.
    const wanted = new Set(
      [...keys]
        .sort((a, b) => rank(b) - rank(a) || Number(this.#has(b)) - Number(this.#has(a)))
        .slice(0, Math.max(count, fixed.length)),
    );
    const newcomers = keys.filter((key) => wanted.has(key) && !this.#has(key));
    const places = this.#seated.map((key) => (wanted.has(key) ? key : null));
    const kept = places.map((key) => key ?? newcomers.shift() ?? null).filter((key) => key !== null);
    this.#seated = [...kept, ...newcomers];
    return this.#seated;
  }

  clear() {
    this.#seated = [];
    this.#heard.clear();
  }

  /** @param {string} key */
  #has(key) {
    return this.#seated.includes(key);
  }
}
