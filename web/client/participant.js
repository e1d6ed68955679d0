/**
 * Who is in the room, and what they publish.
 * @module
 */

/** @typedef {import("./protocol.js").Kind} Kind */
/** @typedef {import("./protocol.js").ParticipantInfo} ParticipantInfo */
/** @typedef {import("./protocol.js").Permissions} Permissions */
/** @typedef {import("./protocol.js").Quality} Quality */
/** @typedef {import("./protocol.js").Source} Source */
/** @typedef {import("./protocol.js").SubscriptionReason} SubscriptionReason */
/** @typedef {import("./protocol.js").SubscriptionState} SubscriptionState */
/** @typedef {import("./protocol.js").TrackInfo} TrackInfo */
/** @typedef {import("./protocol.js").TrackSettings} TrackSettings */

/**
 * What holds for a track of which the server was told nothing.
 * @type {Readonly<TrackSettings>}
 */
export const DEFAULT_SETTINGS = Object.freeze({
  visible: true,
  width: 0,
  height: 0,
  fps: 0,
  priority: 0,
  layer: null,
  temporal: null,
  paused: false,
});

/** A track that somebody else publishes. */
export class RemoteTrack {
  /**
   * What this client asked for; null: nothing, so that `autoSubscribe` decides.
   * @type {boolean | null}
   */
  wanted = null;
  /** The media while it is received. @type {MediaStreamTrack | null} */
  mediaStreamTrack = null;
  /** @type {RTCRtpReceiver | null} */
  receiver = null;
  /** @type {SubscriptionState | null} */
  state = null;
  /** Why it is paused or failed. @type {SubscriptionReason} */
  reason = "";
  /** The same in a sentence of the server's, with figures where there are some. */
  detail = "";
  /** How this client shows it; see `Room.observe` and `Room.configure`. @type {TrackSettings} */
  settings = DEFAULT_SETTINGS;
  isLocal = /** @type {const} */ (false);

  /**
   * @param {Participant} participant
   * @param {TrackInfo} info
   */
  constructor(participant, info) {
    this.participant = participant;
    this.info = info;
  }

  get sid() {
    return this.info.sid;
  }

  /** @returns {Kind} */
  get kind() {
    return this.info.kind;
  }

  /** @returns {Source} */
  get source() {
    return this.info.source;
  }

  get name() {
    return this.info.name;
  }

  get muted() {
    return this.info.muted;
  }

  /** How loud it is now: 0 to 1; 0 as well where the browser does not tell. */
  get audioLevel() {
    if (this.kind !== "audio" || this.info.muted || !this.receiver) return 0;
    return this.receiver.getSynchronizationSources()[0]?.audioLevel ?? 0;
  }
}

/** Somebody else in the room. */
export class Participant {
  /** By sid. @type {Map<string, RemoteTrack>} */
  tracks = new Map();
  /** How good their connection is; null until the server tells. @type {Quality | null} */
  quality = null;
  isLocal = /** @type {const} */ (false);

  /** @param {ParticipantInfo} info */
  constructor(info) {
    this.info = info;
  }

  get sid() {
    return this.info.sid;
  }

  get identity() {
    return this.info.identity;
  }

  /** The name to show: the identity where none was given. */
  get name() {
    return this.info.name || this.info.identity;
  }

  get metadata() {
    return this.info.metadata;
  }

  get attributes() {
    return this.info.attributes;
  }

  /** @returns {Permissions} */
  get permissions() {
    return this.info.permissions;
  }

  /**
   * @param {Source} source
   * @returns {RemoteTrack | undefined} the first such track
   */
  track(source) {
    return [...this.tracks.values()].find((track) => track.source === source);
  }
}

/**
 * A track that this client publishes; the same object across reconnects.
 */
export class LocalTrack {
  /** The sid that the server gave it; empty until then, and another one after a full rejoin. */
  sid = "";
  /** @type {RTCRtpTransceiver | null} */
  transceiver = null;
  isLocal = /** @type {const} */ (true);

  /**
   * @param {MediaStreamTrack} mediaStreamTrack
   * @param {PublishOptions} options
   * @param {string} cid unique among the tracks of this client
   */
  constructor(mediaStreamTrack, options, cid) {
    /** Null after `replaceTrack(track, null)`. @type {MediaStreamTrack | null} */
    this.mediaStreamTrack = mediaStreamTrack;
    this.kind = /** @type {Kind} */ (mediaStreamTrack.kind);
    /** @type {Source} */
    this.source = options.source ?? "unknown";
    this.name = options.name ?? "";
    this.muted = options.muted ?? false;
    /** What the server and this client last agreed on: tells whose change is the newer one. */
    this.acknowledgedMuted = this.muted;
    this.options = options;
    this.cid = cid;
  }
}

/**
 * @typedef {object} PublishOptions
 * @property {Source} [source]
 * @property {string} [name]
 * @property {boolean} [muted] published muted
 * @property {"VP8" | "VP9" | "H264" | "AV1"} [preferredCodec] video only; others stay as fallback
 * @property {boolean} [simulcast] in several sizes, so that each of the others gets the one that
 *   suits; true for cameras when left out
 * @property {number} [maxBitrate] bit/s; of the largest size
 * @property {number} [maxFramerate] frames/s
 */

/** This client in the room. */
export class LocalParticipant {
  /** In the order of publishing. @type {Set<LocalTrack>} */
  tracks = new Set();
  /** How good this connection is; null until the server tells. @type {Quality | null} */
  quality = null;
  isLocal = /** @type {const} */ (true);
  /** @type {ParticipantInfo | null} */
  info = null;

  get sid() {
    return this.info?.sid ?? "";
  }

  get identity() {
    return this.info?.identity ?? "";
  }

  get name() {
    return this.info?.name || this.identity;
  }

  get metadata() {
    return this.info?.metadata ?? "";
  }

  get attributes() {
    return this.info?.attributes ?? {};
  }

  /** What the server allows; null before the first join. @returns {Permissions | null} */
  get permissions() {
    return this.info?.permissions ?? null;
  }

  /**
   * @param {Source} source
   * @returns {LocalTrack | undefined} the first such track
   */
  track(source) {
    return [...this.tracks].find((track) => track.source === source);
  }

  /** Whether the server lets this client start and stop recordings. */
  get mayRecord() {
    return this.permissions?.can_record ?? false;
  }

  /**
   * Whether the server would take such a track.
   * @param {Source} source
   */
  mayPublish(source) {
    const permissions = this.permissions;
    if (!permissions?.can_publish) return false;
    return permissions.can_publish_sources?.includes(source) ?? true;
  }
}
