/**
 * The sign that the room is recorded, for everybody, and the button for those who may record it.
 * @module
 */

import { byId } from "./dom.js";
import { plain, shownName } from "./names.js";
import { explainRecorded, explainRecordingEnd } from "./recording_words.js";
import { toast } from "./toasts.js";

/** @typedef {import("../client/protocol.js").RoomRecording} RoomRecording */
/** @typedef {import("../client/room.js").Room} Room */

/** Tells everybody who records. */
export class Recording {
  #sign = byId("recording", HTMLElement);
  #text = byId("recording-text", HTMLElement);
  #button = byId("record", HTMLButtonElement);
  #room;

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    room.on("recordingchanged", ({ recording, existing }) => this.#changed(recording, existing));
  }

  render() {
    const running = [...this.#room.recordings.values()].filter(
      ({ state }) => state !== "finishing", // nothing is being recorded any more
    );
    const text = explainRecorded(running.map(({ started_by }) => this.starter(started_by)));
    this.#sign.hidden = running.length === 0;
    if (this.#sign.title !== text) {
      this.#sign.title = text;
      this.#text.textContent = text;
    }
    this.#button.hidden = !this.#room.local.mayRecord;
    this.#button.classList.toggle("on-air", running.length > 0);
  }

  /**
   * The name of who started a recording, "You" for oneself; empty for the server itself.
   * @param {string} identity
   */
  starter(identity) {
    const people = [this.#room.local, ...this.#room.participants.values()];
    const person = people.find((one) => one.identity === identity);
    if (person?.isLocal) return "You";
    return person ? shownName(person) : plain(identity);
  }

  /**
   * @param {RoomRecording} recording
   * @param {boolean} existing it was there before us: the sign says enough
   */
  #changed(recording, existing) {
    this.render();
    if (existing || this.#room.state !== "connected") return;
    const { state, error, started_by: identity } = recording;
    if (state === "starting") toast(explainRecorded([this.starter(identity)]));
    const end = explainRecordingEnd(state, this.#room.local.mayRecord ? error : "");
    if (end) toast(end, { problem: state === "failed" });
  }
}
