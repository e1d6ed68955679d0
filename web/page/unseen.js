/**
 * Says in the call what others miss of this person because a device could not be had.
 * @module
 */

import { DEVICE_NAMES } from "./devices.js";
import { byId } from "./dom.js";
import { explainAsked, explainDevices, explainMissing } from "./words.js";

/** @typedef {import("../client/room.js").Room} Room */
/** @typedef {import("./devices.js").DeviceName} DeviceName */
/** @typedef {import("./devices.js").Devices} Devices */

const OPENING_TIME = 1_500; // ms; what takes longer waits for an answer of the person's

/** A banner that can be dismissed, until the trouble is another one. */
export class Unseen {
  #banner = byId("unseen-banner", HTMLElement);
  #text = byId("unseen-text", HTMLElement);
  #retry = byId("unseen-retry", HTMLButtonElement);
  #dismissed = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #asked = false;
  #room;
  #devices;

  /**
   * @param {Room} room
   * @param {Devices} devices
   */
  constructor(room, devices) {
    this.#room = room;
    this.#devices = devices;
    this.#retry.addEventListener("click", () => void devices.retry());
    byId("unseen-dismiss", HTMLButtonElement).addEventListener("click", () => {
      this.#dismissed = this.#text.textContent ?? "";
      this.#banner.hidden = true;
    });
  }

  render() {
    const { problems } = this.#devices;
    const useful = DEVICE_NAMES.filter((device) => this.#room.local.mayPublish(device));
    const faulty = useful.filter((device) => problems[device]);
    const opening = useful.filter((device) => this.#devices.opening(device));
    this.#time(opening.length > 0);
    const missing = [...faulty, ...(this.#asked ? opening : [])];
    const text = missing.length ? this.#explain(missing, faulty) : "";
    this.#text.textContent = text;
    this.#retry.hidden = !faulty.length;
    this.#banner.hidden = !text || text === this.#dismissed;
    if (!text) this.#dismissed = "";
  }

  clear() {
    this.#time(false);
    this.#dismissed = "";
    this.#banner.hidden = true;
  }

  /**
   * @param {DeviceName[]} missing
   * @param {DeviceName[]} faulty those among them that could not be opened
   */
  #explain(missing, faulty) {
    const { problems } = this.#devices;
    /** @param {DeviceName} device */
    const code = (device) => (faulty.includes(device) ? problems[device] : "");
    const camera = missing.includes("camera");
    const microphone = missing.includes("microphone");
    const why = faulty.length
      ? explainDevices({ camera: code("camera"), microphone: code("microphone") })
      : explainAsked();
    return `${explainMissing({ camera, microphone })} ${why}`;
  }

  /** @param {boolean} opening */
  #time(opening) {
    if (opening) {
      this.#timer ??= setTimeout(() => {
        this.#asked = true;
        this.render();
      }, OPENING_TIME);
    } else {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#asked = false;
    }
  }
}
