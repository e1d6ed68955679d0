/**
 * What this tab must know after it is reloaded; other tabs do not see it.
 * @module
 */

const RETURN_TIME = 120_000; // ms; who reloads later than that begins anew

/** @typedef {{room: string, time: number}} Mark */

/** The tab's memory, where the browser lets us store anything. */
export class Visit {
  #prefix;

  /** @param {URL} base of the application: there may be several on one host */
  constructor(base) {
    this.#prefix = `aiosfu${base.pathname}`;
  }

  /**
   * The token that got us into a room.
   * @param {string} room
   */
  token(room) {
    return this.#get(`token/${room}`);
  }

  /**
   * @param {string} room
   * @param {string} token empty: it is of no use any more
   */
  keepToken(room, token) {
    this.#set(`token/${room}`, token);
  }

  /**
   * The page goes away from within a call.
   * @param {string} room
   */
  interrupt(room) {
    this.#set("interrupted", JSON.stringify({ room, time: Date.now() }));
  }

  /**
   * Whether the page was just reloaded within a call in this room; true once.
   * @param {string} room
   */
  resumes(room) {
    const text = this.#get("interrupted");
    this.#set("interrupted", "");
    // Not for who comes by a link, even to the same room: they may not want to be seen yet.
    const [navigation] = performance.getEntriesByType("navigation");
    const { type } = /** @type {PerformanceNavigationTiming} */ (navigation ?? {});
    if (!text || type !== "reload") return false;
    const mark = /** @type {Mark} */ (JSON.parse(text));
    return mark.room === room && Date.now() - mark.time < RETURN_TIME;
  }

  /** @param {string} key */
  #get(key) {
    try {
      return sessionStorage.getItem(this.#prefix + key) ?? "";
    } catch {
      return "";
    }
  }

  /**
   * @param {string} key
   * @param {string} value
   */
  #set(key, value) {
    try {
      if (value) sessionStorage.setItem(this.#prefix + key, value);
      else sessionStorage.removeItem(this.#prefix + key);
    } catch {
      // Then a reloaded page begins anew.
    }
  }
}
