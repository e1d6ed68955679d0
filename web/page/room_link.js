/**
 * The link to the room, to be given to others.
 * @module
 */

import { copyLink } from "./clipboard.js";
import { byId } from "./dom.js";
import { toast } from "./toasts.js";
import { explainLink } from "./words.js";

/** The buttons that copy it. */
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
