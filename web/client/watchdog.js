/**
 * Brings a peer connection back when its network path is lost (RFC 8445 9: ICE restart).
 * @module
 */

const PATIENCE = 2_000; // ms; "disconnected" often heals by itself
const RESTART_TIMEOUT = 8_000; // ms; checks over a slow mobile network are done by then
const ATTEMPTS = 3; // restarts in a row before somebody else must help

/**
 * @typedef {object} Rescue
 * @property {() => Promise<void>} restart begins an ICE restart
 * @property {(worked: boolean) => void} giveUp restarts did not help; whether it ever was connected
 */

/** Watches one peer connection. */
export class Watchdog {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #attempts = 0;
  #worked = false;
  #suspended = false;
  #connection;
  #rescue;

  /**
   * @param {RTCPeerConnection} connection
   * @param {Rescue} rescue
   */
  constructor(connection, rescue) {
    this.#connection = connection;
    this.#rescue = rescue;
    connection.addEventListener("connectionstatechange", () => this.check());
  }

  /** Signaling is lost: nothing can be done, and nothing need be said, until it is back. */
  suspend() {
    this.#suspended = true;
    clearTimeout(this.#timer);
  }

  /** Signaling is back. */
  resume() {
    this.#suspended = false;
    this.#attempts = 0;
    this.check();
  }

  /** Looks at the connection's state and acts. */
  check() {
    const state = this.#connection.connectionState;
    if (state === "connected") this.#worked = true;
    if (this.#suspended || state === "connecting") return; // what is timed goes on
    clearTimeout(this.#timer);
    if (state === "connected") {
      this.#attempts = 0;
    } else if (state === "disconnected") {
      this.#timer = setTimeout(() => this.#recover(), PATIENCE);
    } else if (state === "failed") {
      this.#recover();
    }
  }

  /** There is no way back for this connection; says so once. */
  giveUp() {
    if (this.#suspended) return;
    this.suspend();
    this.#rescue.giveUp(this.#worked);
  }

  /** Ends watching. */
  close() {
    this.suspend();
  }

  /** The path is lost: asks for another one. */
  #recover() {
    clearTimeout(this.#timer);
    if (this.#suspended || this.#connection.connectionState === "closed") return;
    if (this.#attempts === ATTEMPTS) return this.giveUp();
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#recheck(), RESTART_TIMEOUT);
    // A restart that fails is one that did not help: the timer sees to it.
    this.#rescue.restart().catch(() => {});
  }

  #recheck() {
    if (this.#connection.connectionState !== "connected") this.#recover();
  }
}
