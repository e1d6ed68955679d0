/**
 * What the browser remembers for the next visit.
 * @module
 */

/**
 * @typedef {object} Remembered
 * @property {string} name
 * @property {string} room
 * @property {string} cameraId
 * @property {string} microphoneId
 * @property {string} speakerId
 * @property {boolean} camera whether it was on
 * @property {boolean} microphone
 */

const KEY = "aiosfu";

/** @type {Remembered} */
const DEFAULTS = {
  name: "",
  room: "",
  cameraId: "",
  microphoneId: "",
  speakerId: "",
  camera: true,
  microphone: true,
};

/** Settings that outlive the page, where the browser lets us store anything. */
export class Settings {
  /** @type {Remembered} */
  #values;

  constructor() {
    this.#values = { ...DEFAULTS, ...read() };
  }

  get values() {
    return this.#values;
  }

  /** @param {Partial<Remembered>} changes */
  remember(changes) {
    Object.assign(this.#values, changes);
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#values));
    } catch {
      // Private windows may refuse: then nothing is remembered, and nothing else is lost.
    }
  }
}

/** @returns {Partial<Remembered>} */
function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}
