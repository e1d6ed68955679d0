/**
 * The panel beside the stage: people, chat, statistics or recordings, one at a time.
 * @module
 */

import { byId, label } from "./dom.js";

/** @typedef {"people" | "chat" | "stats" | "record"} Section */

/** @type {Record<Section, string>} */
const TITLES = { people: "People", chat: "Chat", stats: "Connection", record: "Recordings" };

const SECTIONS = /** @type {Section[]} */ (Object.keys(TITLES));

/** Opens and closes the panel. */
export class Panel {
  #view = byId("panel", HTMLElement);
  #badge = byId("chat-badge", HTMLElement);
  #unread = 0;
  /** @type {Section | null} */
  #open = null;
  /** @type {Record<Section, {button: HTMLButtonElement, section: HTMLElement}>} */
  #parts = {
    people: part("people"),
    chat: part("chat"),
    stats: part("stats"),
    record: part("record"),
  };
  #changed;

  /** @param {(section: Section | null) => void} changed another section is open, or none */
  constructor(changed) {
    this.#changed = changed;
    for (const name of SECTIONS) {
      this.#parts[name].button.addEventListener("click", () => {
        this.show(this.#open === name ? null : name);
      });
    }
    byId("panel-close", HTMLButtonElement).addEventListener("click", () => this.#close());
    this.#view.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#close();
    });
  }

  /** @param {Section | null} section */
  show(section) {
    this.#open = section;
    this.#view.hidden = section === null;
    for (const [name, part] of Object.entries(this.#parts)) {
      part.section.hidden = name !== section;
      part.button.setAttribute("aria-expanded", String(name === section));
    }
    if (section) byId("panel-title", HTMLElement).textContent = TITLES[section];
    if (section === "chat") this.#setUnread(0);
    this.#changed(section);
  }

  /** A message came: counted unless it is seen. */
  messageReceived() {
    if (this.#open !== "chat") this.#setUnread(this.#unread + 1);
  }

  #close() {
    const button = this.#open && this.#parts[this.#open].button;
    this.show(null);
    button?.focus();
  }

  /** @param {number} count */
  #setUnread(count) {
    this.#unread = count;
    this.#badge.textContent = count > 9 ? "9+" : String(count);
    this.#badge.hidden = count === 0;
    label(this.#parts.chat.button, count ? `Chat, ${count} unread` : "Chat");
  }
}

/** @param {Section} name */
function part(name) {
  return {
    button: byId(name, HTMLButtonElement),
    section: byId(`${name}-panel`, HTMLElement),
  };
}
