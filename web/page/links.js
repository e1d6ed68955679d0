/**
 * Links to be given to others: the one to the room above all.
 * @module
 */

import { byId } from "./dom.js";
import { setIcon } from "./icons.js";
import { toast } from "./toasts.js";
import { explainLink } from "./words.js";

const COPIED_TIME = 2_000; // ms

/** The buttons that copy the one to the room. */
export class RoomLink {
  #buttons = [...document.querySelectorAll("button")].filter(({ classList }) =>
    classList.contains("copy-link"),
  );
  #link = "";
  #personal = false;

  constructor() {
    for (const button of this.#buttons) {
      button.addEventListener("click", () => void this.#copy(button));
    }
  }

  /**
   * @param {URL} link
   * @param {{personal: boolean}} options personal: it takes an invitation as well to get in
   */
  show(link, { personal }) {
    this.#link = link.href;
    this.#personal = personal;
    for (const button of this.#buttons) button.title = explainLink(personal);
    // A link alone invites nobody who needs an invitation too.
    byId("invite", HTMLElement).hidden = personal;
  }

  /** @param {HTMLElement} button */
  async #copy(button) {
    if (await copyLink(this.#link, button)) {
      toast(`The link is copied. ${explainLink(this.#personal)}`);
    } else {
      const hint = this.#personal ? ` (${explainLink(true)})` : "";
      toast(`The link to this room: ${this.#link}${hint}`); // to be copied from here
    }
  }
}

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
