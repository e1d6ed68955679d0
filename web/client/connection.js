/**
 * A session with the server that outlives its sockets: join, resume, join anew.
 * @module
 */

import { backoffDelay, sleep } from "./backoff.js";
import { ConnectionError, RequestError, SfuError } from "./errors.js";
import { leaveSession } from "./farewell.js";
import { Signaling } from "./signaling.js";

/** @typedef {import("./protocol.js").Joined} Joined */
/** @typedef {import("./protocol.js").Reply} Reply */
/** @typedef {import("./protocol.js").Request} Request */
/** @typedef {import("./protocol.js").ServerEvent} ServerEvent */

/** @typedef {"connecting" | "connected" | "reconnecting" | "disconnected"} ConnectionState */

/**
 * @typedef {object} ConnectionOptions
 * @property {string | URL} url of the WebSocket
 * @property {() => Promise<string>} token asked for at every attempt, so that it may be a fresh one
 * @property {() => Request} join
 * @property {number} reconnectTimeout ms without the server after which to give up
 */

/**
 * What the owner of a connection hears.
 * @typedef {object} ConnectionListener
 * @property {(snapshot: Joined) => void} joined
 * @property {(message: ServerEvent) => void} received
 * @property {(reason: string) => void} lost reconnecting begins; the reason may be empty
 * @property {(reason: string, message: string) => void} ended for good
 * @property {(error: SfuError) => void} refused an error that answers no request
 */

/** Reasons after which the server does not want us back; PROTOCOL.md has them all. */
const FINAL_REASONS = new Set(["duplicate_identity", "removed", "room_deleted", "left"]);

/** Close codes that mean the same, for when the message before them was lost. */
const FINAL_CLOSE_CODES = new Map([
  [4001, "duplicate_identity"],
  [4002, "removed"],
  [4003, "room_deleted"],
  [4007, "duplicate_identity"], // somebody resumed our session
]);

/** Refusals that may pass; any other one is the answer. */
const PASSING_REFUSALS = new Set([
  "conflict",
  "internal_error",
  "rate_limited",
  "room_full",
  "server_full",
  "server_shutdown",
]);

const SHUTDOWN_CLOSE_CODE = 4004;

const STABLE_AFTER = 10_000; // ms; a connection that ends sooner counts as one more failed attempt

/** Keeps one participant connected. */
export class Connection {
  /** @type {ConnectionState} */
  state = "connecting";
  /** @type {Signaling | null} */
  #signaling = null;
  /** What a resume needs. @type {{sid: string, secret: string} | null} */
  #session = null;
  #leaving = new AbortController();
  /** Ends the present wait between attempts. */
  #wake = new AbortController();
  #attempts = 0;
  #connectedAt = 0;
  #lostAt = 0;
  #options;
  #listener;

  /**
   * @param {ConnectionOptions} options
   * @param {ConnectionListener} listener
   */
  constructor(options, listener) {
    this.#options = options;
    this.#listener = listener;
  }

