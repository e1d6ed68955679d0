/**
 * Links to be given to others.
 * @module
 */

import { setIcon } from "./icons.js";

const COPIED_TIME = 2_000; // ms

/**
 * Copies a link; the button shows it for a moment.
 * @param {string} link
 * @param {HTMLElement} button
 * @returns {Promise<boolean>} false: pages over plain http have no clipboard
 */
export async function copyLink(link, button) {
  try {
    await navigator.clipboard.writeText(link);
  } catch {
    return false;
  }
  setIcon(button, "done");
  setTimeout(() => setIcon(button, "link"), COPIED_TIME);
  return true;
}
