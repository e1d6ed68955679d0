/**
 * Finds out who speaks: from the server, else from the levels that come with the sound.
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
  /**
   * The server hears everybody, also whose sound it does not send; null until it has told of
   * anybody, and for servers that never do.
   * @type {Set<string> | null}
   */
  #speakers = null;
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
    room.on("speakerschanged", ({ speakers }) => {
      const others = speakers.filter(({ participant }) => !participant.isLocal);
      this.#speakers = new Set(others.map(({ participant }) => participant.sid));
      if (this.#timer !== undefined) this.#look();
    });
  }

  start() {
    this.#timer = setInterval(() => this.#look(), INTERVAL);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#heard.clear();
    this.#speakers = null;
  }

  #look() {
    const now = performance.now();
    const microphone = this.#room.local.track("microphone");
    if (microphone && !microphone.muted) this.#hear("local", this.#meter.level, now);
    if (!this.#speakers) this.#listen(now);
    for (const [key, time] of this.#heard) if (now - time > HOLD) this.#heard.delete(key);
    this.#tell(new Set([...this.#heard.keys(), ...(this.#speakers ?? [])]));
  }

  /** @param {number} now */
  #listen(now) {
    for (const participant of this.#room.participants.values()) {
      const track = participant.track("microphone");
      if (track) this.#hear(participant.sid, loudness(track.audioLevel), now);
    }
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
