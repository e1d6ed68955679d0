/**
 * The recordings of a room that go on, kept in step with what the server tells.
 * @module
 */

/** @typedef {import("./protocol.js").RoomRecording} RoomRecording */

/** Knows those that have not ended; every change is told. */
export class Recordings {
  /** By id. @type {Map<string, RoomRecording>} */
  running = new Map();
  #tell;

  /** @param {(detail: {recording: RoomRecording, existing: boolean}) => void} tell */
  constructor(tell) {
    this.#tell = tell;
  }

  /**
   * Takes a full picture of the room: tells the differences to what was known.
   * @param {RoomRecording[]} recordings
   */
  replace(recordings) {
    const present = new Set(recordings.map(({ id }) => id));
    for (const known of [...this.running.values()]) {
      // How it ended was told while we were away.
      if (!present.has(known.id)) this.change({ ...known, state: "complete" });
    }
    for (const recording of recordings) this.change(recording, true);
  }

  /**
   * @param {RoomRecording} recording
   * @param {boolean} [existing]
   */
  change(recording, existing = false) {
    const known = this.running.get(recording.id);
    if (known?.state === recording.state && known.error === recording.error) return;
    if (recording.state === "complete" || recording.state === "failed") {
      this.running.delete(recording.id);
    } else {
      this.running.set(recording.id, recording);
    }
    this.#tell({ recording, existing });
  }
}
