/**
 * Finds out who speaks, from the levels that come with the sound.
 * @module
 */

import { loudness } from "./meter.js";

/** @typedef {import("../client/room.js").Room} Room */
/** @typedef {import("./meter.js").Meter} Meter */

const INTERVAL = 150; // ms
const SPEAKING = 0.35; // loudness; about -39 dB: above the hum of a room, below a quiet voice
const HOLD = 600; // ms; people breathe between words

/** Tells, again and again, who speaks. */
export class Speaking {
  /** When somebody was last heard, by key. @type {Map<string, number>} */
  #heard = new Map();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #room;
  #meter;
  #tell;

  /**
   * @param {Room} room
   * @param {Meter} meter of the own microphone
   * @param {(keys: Set<string>) => void} tell participants' sids, and "local"
   */
  constructor(room, meter, tell) {
    this.#room = room;
    this.#meter = meter;
    this.#tell = tell;
  }

  start() {
    this.#timer = setInterval(() => this.#look(), INTERVAL);
  }

  stop() {
    clearInterval(this.#timer);
    this.#heard.clear();
  }

  #look() {
    const now = performance.now();
    const microphone = this.#room.local.track("microphone");
    if (microphone && !microphone.muted) this.#hear("local", this.#meter.level, now);
    for (const participant of this.#room.participants.values()) {
      const track = participant.track("microphone");
      if (track) this.#hear(participant.sid, loudness(track.audioLevel), now);
    }
    for (const [key, time] of this.#heard) if (now - time > HOLD) this.#heard.delete(key);
    this.#tell(new Set(this.#heard.keys()));
  }

  /**
   * @param {string} key
   * @param {number} level
   * @param {number} now
   */
  #hear(key, level, now) {
    if (level > SPEAKING) this.#heard.set(key, now);
  }
}
