/**
 * How long to wait before the next attempt.
 * @module
 */

const FIRST = 300; // ms; a server that restarts in place is back within a second
const LONGEST = 8_000; // ms; the grace period is 15 s by default, so that two attempts still fit
const FACTOR = 1.8;
const JITTER = 0.4; // share of the delay; a room full of clients must not come back as one

/**
 * Delay before an attempt; the first one (0) follows at once.
 * @param {number} attempt attempts already made
 * @param {() => number} [random] 0 (included) to 1
 * @returns {number} milliseconds
 */
export function backoffDelay(attempt, random = Math.random) {
  if (attempt <= 0) return 0;
  const delay = Math.min(LONGEST, FIRST * FACTOR ** (attempt - 1));
  return Math.round(delay * (1 - JITTER * random()));
}

/**
 * Waits; ends early, without an error, when the signal says so.
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}
