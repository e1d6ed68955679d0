/**
 * A small chat: text over data, nothing kept.
 * @module
 */

import { byId, create } from "./dom.js";
import { plain, shownName } from "./names.js";
import { toast } from "./toasts.js";
import { explainError } from "./words.js";

/** @typedef {import("../client/room.js").Room} Room */

const TOPIC = "chat";
const MOST = 500; // lines kept

/** Shows what people write and sends what this one does. */
export class Chat {
  #log = byId("chat-log", HTMLElement);
  #empty = byId("chat-empty", HTMLElement);
  #form = byId("chat-form", HTMLFormElement);
  #input = byId("chat-input", HTMLInputElement);
  #room;

  /**
   * @param {Room} room
   * @param {() => void} received somebody wrote
   */
  constructor(room, received) {
    this.#room = room;
    room.on("data", ({ participant, identity, topic, text }) => {
      if (topic !== TOPIC) return;
      this.#show(participant ? shownName(participant) : plain(identity), text, false);
      received();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send();
    });
  }

  clear() {
    this.#log.replaceChildren();
    this.#empty.hidden = false;
  }

  focus() {
    this.#input.focus();
  }

  async #send() {
    const text = this.#input.value.trim();
    if (!text) return;
    this.#input.value = "";
    try {
      await this.#room.sendData(text, { topic: TOPIC });
      this.#show("You", text, true);
    } catch (error) {
      this.#input.value = text;
      toast(`Your message was not sent. ${explainError(error).title}.`, { problem: true });
    }
  }

  /**
   * @param {string} name
   * @param {string} text
   * @param {boolean} own
   */
  #show(name, text, own) {
    const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const head = create("p", { class: "message-head" });
    head.append(create("b", { text: name }), create("time", { text: time }));
    const body = create("p", { class: "message-text", text });
    this.#empty.hidden = true;
    this.#log.append(create("div", { class: own ? "message own" : "message" }, head, body));
    while (this.#log.children.length > MOST) this.#log.firstElementChild?.remove();
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}
