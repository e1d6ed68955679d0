/**
 * Cameras, microphones, screens: `getUserMedia` with errors that can be told apart.
 * @module
 */

import { DeviceError } from "./errors.js";

/** @typedef {import("./errors.js").DeviceErrorCode} DeviceErrorCode */

/** @type {Record<string, DeviceErrorCode>} */
const CODES = {
  NotAllowedError: "permission_denied",
  SecurityError: "permission_denied",
  NotFoundError: "device_not_found",
  OverconstrainedError: "device_not_found",
  NotReadableError: "device_busy",
  AbortError: "device_busy",
};

/** Whether this browser can take part at all. */
export function isSupported() {
  return "RTCPeerConnection" in globalThis && "WebSocket" in globalThis;
}

/** Whether this browser can share a screen; those of phones cannot. */
export function canShareScreen() {
  return Boolean(globalThis.navigator?.mediaDevices?.getDisplayMedia);
}

/**
 * @typedef {object} Choice
 * @property {boolean} camera
 * @property {boolean} microphone
 * @property {string} [cameraId] preferred device; another one is taken when it is gone
 * @property {string} [microphoneId]
 */

/**
 * Opens a camera, a microphone, or both with one question to the person.
 * @param {Choice} choice
 * @returns {Promise<MediaStreamTrack[]>}
 * @throws {DeviceError}
 */
export async function openDevices({ camera, microphone, cameraId, microphoneId }) {
  const video = {
    ...(cameraId && { deviceId: { ideal: cameraId } }),
    width: { ideal: 1280 },
    height: { ideal: 720 },
    frameRate: { ideal: 30 },
  };
  const audio = {
    ...(microphoneId && { deviceId: { ideal: microphoneId } }),
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
  };
  const wanted = { video: camera && video, audio: microphone && audio };
  const stream = await open((devices) => devices.getUserMedia(wanted));
  return stream.getTracks();
}

/**
 * Lets the person choose a screen, window or tab, with its sound where the browser has it.
 * @returns {Promise<MediaStreamTrack[]>}
 * @throws {DeviceError} "cancelled" when they chose nothing
 */
export async function openScreen() {
  try {
    const wanted = { video: { frameRate: { ideal: 15 } }, audio: true };
    const stream = await open((devices) => devices.getDisplayMedia(wanted));
    // Text must stay sharp: the browser lowers the frame rate rather than the resolution.
    for (const track of stream.getVideoTracks()) track.contentHint = "detail";
    return stream.getTracks();
  } catch (error) {
    if (error instanceof DeviceError && error.code === "permission_denied") {
      throw new DeviceError("cancelled", "No screen was chosen.", { cause: error });
    }
    throw error;
  }
}

/**
 * Devices of a kind; their labels are empty until a permission was given.
 * @param {MediaDeviceKind} kind
 * @returns {Promise<MediaDeviceInfo[]>}
 */
export async function listDevices(kind) {
  const devices = (await globalThis.navigator?.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === kind && device.deviceId);
}

/**
 * @param {(devices: MediaDevices) => Promise<MediaStream>} ask
 * @returns {Promise<MediaStream>}
 */
async function open(ask) {
  const devices = globalThis.navigator?.mediaDevices;
  if (!devices) {
    throw globalThis.isSecureContext
      ? new DeviceError("unsupported", "This browser gives no access to devices.")
      : new DeviceError("insecure_context", "Devices are only given to pages over https.");
  }
  try {
    return await ask(devices);
  } catch (error) {
    const { name, message } = /** @type {DOMException} */ (error);
    throw new DeviceError(CODES[name] ?? "unsupported", message || name, { cause: error });
  }
}
