/**
 * This person's camera and microphone, before and during a call.
 * @module
 */

import { Emitter } from "../client/emitter.js";
import { DeviceError } from "../client/errors.js";
import { listDevices, openDevices } from "../client/media.js";

/** @typedef {import("./settings.js").Settings} Settings */
/** @typedef {"camera" | "microphone"} DeviceName */

/** @type {DeviceName[]} */
export const DEVICE_NAMES = ["camera", "microphone"];

/**
 * A camera that is off is closed, so that its light goes out; a microphone that is off stays open
 * and is silent, so that it is there at once.
 * @extends {Emitter<{change: null, listchange: null, problem: {device: DeviceName, code: string}}>}
 */
export class Devices extends Emitter {
  /** Open devices. @type {Record<DeviceName, MediaStreamTrack | null>} */
  tracks = { camera: null, microphone: null };
  /**
   * Why a device is not open though it should be; empty when all is well.
   * @type {Record<DeviceName, string>}
   */
  problems = { camera: "", microphone: "" };
  /** @type {Record<DeviceName, boolean>} */
  #on;
  /** One change after the other. @type {Promise<void>} */
  #tail = Promise.resolve();
  #settings;

  /** @param {Settings} settings */
  constructor(settings) {
    super();
    this.#settings = settings;
    const { camera, microphone } = settings.values;
    this.#on = { camera, microphone };
    globalThis.navigator.mediaDevices?.addEventListener("devicechange", () =>
      this.emit("listchange", null),
    );
  }

  /**
   * Whether the person wants others to see or hear them by it, and it is open.
   * @param {DeviceName} device
   */
  active(device) {
    return this.#on[device] && this.tracks[device] !== null;
  }

  /** Whether all that was on at the last visit can be opened, or not, without a question. */
  async permitted() {
    if (!globalThis.navigator.mediaDevices) return true;
    try {
      for (const device of DEVICE_NAMES) {
        if (!this.#on[device]) continue;
        const { state } = await globalThis.navigator.permissions.query({ name: device });
        if (state === "prompt") return false;
      }
      return true;
    } catch {
      return false; // a browser that does not tell
    }
  }

  /** Opens what was on at the last visit, with one question. */
  start() {
    return this.#serially(async () => {
      const wanted = DEVICE_NAMES.filter((device) => this.#on[device] && !this.tracks[device]);
      try {
        await this.#open(wanted);
      } catch {
        // One of the two may still be had.
        for (const device of wanted) await this.#openOne(device);
      }
    });
  }

  /**
   * Whether it is about to open; the browser may be asking the person first.
   * @param {DeviceName} device
   */
  opening(device) {
    return this.#on[device] && !this.tracks[device] && !this.problems[device];
  }

  /** Tries again what could not be opened. */
  retry() {
    for (const device of DEVICE_NAMES) this.#on[device] ||= this.problems[device] !== "";
    return this.start();
  }

  /**
   * Switches a device on or off.
   * @param {DeviceName} device
   * @param {boolean} on
   */
  set(device, on) {
    return this.#serially(async () => {
      this.#on[device] = on;
      this.#settings.remember({ [device]: on });
      const track = this.tracks[device];
      if (on && !track) await this.#openOne(device);
      else if (!on && device === "camera") this.#close(device);
      else if (track) track.enabled = on;
    });
  }

  /**
   * Takes another device.
   * @param {DeviceName} device
   * @param {string} id
   */
  choose(device, id) {
    return this.#serially(async () => {
      this.#settings.remember({ [`${device}Id`]: id });
      if (!this.tracks[device]) return;
      this.#close(device);
      await this.#openOne(device);
    });
  }

  /** @param {string} id */
  chooseSpeaker(id) {
    this.#settings.remember({ speakerId: id });
    this.emit("change", null);
  }

  get speakerId() {
    return this.#settings.values.speakerId;
  }

  /**
   * Devices to choose from, and the chosen one.
   * @param {DeviceName | "speaker"} device
   */
  async list(device) {
    const kinds = /** @type {const} */ ({
      camera: "videoinput",
      microphone: "audioinput",
      speaker: "audiooutput",
    });
    const chosen =
      device === "speaker"
        ? this.speakerId
        : (this.tracks[device]?.getSettings().deviceId ?? this.#settings.values[`${device}Id`]);
    return { devices: await listDevices(kinds[device]), chosen };
  }

  /** Closes everything. */
  stop() {
    return this.#serially(async () => {
      for (const device of DEVICE_NAMES) this.#close(device);
    });
  }

  /** @param {DeviceName} device */
  async #openOne(device) {
    try {
      await this.#open([device]);
    } catch (error) {
      this.#fail(device, error instanceof DeviceError ? error.code : "unsupported");
    }
  }

  /** @param {DeviceName[]} wanted */
  async #open(wanted) {
    if (!wanted.length) return;
    const { cameraId, microphoneId } = this.#settings.values;
    const tracks = await openDevices({
      camera: wanted.includes("camera"),
      microphone: wanted.includes("microphone"),
      cameraId,
      microphoneId,
    });
    for (const track of tracks) {
      const device = track.kind === "video" ? "camera" : "microphone";
      this.tracks[device] = track;
      this.problems[device] = "";
      track.enabled = this.#on[device];
      track.addEventListener("ended", () => this.#ended(device, track));
    }
    this.emit("listchange", null); // labels are known from now on
  }

  /** @param {DeviceName} device */
  #close(device) {
    this.tracks[device]?.stop();
    this.tracks[device] = null;
    this.problems[device] = "";
  }

  /**
   * The device was unplugged, or the permission withdrawn.
   * @param {DeviceName} device
   * @param {MediaStreamTrack} track
   */
  #ended(device, track) {
    if (this.tracks[device] !== track) return;
    this.tracks[device] = null;
    this.#fail(device, "ended");
    this.emit("change", null);
  }

  /**
   * @param {DeviceName} device
   * @param {string} code
   */
  #fail(device, code) {
    this.problems[device] = code;
    this.#on[device] = false;
    this.emit("problem", { device, code });
  }

  /** @param {() => Promise<void>} task */
  #serially(task) {
    this.#tail = this.#tail.then(task).finally(() => this.emit("change", null));
    return this.#tail;
  }
}
