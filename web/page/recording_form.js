/**
 * What to record: the choice of whoever may.
 * @module
 */

import { byId } from "./dom.js";

/** @typedef {import("../client/protocol.js").Layout} Layout */
/** @typedef {import("../client/protocol.js").RecordingRequest} RecordingRequest */

/** Asks what is wanted. */
export class RecordingForm {
  #details = byId("record-new", HTMLDetailsElement);
  #form = byId("record-form", HTMLFormElement);
  #film = byId("record-film", HTMLFieldSetElement);
  #start = byId("record-start", HTMLButtonElement);
  #running = false;
  #wanted;

  /** @param {(request: RecordingRequest) => Promise<void>} wanted never rejected */
  constructor(wanted) {
    this.#wanted = wanted;
    this.#form.addEventListener("change", () => this.#render());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#render();
  }

  /**
   * Whether the room is recorded already: then another recording is the exception.
   * @param {boolean} running
   */
  set running(running) {
    if (running === this.#running) return;
    this.#running = running;
    this.#details.open = !running;
  }

  #render() {
    const film = this.#request().mode === "composite";
    this.#film.hidden = !film;
    this.#film.disabled = !film;
  }

  /** @returns {RecordingRequest} */
  #request() {
    const data = new FormData(this.#form);
    if (data.get("mode") !== "composite") return { mode: "tracks" };
    const layout = /** @type {Layout} */ (data.get("layout") ?? "grid");
    return { mode: "composite", layout, hls: data.has("hls") };
  }

  async #submit() {
    this.#start.disabled = true;
    await this.#wanted(this.#request());
    this.#start.disabled = false;
  }
}
