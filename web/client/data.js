/**
 * Messages between participants: over data channels when they are open, else over the WebSocket.
 * @module
 */

/** @typedef {import("./protocol.js").DataMessage} DataMessage */
/** @typedef {import("./protocol.js").SendData} SendData */
/** @typedef {import("./protocol.js").SendRequest} SendRequest */

const LOSSY_BACKLOG = 64 * 1024; // bytes; what may be lost is worth nothing when it is late
const DEFAULT_MESSAGE_SIZE = 65_536; // bytes, RFC 8841 6.1: where the peer does not say

/**
 * @typedef {object} DataOptions
 * @property {string} [topic] tells one use of data from another
 * @property {string[]} [destinations] identities; everybody when left out
 * @property {boolean} [reliable] false: may be lost or come out of order, and is never late
 */

/** The two data channels of a peer connection. */
export class DataChannels {
  #reliable;
  #lossy;
  #connection;

  /**
   * Creates them; must come before the connection's first offer.
   * @param {RTCPeerConnection} connection
   * @param {(message: DataMessage) => void} receive
   */
  constructor(connection, receive) {
    this.#connection = connection;
    this.#reliable = connection.createDataChannel("reliable", { ordered: true });
    this.#lossy = connection.createDataChannel("lossy", { ordered: false, maxRetransmits: 0 });
    for (const channel of [this.#reliable, this.#lossy]) {
      channel.onmessage = (event) => receive(JSON.parse(event.data));
    }
  }

  /**
   * Sends, or says that the WebSocket must.
   * @param {SendData} message
   * @returns {boolean} false when the channel is not open or the message too large for it
   */
  send(message) {
    const channel = message.reliable ? this.#reliable : this.#lossy;
    const text = JSON.stringify(message);
    const limit = this.#connection.sctp?.maxMessageSize ?? DEFAULT_MESSAGE_SIZE;
    // Three bytes are the most that UTF-8 needs for a UTF-16 unit: close enough to the limit.
    if (channel.readyState !== "open" || text.length * 3 > limit) return false;
    if (message.reliable || channel.bufferedAmount < LOSSY_BACKLOG) channel.send(text);
    return true;
  }
}

/** Chooses the way for every message and keeps the order of the reliable ones. */
export class DataSender {
  #request;
  #channels;
  #unanswered = 0;

  /**
   * @param {SendRequest} request
   * @param {() => DataChannels | null} channels those of the moment
   */
  constructor(request, channels) {
    this.#request = request;
    this.#channels = channels;
  }

  /**
   * @param {string | ArrayBuffer | ArrayBufferView} payload text is sent as UTF-8
   * @param {DataOptions} options
   * @returns {Promise<void>} settled when the message is on its way
   */
  async send(payload, { topic = "", destinations = [], reliable = true }) {
    /** @type {SendData} */
    const message = {
      type: "send_data",
      topic,
      destinations,
      reliable,
      payload: encodeBase64(toBytes(payload)),
    };
    // What went by WebSocket must arrive before anything overtakes it in the channel.
    if (this.#unanswered === 0 && this.#channels()?.send(message)) return;
    this.#unanswered += 1;
    try {
      await this.#request({ ...message });
    } finally {
      this.#unanswered -= 1;
    }
  }
}

/**
 * @param {string | ArrayBuffer | ArrayBufferView} payload
 * @returns {Uint8Array}
 */
function toBytes(payload) {
  if (typeof payload === "string") return new TextEncoder().encode(payload);
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload);
  return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function encodeBase64(bytes) {
  let binary = "";
  for (let start = 0; start < bytes.length; start += 8192) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return btoa(binary);
}

/**
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function decodeBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
