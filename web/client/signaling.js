/**
 * One WebSocket to the server: requests with their replies, and what the server says by itself.
 * @module
 */

import { Emitter } from "./emitter.js";
import { ConnectionError, RequestError } from "./errors.js";

/** @typedef {import("./protocol.js").Reply} Reply */
/** @typedef {import("./protocol.js").Request} Request */
/** @typedef {import("./protocol.js").ServerEvent} ServerEvent */

const OPEN_TIMEOUT = 10_000; // ms
const REQUEST_TIMEOUT = 15_000; // ms
const PING_INTERVAL = 10_000; // ms; browsers do not tell of a network that went silent
const PING_TIMEOUT = 6_000; // ms; with the interval: a dead network shows within the grace period
const PROBE_TIMEOUT = 3_000; // ms; when there is a reason to doubt

/**
 * @typedef {object} SignalingEvents
 * @property {ServerEvent} message
 * @property {RequestError} error one that answers no request
 * @property {{code: number, reason: string}} close
 */

/**
 * @typedef {object} Pending
 * @property {(reply: Reply) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {ReturnType<typeof setTimeout>} timer
 */

/**
 * A socket with requests and replies; when it closes, it is done with.
 * @extends {Emitter<SignalingEvents>}
 */
export class Signaling extends Emitter {
  /** @type {WebSocket} */
  #socket;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #nextId = 1;
  #closed = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #heartbeat;

  /** @param {WebSocket} socket already open */
  constructor(socket) {
    super();
    this.#socket = socket;
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onerror = null;
    socket.onclose = (event) => this.#end(event.code, event.reason);
    this.#heartbeat = setInterval(() => void this.#ping(PING_TIMEOUT), PING_INTERVAL);
  }

  /**
   * Opens a socket.
   * @param {string | URL} url ws: or wss:
   * @param {AbortSignal} signal gives up
   * @returns {Promise<Signaling>}
   * @throws {ConnectionError}
   */
  static open(url, signal) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", aborted);
        socket.onopen = socket.onerror = socket.onclose = null;
      };
      /** @type {(error: ConnectionError) => void} */
      const fail = (error) => {
        settle();
        socket.close();
        reject(error);
      };
      const aborted = () => fail(new ConnectionError("disconnected", "The room was left."));
      const timer = setTimeout(
        () => fail(new ConnectionError("timeout", "The server does not answer.")),
        OPEN_TIMEOUT,
      );
      socket.onopen = () => {
        settle();
        resolve(new Signaling(socket));
      };
      socket.onerror = socket.onclose = () =>
        fail(new ConnectionError("connection_failed", "The server cannot be reached."));
      if (signal.aborted) aborted();
      else signal.addEventListener("abort", aborted);
    });
  }

  get closed() {
    return this.#closed;
  }

  /**
   * Sends a request and waits for its reply.
   * @param {Request} message
   * @param {number} [timeout] ms
   * @returns {Promise<Reply>}
   * @throws {RequestError} the server refused
   * @throws {ConnectionError} no reply came
   */
  request(message, timeout = REQUEST_TIMEOUT) {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(lost());
      const id = this.#nextId++;
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new ConnectionError("timeout", `The server does not answer "${message.type}".`));
      }, timeout);
      this.#pending.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ ...message, id }));
    });
  }

  /**
   * Sends a message that wants no reply; also possible while the page is going away.
   * @param {Request} message
   */
  send(message) {
    if (!this.#closed) this.#socket.send(JSON.stringify(message));
  }

  /** Makes sure that the server still answers; closes the socket otherwise. */
  probe() {
    void this.#ping(PROBE_TIMEOUT);
  }

  /** Closes the socket; "close" follows at once, whatever the network does. */
  close() {
    this.#socket.close(1000);
    this.#end(1000, "");
  }

  /** @param {number} timeout */
  async #ping(timeout) {
    try {
      await this.request({ type: "ping" }, timeout);
    } catch (error) {
      if (error instanceof ConnectionError) this.close();
    }
  }

  /** @param {unknown} data */
  #receive(data) {
    if (this.#closed || typeof data !== "string") return;
    const message = JSON.parse(data);
    const pending = message.id === undefined ? undefined : this.#pending.get(message.id);
    if (pending) {
      this.#pending.delete(message.id);
      clearTimeout(pending.timer);
      if (message.type === "error") pending.reject(refusal(message));
      else pending.resolve(message);
    } else if (message.type === "error") {
      this.emit("error", refusal(message));
    } else if (message.id === undefined) {
      this.emit("message", message);
    }
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #end(code, reason) {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#heartbeat);
    this.#socket.onmessage = this.#socket.onclose = null;
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(lost());
    }
    this.#pending.clear();
    this.emit("close", { code, reason });
  }
}

/** @param {{error: string, message: string}} message */
function refusal(message) {
  return new RequestError(message.error, message.message);
}

function lost() {
  return new ConnectionError("connection_lost", "The connection to the server was lost.");
}
