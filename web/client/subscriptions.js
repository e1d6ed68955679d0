/**
 * Which tracks of others this client wants, and the media that it has of them.
 * @module
 */

/** @typedef {import("./participant.js").RemoteTrack} RemoteTrack */
/** @typedef {import("./protocol.js").SendRequest} SendRequest */
/** @typedef {import("./protocol.js").SubscriptionReason} SubscriptionReason */
/** @typedef {import("./protocol.js").SubscriptionState} SubscriptionState */
/** @typedef {import("./roster.js").Roster} Roster */

/** Brings the roster's tracks and received media together. */
export class Subscriptions {
  #roster;
  #request;
  #tell;

  /**
   * @param {Roster} roster
   * @param {SendRequest} request
   * @param {import("./events.js").Tell<import("./events.js").SubscriptionEvents>} tell
   */
  constructor(roster, request, tell) {
    this.#roster = roster;
    this.#request = request;
    this.#tell = tell;
  }

  /**
   * Asks for tracks, or to be spared them.
   * @param {RemoteTrack[]} tracks
   * @param {boolean} wanted
   */
  async want(tracks, wanted) {
    for (const track of tracks) track.wanted = wanted;
    const type = wanted ? "subscribe" : "unsubscribe";
    const sids = tracks.map((track) => track.sid);
    if (sids.length) await this.#request({ type, tracks: sids });
  }

  /** Asks again for all that was asked for: a new session does not know it. */
  async renew() {
    const tracks = [...this.#tracks()];
    for (const wanted of [true, false]) {
      await this.want(tracks.filter((track) => track.wanted === wanted), wanted);
    }
  }

  /**
   * Gives every track its media.
   * @param {ReadonlyMap<string, RTCRtpReceiver> | undefined} media by track sid
   */
  attach(media) {
    for (const track of this.#tracks()) this.#setMedia(track, media?.get(track.sid) ?? null);
  }

  /**
   * The track will not be seen again.
   * @param {RemoteTrack} track
   */
  detach(track) {
    this.#setMedia(track, null);
  }

  /**
   * The server says how a subscription fares.
   * @param {{track: string, state: SubscriptionState, reason: SubscriptionReason, detail?: string}}
   *   news
   */
  changed({ track: sid, state, reason, detail = "" }) {
    const track = this.#roster.track(sid);
    if (!track) return;
    if (track.state === state && track.reason === reason && track.detail === detail) return;
    Object.assign(track, { state, reason, detail });
    this.#tell("subscriptionchanged", { track, participant: track.participant });
  }

  *#tracks() {
    for (const participant of this.#roster.participants.values()) {
      yield* [...participant.tracks.values()];
    }
  }

  /**
   * @param {RemoteTrack} track
   * @param {RTCRtpReceiver | null} receiver
   */
  #setMedia(track, receiver) {
    if (track.receiver === receiver) return;
    const { participant, mediaStreamTrack: old } = track;
    track.receiver = receiver;
    track.mediaStreamTrack = receiver?.track ?? null;
    if (old) this.#tell("trackunsubscribed", { track, participant, mediaStreamTrack: old });
    if (receiver) {
      this.#tell("tracksubscribed", { track, participant, mediaStreamTrack: receiver.track });
    }
  }
}
