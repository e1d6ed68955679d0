/**
 * The peer connection on which this client receives: the server offers, this client answers.
 * @module
 */

import { isConnectionLoss, RequestError } from "./errors.js";
import { Watchdog } from "./watchdog.js";

/** @typedef {import("./protocol.js").SendRequest} SendRequest */
/** @typedef {import("./protocol.js").SubscriberOffer} SubscriberOffer */

/**
 * @typedef {object} SubscriberOptions
 * @property {SendRequest} request
 * @property {RTCConfiguration} configuration
 * @property {() => void} changed `media` is not what it was
 * @property {(worked: boolean) => void} giveUp media does not get through
 * @property {(error: unknown) => void} failed an offer could not be answered
 */

/** Answers the server's offers in order and knows which receiver has which track. */
export class Subscriber {
  /** Receivers by track sid. @type {Map<string, RTCRtpReceiver>} */
  media = new Map();
  /** @type {RTCPeerConnection | null} */
  #connection = null;
  /** @type {Watchdog | null} */
  #watchdog = null;
  /** @type {Promise<void>} */
  #tail = Promise.resolve();
  #closed = false;
  #options;

  /** @param {SubscriberOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** For statistics. */
  get connection() {
    return this.#connection;
  }

  /**
   * Takes an offer; it is answered when those before it are.
   * @param {SubscriberOffer} offer
   */
  accept(offer) {
    this.#tail = this.#tail
      .then(() => this.#answer(offer))
      .catch((error) => {
        if (!this.#closed) this.#options.failed(error);
      });
  }

  /** Signaling is lost. */
  suspend() {
    this.#watchdog?.suspend();
  }

  /** Signaling is back, in the same session; the server offers again by itself. */
  resume() {
    this.#watchdog?.resume();
  }

  /** The server has given this connection up. */
  giveUp() {
    this.#watchdog?.giveUp();
  }

  /** Ends the connection and all that it received. */
  close() {
    this.#closed = true;
    this.#watchdog?.close();
    this.#connection?.close();
    this.media.clear();
    this.#options.changed();
  }

  /** @param {SubscriberOffer} message */
  async #answer({ offer, sdp, tracks }) {
    if (this.#closed) return;
    const connection = this.#connect();
    await connection.setRemoteDescription({ type: "offer", sdp });
    await connection.setLocalDescription();
    if (this.#closed) return;
    const answer = connection.localDescription?.sdp ?? "";
    const receivers = new Map(connection.getTransceivers().map((t) => [t.mid, t.receiver]));
    this.media.clear();
    for (const [mid, { track }] of Object.entries(tracks)) {
      const receiver = receivers.get(mid);
      if (receiver) this.media.set(track, receiver);
    }
    this.#options.changed();
    try {
      await this.#options.request({ type: "subscriber_answer", offer, sdp: answer });
    } catch (error) {
      // Cut off, or answered too late: the server offers again after a resume.
      const late = error instanceof RequestError && error.code === "conflict";
      if (!isConnectionLoss(error) && !late) throw error;
    }
  }

  #connect() {
    if (!this.#connection) {
      this.#connection = new RTCPeerConnection(this.#options.configuration);
      this.#watchdog = new Watchdog(this.#connection, {
        restart: async () => {
          await this.#options.request({ type: "restart_ice", target: "subscriber" });
        },
        giveUp: this.#options.giveUp,
      });
    }
    return this.#connection;
  }
}
