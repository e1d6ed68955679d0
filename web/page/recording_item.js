/**
 * One recording in the list: how it goes, and what can be done with it.
 * @module
 */

import { create, label } from "./dom.js";
import { icon, setIcon } from "./icons.js";
import { copyLink } from "./links.js";
import {
  explainKind,
  explainState,
  explainTrouble,
  showBytes,
  showDuration,
} from "./recording_words.js";
import { toast } from "./toasts.js";

/** @typedef {import("../client/protocol.js").RecordedFile} RecordedFile */
/** @typedef {import("../client/protocol.js").RecordingInfo} RecordingInfo */

/**
 * What a list lets people do; none of it is ever rejected.
 * @typedef {object} RecordingActions
 * @property {(id: string) => Promise<void>} stop
 * @property {(id: string, title: string) => Promise<void>} delete
 * @property {(id: string) => Promise<RecordedFile[] | null>} files null: it did not work
 * @property {(id: string, name: string, progress: (part: number) => void) => Promise<void>}
 *   download progress is told 0 to 1
 */

/** Shows a recording; its parts stay as they are while figures change, so that focus does too. */
export class RecordingItem {
  #title = create("strong");
  #state = create("span", { class: "recording-state" });
  #facts = create("p", { class: "stream-figures" });
  #kind = create("p", { class: "stream-reason" });
  #trouble = create("p", { class: "recording-trouble" });
  #live = create("div", { class: "recording-live" });
  #files = create("details", { class: "recording-files" });
  #list = create("ul", { attributes: { "aria-label": "Files" } });
  #stop = button("record-stop", "Stop", "stop");
  #delete = button("delete", "Delete");
  element = create(
    "li",
    { class: "stream recording-item", attributes: { tabindex: "-1" } },
    create("p", { class: "recording-head" }, this.#title, this.#state),
    this.#facts,
    this.#kind,
    this.#trouble,
    this.#live,
    this.#files,
    create("p", { class: "recording-actions" }, this.#stop, this.#delete),
  );
  #id;
  #actions;

  /**
   * @param {RecordingInfo} info
   * @param {RecordingActions} actions
   * @param {{link: string, note: string}} live where it can be watched, and by whom
   */
  constructor(info, actions, live) {
    this.#id = info.id;
    this.#actions = actions;
    this.#title.textContent = showTime(new Date(info.started_at * 1000));
    this.#files.append(create("summary", { text: "Files" }), this.#list);
    this.#files.addEventListener("toggle", () => void this.#showFiles());
    this.#stop.addEventListener("click", () => {
      void this.#while(this.#stop, () => actions.stop(this.#id));
    });
    this.#delete.addEventListener("click", () => {
      void this.#while(this.#delete, () => actions.delete(this.#id, this.#title.textContent ?? ""));
    });
    this.#live.append(...liveParts(live));
  }

  /**
   * @param {RecordingInfo} info
   * @param {string} starter name of who began it; empty for the server itself
   */
  show(info, starter) {
    const { state, bytes } = info;
    const ended = state === "complete" || state === "failed";
    this.element.dataset["state"] = state;
    write(this.#state, explainState(state));
    const by = starter && `by ${starter === "You" ? "you" : starter}`;
    write(
      this.#facts,
      [showDuration(info.duration), showBytes(bytes), by].filter(Boolean).join(" · "),
    );
    write(this.#kind, explainKind(info));
    write(this.#trouble, explainTrouble(info));
    this.#trouble.hidden = !this.#trouble.textContent;
    this.#live.hidden = !info.hls || state === "finishing";
    this.#files.hidden = !ended || bytes === 0;
    const focused = document.activeElement === this.#stop;
    this.#stop.hidden = ended || state === "finishing";
    if (focused && this.#stop.hidden) this.element.focus(); // else the page would begin anew
    this.#delete.hidden = !ended;
  }

  async #showFiles() {
    if (!this.#files.open || this.#list.childElementCount) return;
    const files = await this.#actions.files(this.#id);
    if (files) this.#list.replaceChildren(...files.map((file) => this.#file(file)));
    else this.#files.open = false;
  }

  /** @param {RecordedFile} file */
  #file({ name, bytes }) {
    const figure = create("span", { class: "file-figure", text: bytes ? showBytes(bytes) : "" });
    const text = create("span", { class: "file-name", text: name });
    const download = create("button", { class: "quiet file" }, icon("download"), text, figure);
    download.type = "button";
    label(download, `Download ${name}`);
    download.addEventListener("click", () => {
      const size = figure.textContent;
      void this.#while(download, async () => {
        await this.#actions.download(this.#id, name, (part) => {
          figure.textContent = `${Math.floor(part * 100)} %`;
        });
        figure.textContent = size;
      });
    });
    return create("li", {}, download);
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {() => Promise<void>} action
   */
  async #while(button, action) {
    // Not `disabled`, which would take the focus from those who came by keyboard.
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    await action();
    button.removeAttribute("aria-disabled");
  }
}

/**
 * When a recording began; the year where it is not this one.
 * @param {Date} date
 */
function showTime(date) {
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return date.toLocaleString([], {
    ...(year && { year }),
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
}

/** @param {{link: string, note: string}} live */
function liveParts({ link, note }) {
  const input = create("input", { attributes: { "aria-label": "Link to the live stream" } });
  input.readOnly = true;
  input.value = link;
  input.addEventListener("focus", () => input.select());
  const copy = button("link", "Copy link");
  copy.addEventListener("click", async () => {
    if (await copyLink(link, copy)) toast("The link to the live stream is copied");
    else input.focus(); // selected, to be copied from there
  });
  // Its tab gets what this one remembers, our token for this room: so that is in no address.
  const attributes = { href: link, target: "_blank", rel: "opener" };
  const watch = create("a", { class: "watch", text: "Watch live", attributes });
  watch.prepend(icon("screen"));
  const row = create("p", { class: "recording-actions" }, watch, copy);
  return [input, row, create("p", { class: "stream-reason", text: note })];
}

/**
 * @param {string} iconName
 * @param {string} text
 * @param {string} [look] name of a class
 */
function button(iconName, text, look = "quiet") {
  const element = create("button", { class: look, text });
  element.type = "button";
  setIcon(element, iconName);
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text; // what is selected stays so
}
