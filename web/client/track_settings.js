/**
 * Tells the server how tracks are shown, so that it sends no more than is seen.
 * @module
 */

import { RequestError } from "./errors.js";
import { DEFAULT_SETTINGS } from "./participant.js";

/** @typedef {import("./participant.js").RemoteTrack} RemoteTrack */
/** @typedef {import("./protocol.js").SendRequest} SendRequest */
/** @typedef {import("./protocol.js").TrackSettings} TrackSettings */

const BATCH = 30; // messages; the server takes a burst of 200 and then 50 in a second
const PAUSE = 1_000; // ms

const UNTOLD = JSON.stringify(DEFAULT_SETTINGS);

/** Keeps the server's settings of tracks in step with those that the tracks have here. */
export class TrackSettingsSender {
  /** Tracks of which there may be something to tell. @type {Set<RemoteTrack>} */
  #due = new Set();
  /** What the server knows, by track. @type {WeakMap<RemoteTrack, string>} */
  #told = new WeakMap();
  /** An older server does not know the message: then nothing is told until the next session. */
  #understood = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #request;

  /** @param {SendRequest} request */
  constructor(request) {
    this.#request = request;
  }

  /**
   * Changes how a track is shown.
   * @param {RemoteTrack} track
   * @param {Partial<TrackSettings>} changes
   */
  change(track, changes) {
    track.settings = { ...track.settings, ...changes };
    this.update(track);
  }

  /**
   * Tells of a track as soon as it is received; what is unchanged is not told.
   * @param {RemoteTrack} track
   */
  update(track) {
    this.#due.add(track);
    this.#schedule(0);
  }

  /**
   * The server has forgotten what it was told of a track.
   * @param {RemoteTrack} track
   */
  forget(track) {
    this.#told.delete(track);
  }

  /** The server may be another one, or may not have heard the last words. */
  renew() {
    this.#understood = true;
    this.#schedule(0);
  }

  /** @param {number} delay ms */
  #schedule(delay) {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, delay);
  }

  #flush() {
    let room = BATCH;
    if (!this.#understood) this.#due.clear();
    for (const track of this.#due) {
      if (room === 0) return this.#schedule(PAUSE);
      if (this.#tell(track)) room -= 1;
    }
  }

  /**
   * @param {RemoteTrack} track
   * @returns {boolean} whether it took a message
   */
  #tell(track) {
    this.#due.delete(track);
    const settings = JSON.stringify(track.settings);
    if (!track.receiver || settings === (this.#told.get(track) ?? UNTOLD)) return false;
    this.#told.set(track, settings);
    this.#request({ type: "track_settings", track: track.sid, ...track.settings }).catch(
      (error) => this.#failed(track, error),
    );
    return true;
  }

  /**
   * @param {RemoteTrack} track
   * @param {unknown} error
   */
  #failed(track, error) {
    const code = error instanceof RequestError ? error.code : "";
    if (code === "track_not_found") return; // it has just ended
    this.#told.set(track, "");
    this.#due.add(track);
    if (code === "rate_limited") this.#schedule(PAUSE);
    else if (code === "bad_request") this.#understood = false;
  }
}
