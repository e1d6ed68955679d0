/**
 * Recordings in plain words: what they are, how they go, and what became of them.
 * @module
 */

import { enumerate } from "./names.js";
import { capitalize } from "./words.js";

/** @typedef {import("../client/protocol.js").Layout} Layout */
/** @typedef {import("../client/protocol.js").RecordingInfo} RecordingInfo */
/** @typedef {import("../client/protocol.js").RecordingState} RecordingState */

/** @type {Record<RecordingState, string>} */
const STATES = {
  starting: "Starting",
  active: "Recording",
  finishing: "Finishing",
  complete: "Complete",
  failed: "Failed",
};

/** @type {Record<Layout, string>} */
const LAYOUTS = {
  grid: "everyone in a grid",
  speaker: "the speaker large",
  screen: "the shared screen large",
  audio: "sound only",
};

/**
 * That the room is recorded, and by whom.
 * @param {string[]} starters a name for each recording, "You" for oneself, empty for the server
 */
export function explainRecorded(starters) {
  const names = [...new Set(starters.filter(Boolean))];
  if (names.length === 0) return "This room is recorded";
  const who = enumerate(names);
  return names.length === 1 && who !== "You" ? `${who} records this room` : `${who} record this room`;
}

/**
 * That a recording is over; empty while it is not.
 * @param {RecordingState} state
 * @param {string} error the server's, where it is for this person
 */
export function explainRecordingEnd(state, error) {
  if (state === "finishing") return "The recording has ended";
  if (state !== "failed") return "";
  return error ? `The recording failed: ${error}` : "The recording has ended too early";
}

/** @param {RecordingState} state */
export function explainState(state) {
  return STATES[state];
}

/**
 * What is recorded, and how.
 * @param {Pick<RecordingInfo, "mode" | "layout">} recording
 */
export function explainKind({ mode, layout }) {
  if (mode === "tracks") return "Each by themselves";
  return layout ? `One film, ${LAYOUTS[layout]}` : "One film";
}

/**
 * What went wrong with a recording, or will soon; empty when nothing did.
 * @param {Pick<RecordingInfo, "state" | "error" | "warning" | "recovered">} recording
 */
export function explainTrouble({ state, error, warning, recovered }) {
  const notes = [error, warning].filter(Boolean).map((note) => sentence(note));
  if (state === "failed") notes.push("What was recorded until then is kept.");
  else if (recovered) notes.push("It was cut short, and has been repaired.");
  return notes.join(" ");
}

/**
 * Who can watch a live stream by its link.
 * @param {boolean} personal it takes an invitation to get into the room
 */
export function explainWatchLink(personal) {
  return personal
    ? "Viewers need an invitation to this room: add &token=… to the link."
    : "Whoever has the link can watch, some seconds behind the room.";
}

/**
 * A size for people.
 * @param {number} bytes
 */
export function showBytes(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  while (value >= 999.5 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  const digits = units[0] !== "B" && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[0]}`;
}

/**
 * A time for people: 4:05, 1:04:05.
 * @param {number} duration seconds
 */
export function showDuration(duration) {
  const pad = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const minutes = Math.floor(duration / 60);
  const hours = Math.floor(minutes / 60);
  const seconds = pad(Math.floor(duration % 60));
  return hours ? `${hours}:${pad(minutes % 60)}:${seconds}` : `${minutes}:${seconds}`;
}

/** @param {string} note */
function sentence(note) {
  return capitalize(/[.!?]$/.test(note) ? note : `${note}.`);
}
