/**
 * Leaves a room whose connection was lost, so that others need not wait for the grace period.
 * @module
 */

import { Signaling } from "./signaling.js";

/** @typedef {import("./connection.js").ConnectionOptions} ConnectionOptions */

const TIMEOUT = 3_000; // ms; after that the server notices by itself soon enough

/**
 * Comes back to a session only to leave it: one attempt, whose failure does not matter.
 * @param {ConnectionOptions} options
 * @param {{sid: string, secret: string}} session
 */
export async function leaveSession({ url, token: ask }, session) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), TIMEOUT);
  try {
    const token = await ask();
    const signaling = await Signaling.open(url, late.signal);
    late.signal.addEventListener("abort", () => signaling.close());
    try {
      await signaling.request({ type: "resume", ...session, ...(token && { token }) });
      await signaling.request({ type: "leave" });
    } finally {
      signaling.close();
    }
  } catch {
    // Then the grace period ends it.
  } finally {
    clearTimeout(timer);
  }
}
