/**
 * The peer connection on which this client sends: it offers, the server answers.
 * @module
 */

import { DataChannels } from "./data.js";
import { addSender, announceLayers, chooseEncodings, LayerSwitch } from "./encodings.js";
import { ConnectionError, RequestError } from "./errors.js";
import { Watchdog } from "./watchdog.js";

/** @typedef {import("./participant.js").LocalTrack} LocalTrack */
/** @typedef {import("./protocol.js").WantedLayer} WantedLayer */
/** @typedef {import("./protocol.js").DataMessage} DataMessage */
/** @typedef {import("./protocol.js").SendRequest} SendRequest */
/** @typedef {import("./protocol.js").TrackInfo} TrackInfo */

/**
 * @typedef {object} PublisherOptions
 * @property {SendRequest} request
 * @property {RTCConfiguration} configuration
 * @property {(message: DataMessage) => void} receive data that came by channel
 * @property {(worked: boolean) => void} giveUp media does not get through
 */

/** Publishes tracks and carries data, over a connection made when it is first needed. */
export class Publisher {
  /** @type {RTCPeerConnection | null} */
  #connection = null;
  /** @type {DataChannels | null} */
  #channels = null;
  /** @type {Watchdog | null} */
  #watchdog = null;
  /**
   * Tracks being announced, so that two callers announce once.
   * @type {Map<LocalTrack, Promise<void>>}
   */
  #announcing = new Map();
  /** @type {Set<LocalTrack>} */
  #tracks = new Set();
  /** @type {WeakMap<LocalTrack, LayerSwitch>} */
  #switches = new WeakMap();
  /** @type {Promise<unknown>} */
  #tail = Promise.resolve();
  /** @type {Promise<void> | null} */
  #nextOffer = null;
  #closed = false;
  /** Rejects when this is closed. @type {Promise<never>} */
  #closing;
  /** @type {() => void} */
  #stopWaiting = () => {};
  #options;

