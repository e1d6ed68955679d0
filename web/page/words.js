/**
 * What went wrong, in plain words: what happened, and what to do about it.
 * @module
 */

import { showSize } from "./figures.js";

/** @typedef {import("../client/protocol.js").ReceivedTrackInfo} ReceivedTrackInfo */

/**
 * @typedef {object} Words
 * @property {string} title
 * @property {string} text
 */

/** Codes of errors and reasons of disconnects. @type {Record<string, Words>} */
const WORDS = {
  left: { title: "You left the room", text: "You can come back at any time." },
  duplicate_identity: {
    title: "You joined elsewhere",
    text: "The same person joined this room from another tab or device, so this one was let go.",
  },
  removed: {
    title: "You were removed from the room",
    text: "Somebody who runs this room took you out of it.",
  },
  room_deleted: { title: "The room was closed", text: "Whoever runs it ended it for everybody." },
  server_shutdown: {
    title: "The server stopped",
    text: "It may be back in a moment. Try again soon.",
  },
  media_lost: {
    title: "The connection for sound and video was lost",
    text: "Check your network and join again.",
  },
  signaling_timeout: {
    title: "The connection was lost",
    text: "Check your network and join again.",
  },
  connection_failed: {
    title: "The server cannot be reached",
    text: "Check your network. If that is fine, the server may be down: try again later.",
  },
  connection_lost: {
    title: "The connection to the server was lost",
    text: "Check your network and try again.",
  },
  timeout: {
    title: "The server does not answer",
    text: "It may be overloaded or your network slow. Try again in a moment.",
  },
  media_failed: {
    title: "No sound or video gets through",
    text: "You are in the room, but your network seems to block media. Try another network.",
  },
  unauthorized: {
    title: "Your invitation is not valid",
    text: "It may have expired, or this room needs one. Ask for a new link.",
  },
  not_allowed: { title: "You may not do that", text: "Your invitation does not allow it." },
  room_not_found: { title: "There is no such room", text: "Check the name or ask for a new link." },
  recording_not_found: {
    title: "There is no such recording",
    text: "It may have been deleted.",
  },
  room_full: { title: "The room is full", text: "Try again when somebody has left." },
  server_full: {
    title: "The server is full",
    text: "It has as many people as it can take. Try again later.",
  },
  too_many_tracks: {
    title: "You are sharing too much at once",
    text: "Stop sharing something first.",
  },
  too_large: { title: "That is too long", text: "Send it in smaller pieces." },
  rate_limited: { title: "That was too fast", text: "Wait a moment and try again." },
  negotiation_failed: {
    title: "Your browser and the server found no common language",
    text: "Update your browser or try another one.",
  },
  codec_unsupported: {
    title: "This format is not supported",
    text: "Your browser or the server does not know the codec.",
  },
  internal_error: { title: "Something broke", text: "It was not your fault. Please try again." },
  permission_denied: {
    title: "The browser may not use it",
    text: "Allow it in the address bar of your browser (and in the settings of your computer).",
  },
  device_not_found: { title: "None was found", text: "Plug one in, or go on without." },
  device_busy: {
    title: "It cannot be opened",
    text: "Another program may be using it: close that one and try again.",
  },
  insecure_context: {
    title: "This page is not secure",
    text: "Browsers give camera and microphone only to pages over https. You can watch and listen.",
  },
  unsupported: {
    title: "This browser cannot do it",
    text: "Use a recent Firefox, Chrome, Edge or Safari.",
  },
};

const UNKNOWN = { title: "Something went wrong", text: "Please try again." };

const NO_WEBRTC = {
  title: "This browser cannot take part",
  text: "It has no WebRTC, or it is switched off. Use a recent Firefox, Chrome, Edge or Safari.",
};

/** What to say while the connection is made anew, and why that is. @param {string} reason */
export function explainReconnecting(reason) {
  return reason === "server_shutdown"
    ? "The server stopped. Waiting for it to come back…"
    : "The connection was lost. Reconnecting…";
}

/**
 * What to say of a link to this room.
 * @param {boolean} personal this person came by an invitation that is for nobody else
 */
export function explainLink(personal) {
  return personal
    ? "Whoever you send it to needs an invitation of their own."
    : "Send it to whom you want to meet.";
}

/** What to say to those whose browser has no WebRTC. */
export function explainNoWebRtc() {
  return NO_WEBRTC;
}

/**
 * Words for an error code or a reason; what the server said where we know no better.
 * @param {string} code
 * @param {string} [message]
 * @returns {Words}
 */
export function explain(code, message = "") {
  const words = WORDS[code];
  if (words) return words;
  return message ? { ...UNKNOWN, text: message } : UNKNOWN;
}

/**
 * Words for an error that something threw.
 * @param {unknown} error
 */
