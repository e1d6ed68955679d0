/**
 * Publishes this person's devices and screen, and keeps what is published in step with them.
 * @module
 */

import { openScreen } from "../client/media.js";
import { coalesced } from "./dom.js";

/** @typedef {import("../client/participant.js").LocalTrack} LocalTrack */
/** @typedef {import("../client/participant.js").PublishOptions} PublishOptions */
/** @typedef {import("../client/room.js").Room} Room */
/** @typedef {import("./devices.js").DeviceName} DeviceName */
/** @typedef {import("./devices.js").Devices} Devices */

/**
 * @typedef {object} BroadcastOptions
 * @property {PublishOptions["preferredCodec"]} preferredCodec
 * @property {(error: unknown) => void} failed
 * @property {(device: DeviceName) => void} silenced somebody else muted us
 */

/** Connects devices with a room. */
export class Broadcast {
  /** Makes what is published what the devices say; soon, and one time after the other. */
  sync = coalesced(() => {
    this.#tail = this.#tail.then(() => this.#sync()).catch(this.#options.failed);
  });
  #tail = Promise.resolve();
  #room;
  #devices;
  #options;

  /**
   * @param {Room} room
   * @param {Devices} devices
   * @param {BroadcastOptions} options
   */
  constructor(room, devices, options) {
    this.#room = room;
    this.#devices = devices;
    this.#options = options;
    devices.on("change", this.sync);
    room.on("localtrackupdated", ({ track, byServer }) => {
      if (byServer) this.#silenced(track);
    });
    room.on("localtrackunpublished", ({ track }) => {
      // Also when the room ends: the browser shall stop to say that the screen is shared.
      if (isScreen(track)) track.mediaStreamTrack?.stop();
    });
    room.on("localtrackended", ({ track }) => {
      if (isScreen(track)) void this.stopScreen();
    });
  }

  get sharing() {
    return this.#room.local.track("screen_share") !== undefined;
  }

  /** Asks for a screen and publishes it, with its sound where there is one. */
  async shareScreen() {
    for (const track of await openScreen()) {
      const video = track.kind === "video";
      await this.#room.publish(track, {
        source: video ? "screen_share" : "screen_share_audio",
        ...(video && { preferredCodec: this.#options.preferredCodec }),
      });
    }
  }

  async stopScreen() {
    for (const track of [...this.#room.local.tracks].filter(isScreen)) {
      await this.#room.unpublish(track);
    }
  }

  async #sync() {
    if (this.#room.state === "disconnected") return;
    await this.#syncDevice("microphone", {});
    const { preferredCodec } = this.#options;
    await this.#syncDevice("camera", { preferredCodec });
  }

  /**
   * @param {DeviceName} device
   * @param {PublishOptions} options
   */
  async #syncDevice(device, options) {
    const room = this.#room;
    const media = this.#devices.tracks[device];
    const muted = !this.#devices.active(device);
    const track = room.local.track(device);
    if (track) {
      // Others should hear that a camera is off before it goes black, and not before it is back.
      if (muted) await room.mute(track, true);
      if (track.mediaStreamTrack !== media) await room.replaceTrack(track, media);
      if (!muted) await room.mute(track, false);
    } else if (media && room.local.mayPublish(device)) {
      await room.publish(media, { source: device, muted, ...options });
    }
  }

  /** @param {LocalTrack} track */
  #silenced({ source, muted }) {
    if (!muted || (source !== "camera" && source !== "microphone")) return;
    void this.#devices.set(source, false);
    this.#options.silenced(source);
  }
}

/** @param {LocalTrack} track */
function isScreen({ source }) {
  return source === "screen_share" || source === "screen_share_audio";
}
