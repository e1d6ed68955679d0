/**
 * Choices of camera, microphone and speaker; there is one in the lobby and one in the call.
 * @module
 */

import { create } from "./dom.js";
import { Sound } from "./sound.js";

/** @typedef {import("./devices.js").Devices} Devices */

const LABELS = /** @type {const} */ ({
  camera: "Camera",
  microphone: "Microphone",
  speaker: "Speaker",
});

/** Fills a container with a labelled select for each kind of device. */
export class DeviceMenu {
  /** @type {Map<keyof typeof LABELS, HTMLSelectElement>} */
  #selects = new Map();
  #devices;

  /**
   * @param {HTMLElement} container
   * @param {Devices} devices
   */
  constructor(container, devices) {
    this.#devices = devices;
    for (const [device, text] of /** @type {["camera", string][]} */ (Object.entries(LABELS))) {
      const select = create("select", { attributes: { name: device } });
      select.addEventListener("change", () => this.#choose(device, select.value));
      this.#selects.set(device, select);
      container.append(create("label", { class: "field" }, create("span", { text }), select));
    }
    devices.on("listchange", () => void this.refresh());
    devices.on("change", () => void this.refresh());
    void this.refresh();
  }

  /** Lists what there is now. */
  async refresh() {
    for (const [device, select] of this.#selects) {
      const { devices, chosen } = await this.#devices.list(device);
      const options = devices.map(({ deviceId, label }, index) => {
        const text = label || `${LABELS[device]} ${index + 1}`;
        return new Option(text, deviceId, false, deviceId === chosen);
      });
      select.replaceChildren(...(options.length ? options : [new Option(none(device), "")]));
      select.disabled = options.length === 0;
      const hidden = options.length === 0 ? this.#explained(device) : unusable(device);
      if (select.parentElement) select.parentElement.hidden = hidden;
    }
  }

  /**
   * Whether it is said elsewhere why there is nothing to choose from, or nobody needs to know.
   * @param {keyof typeof LABELS} device
   */
  #explained(device) {
    return device === "speaker" || this.#devices.problems[device] !== "";
  }

  /**
   * @param {keyof typeof LABELS} device
   * @param {string} id
   */
  #choose(device, id) {
    if (device === "speaker") this.#devices.chooseSpeaker(id);
    else void this.#devices.choose(device, id);
  }
}

/** @param {keyof typeof LABELS} device */
function unusable(device) {
  return device === "speaker" && !Sound.canChooseSpeaker;
}

/** @param {keyof typeof LABELS} device */
function none(device) {
  return `No ${LABELS[device].toLowerCase()} known yet`;
}
