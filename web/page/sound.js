/**
 * Plays what others say, on the chosen speaker, as soon as the browser lets us.
 * @module
 */

import { Emitter } from "../client/emitter.js";

/**
 * One audio element for each track; "blocked" tells when the browser wants a click first.
 * @extends {Emitter<{blocked: boolean}>}
 */
export class Sound extends Emitter {
  /** @type {Map<MediaStreamTrack, HTMLAudioElement>} */
  #elements = new Map();
  #blocked = false;
  #speakerId = "";

  /** Whether the speaker can be chosen in this browser. */
  static get canChooseSpeaker() {
    return "setSinkId" in HTMLMediaElement.prototype;
  }

  get blocked() {
    return this.#blocked;
  }

  /** @param {MediaStreamTrack} track */
  add(track) {
    const element = new Audio();
    element.autoplay = true;
    element.srcObject = new MediaStream([track]);
    this.#elements.set(track, element);
    void this.#route(element);
    void this.#play(element);
  }

  /** @param {MediaStreamTrack} track */
  remove(track) {
    const element = this.#elements.get(track);
    if (!element) return;
    this.#elements.delete(track);
    element.pause();
    element.srcObject = null;
  }

  /** @param {string} id */
  choose(id) {
    if (id === this.#speakerId) return;
    this.#speakerId = id;
    for (const element of this.#elements.values()) void this.#route(element);
  }

  /** Plays all: to be called by a click, which browsers take as consent. */
  async unblock() {
    this.#setBlocked(false);
    await Promise.all([...this.#elements.values()].map((element) => this.#play(element)));
  }

  /** Ends all. */
  clear() {
    for (const track of [...this.#elements.keys()]) this.remove(track);
    this.#setBlocked(false);
  }

  /** @param {HTMLAudioElement} element */
  async #play(element) {
    try {
      await element.play();
    } catch (error) {
      // Any other error is of an element that was removed meanwhile.
      if (error instanceof DOMException && error.name === "NotAllowedError") this.#setBlocked(true);
    }
  }

  /** @param {HTMLAudioElement} element */
  async #route(element) {
    if (!Sound.canChooseSpeaker || (!this.#speakerId && !element.sinkId)) return;
    try {
      await element.setSinkId(this.#speakerId);
    } catch {
      // Unplugged: the default one plays on.
    }
  }

  /** @param {boolean} blocked */
  #setBlocked(blocked) {
    if (blocked === this.#blocked) return;
    this.#blocked = blocked;
    this.emit("blocked", blocked);
  }
}