export function explainError(error) {
  const { code = "", message = "" } = /** @type {{code?: string, message?: string}} */ (error);
  return explain(code, message);
}

/**
 * Words for a camera or microphone that could not be had, in one sentence or two.
 * @param {"camera" | "microphone" | "camera and microphone"} what
 * @param {string} code
 * @returns {string}
 */
export function explainDevice(what, code) {
  const either = what.replace(" and ", " or ");
  switch (code) {
    case "permission_denied":
      return `This page may not use your ${what}. ${explain(code).text}`;
    case "device_not_found":
      return `No ${either} was found. ${explain(code).text}`;
    case "device_busy":
      return `Your ${what} cannot be opened. ${explain(code).text}`;
    case "ended":
      return `Your ${what} was disconnected.`;
    default:
      return `No ${either}: ${explain(code).text}`;
  }
}

/**
 * Words for all that is wrong with the devices; empty when nothing is.
 * @param {{camera: string, microphone: string}} problems code by device
 * @returns {string}
 */
export function explainDevices({ camera, microphone }) {
  if (camera && camera === microphone) return explainDevice("camera and microphone", camera);
  const notes = [];
  if (camera) notes.push(explainDevice("camera", camera));
  if (microphone) notes.push(explainDevice("microphone", microphone));
  return notes.join(" ");
}

/** What to do while the browser waits for an answer. */
export function explainAsked() {
  return "Your browser is asking whether this page may use your devices: please answer it.";
}

/**
 * What others miss of somebody without these devices.
 * @param {{camera: boolean, microphone: boolean}} missing
 * @returns {string}
 */
export function explainMissing({ camera, microphone }) {
  const senses = [...(camera ? ["see"] : []), ...(microphone ? ["hear"] : [])];
  return senses.length ? `Others cannot ${senses.join(" or ")} you.` : "";
}

/** @type {Record<import("../client/protocol.js").Quality, string>} */
const QUALITIES = {
  excellent: "Excellent connection",
  good: "Good connection",
  poor: "Poor connection",
  lost: "Connection lost",
};

/** @param {import("../client/protocol.js").Quality} quality */
export function explainQuality(quality) {
  return QUALITIES[quality];
}

/**
 * A sentence of it.
 * @param {string} text
 */
export function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @type {Record<string, string>} */
const PAUSES = {
  bandwidth: "Paused: your connection is too slow for this picture",
  last_n: "Shown as soon as they speak",
  not_live: "No picture arrives from there",
  paused: "Paused",
  hidden: "Not shown",
};

/**
 * What to say of people who have no tile.
 * @param {number} count
 */
export function explainUnseated(count) {
  if (count <= 0) return "";
  return count === 1 ? "1 more, shown when they speak" : `${count} more, shown when they speak`;
}

/** @type {Record<string, string>} */
const FAILURES = {
  codec_unsupported: "Your browser cannot show this video",
};

/**
 * Why a video of somebody else stands still, or is not there; empty when all is well.
 * @param {Pick<import("../client/participant.js").RemoteTrack, "state" | "reason" | "muted">} track
 */
export function explainPause({ state, reason, muted }) {
  if (muted) return "";
  if (state === "failed") return FAILURES[reason] ?? "This video cannot be received";
  return state === "paused" ? (PAUSES[reason] ?? "") : "";
}

/**
 * Which size the server chose, for how long, and why: its own reason follows ours. Empty for what
 * this page asked for, of which there is nothing to explain.
 * @param {Pick<ReceivedTrackInfo, "wanted" | "chosen" | "cause" | "reason" | "history">} info
 * @param {number} now Unix time in seconds
 */
export function explainChoice({ wanted, chosen, cause, reason, history }, now) {
  if (cause === "paused" || cause === "hidden") return "";
  const at = history.at(-1)?.at;
  const since = at === undefined ? "" : ` for ${Math.max(0, Math.round(now - at))} s`;
  const size = chosen && showSize(chosen);
  const most = wanted && showSize(wanted);
  const less = size && most && size !== most ? `${size} of ${most}` : (size ?? "");
  const start = less && cause !== "wanted" ? `${less}${since}` : "";
  return [start, capitalize(reason)].filter(Boolean).join(". ");
}

/**
 * What keeps an encoder of this browser from its best.
 * @param {string} limit of webrtc-stats
 */
export function explainLimit(limit) {
  return limit === "cpu"
    ? "Reduced: this computer is busy"
    : "Reduced: your connection takes no more";
}

/** @type {Record<string, string>} */
const MODES = {
  transport_cc: "measured",
  remb: "by your browser's estimate",
  loss: "by lost packets alone",
};

/**
 * How the server knows what a connection takes.
 * @param {string} mode
 */
export function explainMode(mode) {
  return MODES[mode] ?? "";
}
