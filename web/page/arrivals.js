/**
 * Says who came and went, in one sentence when many do at once.
 * @module
 */

import { enumerate } from "./names.js";
import { toast } from "./toasts.js";

const TOGETHER = 1_200; // ms; who comes within this time is named in one breath

/** Collects names for a moment before it speaks. */
export class Arrivals {
  /** @type {Record<"joined" | "left", Set<string>>} */
  #names = { joined: new Set(), left: new Set() };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {"joined" | "left"} what
   * @param {string} name
   */
  tell(what, name) {
    this.#names[what].add(name);
    this.#timer ??= setTimeout(() => this.#speak(), TOGETHER);
  }

  /** Forgets what was not said. */
  clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const names of Object.values(this.#names)) names.clear();
  }

  #speak() {
    const { joined, left } = this.#names;
    if (joined.size) toast(`${enumerate([...joined])} joined`);
    if (left.size) toast(`${enumerate([...left])} left`);
    this.clear();
  }
}