  /** @param {PublisherOptions} options */
  constructor(options) {
    this.#options = options;
    this.#closing = new Promise((_, reject) => {
      this.#stopWaiting = () => reject(lost());
    });
    this.#closing.catch(() => {});
  }

  /** The data channels, once there is a connection. */
  get channels() {
    return this.#channels;
  }

  /** For statistics. */
  get connection() {
    return this.#connection;
  }

  /**
   * Announces and sends a track; does nothing for one that is published.
   * @param {LocalTrack} track
   * @returns {Promise<void>}
   */
  async publish(track) {
    if (!this.#tracks.has(track)) {
      const announcing = this.#announcing.get(track) ?? this.#announce(track);
      this.#announcing.set(track, announcing);
      await announcing.finally(() => this.#announcing.delete(track));
    }
    try {
      await this.negotiate();
    } catch (error) {
      if (error instanceof RequestError) await this.#withdraw(track).catch(() => {});
      throw error;
    }
  }

  /**
   * Ends a track.
   * @param {LocalTrack} track
   */
  async unpublish(track) {
    if (!this.#tracks.has(track)) return;
    await this.#withdraw(track);
    await this.negotiate();
  }

  /** Makes the connection, and with it the data channels, without any track. */
  async open() {
    if (this.#connection) return;
    this.#connect();
    await this.negotiate();
  }

  /**
   * Offers what there is to offer; calls that come together share an offer.
   * @returns {Promise<void>}
   */
  negotiate() {
    this.#nextOffer ??= this.#serially(() => {
      this.#nextOffer = null;
      return this.#exchange();
    });
    return this.#nextOffer;
  }

  /**
   * Encodes the layers of a track that somebody wants, and no others.
   * @param {string} sid
   * @param {WantedLayer[]} layers
   */
  setLayers(sid, layers) {
    const track = [...this.#tracks].find((one) => one.sid === sid);
    if (track) this.#switches.get(track)?.set(layers);
  }

  /** Signaling is lost. */
  suspend() {
    this.#watchdog?.suspend();
  }

  /**
   * Signaling is back, in the same session: finishes what was cut short.
   * @param {TrackInfo[]} known the tracks that the server has of us
   */
  async resume(known) {
    this.#watchdog?.resume();
    // A wish for a layer may have been lost.
    for (const track of this.#tracks) this.#switches.get(track)?.reset();
    const ours = new Set([...this.#tracks].map((track) => track.sid));
    // Announced, and then the reply was lost.
    for (const { sid } of known.filter((info) => !ours.has(info.sid))) {
      this.#options.request({ type: "remove_track", track: sid }).catch(() => {});
    }
    if (this.#connection) await this.negotiate();
  }

  /** The server has given this connection up. */
  giveUp() {
    this.#watchdog?.giveUp();
  }

  /** Ends the connection; the tracks themselves stay alive, they are the caller's. */
  close() {
    this.#closed = true;
    this.#stopWaiting();
    this.#watchdog?.close();
    this.#connection?.close();
    for (const track of this.#tracks) {
      track.sid = "";
      track.transceiver = null;
    }
    this.#tracks.clear();
  }

  /** @param {LocalTrack} track */
  async #announce(track) {
    const size = track.mediaStreamTrack?.getSettings() ?? {};
    const encodings = chooseEncodings(track, size);
    const muted = track.muted;
    const reply = await this.#options.request({
      type: "add_track",
      kind: track.kind,
      source: track.source,
      name: track.name,
      width: size.width ?? 0,
      height: size.height ?? 0,
      muted,
      layers: announceLayers(encodings, size),
      cid: track.cid,
    });
    if (this.#closed) throw lost();
    track.sid = reply.track.sid;
    track.acknowledgedMuted = muted;
    const connection = this.#connect();
    track.transceiver = addSender(connection, track.mediaStreamTrack ?? track.kind, encodings);
    this.#switches.set(track, new LayerSwitch(track.transceiver.sender));
    preferCodec(track);
    this.#tracks.add(track);
  }

  /** @param {LocalTrack} track */
  #withdraw(track) {
    // In the queue, so that no offer with its m-line is under way when the server forgets it.
    return this.#serially(async () => {
      const sid = track.sid;
      this.#tracks.delete(track);
      track.transceiver?.stop();
      track.transceiver = null;
      track.sid = "";
      await this.#options.request({ type: "remove_track", track: sid });
    });
  }

  #connect() {
    if (!this.#connection) {
      this.#connection = new RTCPeerConnection(this.#options.configuration);
      // First, so that BUNDLE's first m-line is one that never goes away.
      this.#channels = new DataChannels(this.#connection, this.#options.receive);
      this.#watchdog = new Watchdog(this.#connection, {
        restart: () => this.#restart(),
        giveUp: this.#options.giveUp,
      });
    }
    return this.#connection;
  }

  async #restart() {
    this.#connection?.restartIce();
    await this.negotiate();
  }

  /** @returns {Promise<void>} */
  async #exchange() {
    const connection = this.#connection;
    if (!connection || this.#closed) throw lost();
    // An offer whose answer was lost is sent again as it is: the server may have taken it.
    const repeated = connection.signalingState === "have-local-offer";
    if (!repeated) await this.#unlessClosed(connection.setLocalDescription());
    await this.#offer(connection);
    if (repeated) await this.#exchange(); // what has changed since
  }

  /** @param {RTCPeerConnection} connection in the state have-local-offer */
  async #offer(connection) {
    let reply;
    try {
      reply = await this.#options.request({
        type: "publisher_offer",
        sdp: connection.localDescription?.sdp ?? "",
        tracks: this.#tracksByMid(),
      });
    } catch (error) {
      if (error instanceof RequestError && !this.#closed) {
        await connection.setLocalDescription({ type: "rollback" });
      }
      throw error;
    }
    await this.#unlessClosed(
      connection.setRemoteDescription({ type: "answer", sdp: reply.sdp }),
    );
  }

  /** @returns {Record<string, string>} */
  #tracksByMid() {
    /** @type {Record<string, string>} */
    const tracks = {};
    for (const track of this.#tracks) {
      if (track.transceiver?.mid) tracks[track.transceiver.mid] = track.sid;
    }
    return tracks;
  }

  /**
   * Waits; the operations of a closed connection never end by themselves (webrtc 4.4.1.2).
   * @param {Promise<void>} operation
   */
  #unlessClosed(operation) {
    return Promise.race([operation, this.#closing]);
  }

  /**
   * Runs a task when all earlier ones are done: one offer in flight.
   * @template T
   * @param {() => Promise<T>} task
   * @returns {Promise<T>}
   */
  #serially(task) {
    const run = this.#tail.then(task);
    this.#tail = run.catch(() => {});
    return run;
  }
}

/**
 * Moves the preferred codec to the front of the list; the others stay as fallback.
 * @param {LocalTrack} track
 */
function preferCodec({ kind, transceiver, options: { preferredCodec } }) {
  if (kind !== "video" || !preferredCodec || !transceiver?.setCodecPreferences) return;
  const codecs = RTCRtpSender.getCapabilities(kind)?.codecs ?? [];
  const wanted = `video/${preferredCodec}`.toLowerCase();
  const preferred = codecs.filter((codec) => codec.mimeType.toLowerCase() === wanted);
  if (!preferred.length) return;
  const others = codecs.filter((codec) => !preferred.includes(codec));
  transceiver.setCodecPreferences([...preferred, ...others]);
}

function lost() {
  return new ConnectionError("connection_lost", "The session with the server ended.");
}