  /**
   * Joins; tries once.
   * @throws {SfuError}
   */
  async start() {
    globalThis.addEventListener?.("online", this.#online);
    try {
      await this.#enter();
    } catch (error) {
      this.#end(codeOf(error), messageOf(error));
      throw error;
    }
  }

  /**
   * @param {Request} message
   * @returns {Promise<Reply>}
   * @throws {SfuError}
   */
  async request(message) {
    if (this.state === "disconnected") {
      throw new ConnectionError("disconnected", "The room was left.");
    }
    if (!this.#signaling) {
      throw new ConnectionError("connection_lost", "The connection to the server was lost.");
    }
    return this.#signaling.request(message);
  }

  /**
   * Drops the session and joins anew: when it cannot be mended.
   * @param {string} [reason] why
   */
  rejoin(reason = "") {
    this.#session = null;
    this.#drop();
    void this.#reconnect(reason);
  }

  /** Leaves for good; the message is sent even when the page is going away. */
  leave() {
    if (this.#signaling) this.#signaling.send({ type: "leave" });
    else if (this.#session) void leaveSession(this.#options, this.#session);
    this.#end("left", "You left the room.");
  }

  /** Opens a socket and resumes or joins. */
  async #enter() {
    const signal = this.#leaving.signal;
    const token = await this.#options.token();
    const signaling = await Signaling.open(this.#options.url, signal);
    /** @type {Joined} */
    let snapshot;
    try {
      snapshot = await this.#introduce(signaling, token);
      if (signal.aborted) {
        signaling.send({ type: "leave" });
        throw new ConnectionError("disconnected", "The room was left.");
      }
    } catch (error) {
      signaling.close();
      throw error;
    }
    // Only microtasks lie between the reply and this line: no message can have been missed.
    signaling.on("message", (message) => this.#receive(message));
    signaling.on("error", (error) => this.#listener.refused(error));
    signaling.on("close", ({ code }) => this.#closed(signaling, code));
    this.#signaling = signaling;
    this.#session = { sid: snapshot.participant.sid, secret: snapshot.resume_secret };
    this.#connectedAt = performance.now();
    this.state = "connected";
    this.#listener.joined(snapshot);
  }

  /**
   * @param {Signaling} signaling
   * @param {string} token
   * @returns {Promise<Joined>}
   */
  async #introduce(signaling, token) {
    const credentials = token ? { token } : {};
    if (this.#session) {
      try {
        const reply = await signaling.request({ type: "resume", ...this.#session, ...credentials });
        return /** @type {Joined} */ (/** @type {unknown} */ (reply));
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        this.#session = null; // the grace period is over, or the server is another one
      }
    }
    const reply = await signaling.request({ ...this.#options.join(), ...credentials });
    return /** @type {Joined} */ (/** @type {unknown} */ (reply));
  }

  /** @param {ServerEvent} message */
  #receive(message) {
    if (message.type !== "disconnected") {
      this.#listener.received(message);
    } else if (FINAL_REASONS.has(message.reason)) {
      this.#end(message.reason, message.message);
    } else {
      this.rejoin(message.reason);
    }
  }

  /**
   * @param {Signaling} signaling
   * @param {number} code
   */
  #closed(signaling, code) {
    if (signaling !== this.#signaling) return;
    this.#signaling = null;
    const reason = FINAL_CLOSE_CODES.get(code);
    if (reason) this.#end(reason, "");
    else void this.#reconnect(code === SHUTDOWN_CLOSE_CODE ? "server_shutdown" : "");
  }

  /** @param {string} reason */
  async #reconnect(reason) {
    if (this.state !== "connected") return;
    this.state = "reconnecting";
    const now = performance.now();
    if (now - this.#connectedAt > STABLE_AFTER) {
      this.#attempts = 0;
      this.#lostAt = now;
    }
    this.#lostAt ||= now;
    this.#listener.lost(reason);
    while (!this.#leaving.signal.aborted) {
      this.#wake = new AbortController();
      await sleep(backoffDelay(this.#attempts), this.#wake.signal);
      if (this.#leaving.signal.aborted) return;
      this.#attempts += 1;
      try {
        return await this.#enter();
      } catch (error) {
        this.#consider(error);
      }
    }
  }

  /**
   * Decides whether another attempt makes sense.
   * @param {unknown} error
   */
  #consider(error) {
    const final = error instanceof RequestError && !PASSING_REFUSALS.has(error.code);
    if (final || performance.now() - this.#lostAt > this.#options.reconnectTimeout) {
      this.#end(codeOf(error), messageOf(error));
    }
  }

  /** The network is back: no reason to wait, a reason to doubt an old socket. */
  #online = () => {
    this.#wake.abort();
    this.#signaling?.probe();
  };

  #drop() {
    const signaling = this.#signaling;
    this.#signaling = null;
    signaling?.close();
  }

  /**
   * @param {string} reason
   * @param {string} message
   */
  #end(reason, message) {
    if (this.state === "disconnected") return;
    this.state = "disconnected";
    globalThis.removeEventListener?.("online", this.#online);
    this.#leaving.abort();
    this.#wake.abort();
    this.#drop();
    this.#session = null;
    this.#listener.ended(reason, message);
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof SfuError ? error.code : "connection_failed";
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
