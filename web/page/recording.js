/**
 * The sign that the room is recorded, and the button for those who may record it.
 * @module
 */

import { byId, label } from "./dom.js";
import { setIcon } from "./icons.js";
import { shownName } from "./names.js";
import { toast } from "./toasts.js";
import { explainRecorded, explainRecordingEnd } from "./words.js";

/** @typedef {import("../client/protocol.js").RoomRecording} RoomRecording */
/** @typedef {import("../client/room.js").Room} Room */

/** Tells everybody, and lets some start and stop it. */
export class Recording {
  #sign = byId("recording", HTMLElement);
  #text = byId("recording-text", HTMLElement);
  #button = byId("record", HTMLButtonElement);
  #busy = false;
  #room;
  #failed;

  /**
   * @param {Room} room
   * @param {(error: unknown) => void} failed called where the server refuses
   */
  constructor(room, failed) {
    this.#room = room;
    this.#failed = failed;
    room.on("recordingchanged", ({ recording, existing }) => this.#changed(recording, existing));
    this.#button.addEventListener("click", () => void this.#toggle());
  }

  render() {
    const running = this.#running();
    const text = explainRecorded(running.map((recording) => this.#starter(recording)));
    this.#sign.hidden = running.length === 0;
    if (this.#sign.title !== text) {
      this.#sign.title = text;
      this.#text.textContent = text;
    }
    this.#button.hidden = !this.#room.local.mayRecord;
    this.#button.disabled = this.#busy;
    this.#button.classList.toggle("on-air", running.length > 0);
    setIcon(this.#button, running.length ? "record-stop" : "record");
    label(this.#button, running.length ? "Stop recording" : "Record the room");
  }

  /** Those of which something is being recorded now. */
  #running() {
    return [...this.#room.recordings.values()].filter(({ state }) => state !== "finishing");
  }

  /**
   * The name of who started it; empty for the server itself.
   * @param {RoomRecording} recording
   */
  #starter({ started_by: identity }) {
    const people = [this.#room.local, ...this.#room.participants.values()];
    const person = people.find((one) => one.identity === identity);
    if (person?.isLocal) return "You";
    return person ? shownName(person) : identity;
  }

  async #toggle() {
    const running = this.#running();
    this.#busy = true;
    this.render();
    try {
      if (running.length === 0) await this.#room.startRecording();
      for (const { id } of running) await this.#room.stopRecording(id);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#busy = false;
      this.render();
    }
  }

  /**
   * @param {RoomRecording} recording
   * @param {boolean} existing it was there before us: the sign says enough
   */
  #changed(recording, existing) {
    this.render();
    if (existing || this.#room.state !== "connected") return;
    const { state, error } = recording;
    if (state === "starting") toast(explainRecorded([this.#starter(recording)]));
    const end = explainRecordingEnd(state, this.#room.local.mayRecord ? error : "");
    if (end) toast(end, { problem: state === "failed" });
  }
}
