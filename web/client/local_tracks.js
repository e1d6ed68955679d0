/**
 * The tracks that this client publishes, across sessions: what they should be, and making it so.
 * @module
 */

import { LocalTrack } from "./participant.js";

/** @typedef {import("./participant.js").PublishOptions} PublishOptions */
/** @typedef {import("./protocol.js").SendRequest} SendRequest */
/** @typedef {import("./protocol.js").TrackInfo} TrackInfo */
/** @typedef {import("./publisher.js").Publisher} Publisher */

/** Keeps the server's view of our tracks in step with ours. */
export class LocalTracks {
  #tracks;
  #publisher;
  #request;
  #tell;
  #nextCid = 1;

  /**
   * @param {Set<LocalTrack>} tracks
   * @param {() => Publisher | null} publisher that of the session
   * @param {SendRequest} request
   * @param {import("./events.js").Tell<import("./events.js").LocalTrackEvents>} tell
   */
  constructor(tracks, publisher, request, tell) {
    this.#tracks = tracks;
    this.#publisher = publisher;
    this.#request = request;
    this.#tell = tell;
  }

  /**
   * Makes a track that wants to be published; `publish` does it.
   * @param {MediaStreamTrack} mediaStreamTrack
   * @param {PublishOptions} options
   */
  add(mediaStreamTrack, options) {
    const track = new LocalTrack(mediaStreamTrack, options, `local-${this.#nextCid++}`);
    mediaStreamTrack.enabled = !track.muted;
    this.#tracks.add(track);
    this.#watch(track);
    return track;
  }

  /**
   * Publishes a track in the present session; does nothing for one that is.
   * @param {LocalTrack} track
   */
  async publish(track) {
    await this.#publisher()?.publish(track);
    if (!this.#tracks.has(track)) await this.#publisher()?.unpublish(track);
    else if (track.muted !== track.acknowledgedMuted) await this.#tellMuted(track);
  }

  /**
   * @param {LocalTrack} track
   */
  async remove(track) {
    if (!this.#tracks.delete(track)) return;
    this.#tell("localtrackunpublished", { track });
    await this.#publisher()?.unpublish(track);
  }

  /** Forgets all of them. */
  clear() {
    for (const track of [...this.#tracks]) {
      this.#tracks.delete(track);
      this.#tell("localtrackunpublished", { track });
    }
  }

  /**
   * @param {LocalTrack} track
   * @param {boolean} muted
   */
  async mute(track, muted) {
    if (track.muted === muted) return;
    this.#setMuted(track, muted, false);
    await this.#tellMuted(track);
  }

  /**
   * @param {LocalTrack} track
   * @param {MediaStreamTrack | null} mediaStreamTrack
   */
  async replace(track, mediaStreamTrack) {
    track.mediaStreamTrack = mediaStreamTrack;
    if (mediaStreamTrack) {
      mediaStreamTrack.enabled = !track.muted;
      this.#watch(track);
    }
    await track.transceiver?.sender.replaceTrack(mediaStreamTrack);
    this.#tell("localtrackupdated", { track, byServer: false });
  }

  /**
   * The server tells of one of ours: it confirms what we said, or an administrator muted it.
   * @param {TrackInfo} info
   */
  updated(info) {
    const track = this.#find(info.sid);
    if (!track || track.acknowledgedMuted === info.muted) return;
    track.acknowledgedMuted = info.muted;
    if (track.muted !== info.muted) this.#setMuted(track, info.muted, true);
  }

  /**
   * After a resume: what was muted there is taken over, unless it was changed here as well.
   * @param {TrackInfo[]} infos
   */
  reconcile(infos) {
    for (const info of infos) {
      const track = this.#find(info.sid);
      if (track?.muted === track?.acknowledgedMuted) this.updated(info);
    }
  }

  /** @param {string} sid */
  #find(sid) {
    return [...this.#tracks].find((track) => track.sid === sid);
  }

  /**
   * @param {LocalTrack} track
   * @param {boolean} muted
   * @param {boolean} byServer
   */
  #setMuted(track, muted, byServer) {
    track.muted = muted;
    if (track.mediaStreamTrack) track.mediaStreamTrack.enabled = !muted;
    this.#tell("localtrackupdated", { track, byServer });
  }

  /** @param {LocalTrack} track */
  async #tellMuted(track) {
    if (!track.sid) return; // announcing it will say so
    const muted = track.muted;
    await this.#request({ type: "mute", track: track.sid, muted });
    track.acknowledgedMuted = muted;
  }

  /** @param {LocalTrack} track */
  #watch(track) {
    const watched = track.mediaStreamTrack;
    watched?.addEventListener("ended", () => {
      const current = this.#tracks.has(track) && track.mediaStreamTrack === watched;
      if (current) this.#tell("localtrackended", { track });
    });
  }
}
