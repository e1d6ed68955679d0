/**
 * The panel of those who may record the room: begin, end, get and delete recordings.
 * @module
 */

import { RecordingFiles } from "../client/recording_files.js";
import { watchUrl } from "./address.js";
import { byId } from "./dom.js";
import { RecordingForm } from "./recording_form.js";
import { RecordingItem } from "./recording_item.js";
import { explainWatchLink } from "./recording_words.js";

/** @typedef {import("../client/protocol.js").RecordingInfo} RecordingInfo */
/** @typedef {import("../client/room.js").Room} Room */
/** @typedef {import("./recording_item.js").RecordingActions} RecordingActions */

const INTERVAL = 2_000; // ms between looks, while something is recorded
const KEPT_TIME = 60_000; // ms for which the browser may take to begin with a download

/** The form and the list; looks at the server while it is open. */
export class RecordingPanel {
  #title = byId("recordings-title", HTMLElement);
  #empty = byId("recordings-empty", HTMLElement);
  #list = byId("recordings-list", HTMLElement);
  #dialog = byId("delete-dialog", HTMLDialogElement);
  /** By id. @type {Map<string, RecordingItem>} */
  #items = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #open = false;
  /** Counts looks: an answer to an older question is no news. */
  #looks = 0;
  /** @type {RecordingActions} */
  #actions = {
    stop: (id) => this.#try(() => this.#room.stopRecording(id)),
    delete: (id, title) => this.#delete(id, title),
    files: async (id) => {
      let files = null;
      await this.#try(async () => {
        files = await this.#files.list(id);
      });
      return files;
    },
    download: (id, name, progress) =>
      this.#try(async () => save(await this.#files.fetch(id, name, progress), name)),
  };
  #form = new RecordingForm((request) =>
    this.#try(async () => {
      await this.#room.startRecording(request);
      this.#form.running = true;
      this.#title.scrollIntoView(); // the newest one comes below it
      this.#title.focus();
      await this.#look();
    }),
  );
  #room;
  #base;
  #personal;
  #files;
  #starter;
  #failed;

  /**
   * @param {Room} room
   * @param {object} options
   * @param {URL} options.base of the application
   * @param {string} options.token empty where none is needed
   * @param {(identity: string) => string} options.starter the name of who started a recording
   * @param {(error: unknown) => void} options.failed called where the server refuses
   */
  constructor(room, { base, token, starter, failed }) {
    this.#room = room;
    this.#base = base;
    this.#personal = Boolean(token);
    this.#files = new RecordingFiles(base, token);
    this.#starter = starter;
    this.#failed = failed;
    room.on("recordingchanged", () => void this.#look());
  }

  /** @param {boolean} open */
  set open(open) {
    this.#open = open;
    if (!open && this.#dialog.open) this.#dialog.close();
    void this.#look();
  }

  /** Forgets what was shown: the next room has other recordings. */
  clear() {
    this.open = false;
    this.#items.clear();
    this.#list.replaceChildren();
  }

  async #look() {
    clearTimeout(this.#timer);
    const look = ++this.#looks;
    if (!this.#open || this.#room.state !== "connected") return;
    await this.#try(async () => {
      const recordings = await this.#room.listRecordings();
      if (look !== this.#looks) return;
      this.#render(recordings);
      if (recordings.some(({ ended_at }) => ended_at === null)) {
        this.#timer = setTimeout(() => void this.#look(), INTERVAL);
      }
    });
  }

  /** @param {RecordingInfo[]} recordings the newest first */
  #render(recordings) {
    this.#empty.hidden = recordings.length > 0;
    const present = new Set(recordings.map(({ id }) => id));
    for (const [id, { element }] of this.#items) {
      if (present.has(id)) continue;
      element.remove();
      this.#items.delete(id);
    }
    recordings.forEach((info, index) => {
      const item = this.#items.get(info.id) ?? this.#add(info);
      item.show(info, this.#starter(info.started_by));
      // Only what is not in its place is moved: elements lose the focus by that.
      const there = this.#list.children[index] ?? null;
      if (there !== item.element) this.#list.insertBefore(item.element, there);
    });
    this.#form.running = recordings.some(({ state }) => state === "starting" || state === "active");
  }

  /** @param {RecordingInfo} info */
  #add(info) {
    const link = watchUrl(this.#base, info).href;
    const item = new RecordingItem(info, this.#actions, {
      link,
      note: explainWatchLink(this.#personal),
    });
    this.#items.set(info.id, item);
    return item;
  }

  /**
   * @param {string} id
   * @param {string} title
   */
  async #delete(id, title) {
    byId("delete-text", HTMLElement).textContent =
      `The recording of ${title} goes with all its files, for everybody and for good.`;
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    await new Promise((resolve) => this.#dialog.addEventListener("close", resolve, { once: true }));
    if (this.#dialog.returnValue !== "delete") return;
    await this.#try(() => this.#files.delete(id));
    await this.#look();
    if (!this.#items.has(id)) this.#title.focus();
  }

  /** @param {() => Promise<void>} action */
  async #try(action) {
    try {
      await action();
    } catch (error) {
      this.#failed(error);
    }
  }
}

/**
 * Gives a file to the browser's downloads.
 * @param {Blob | URL} content
 * @param {string} name
 */
function save(content, name) {
  const anchor = document.createElement("a");
  if (content instanceof URL) {
    // A store may show it rather than save it: not in place of the call.
    Object.assign(anchor, { href: content.href, target: "_blank", rel: "noopener noreferrer" });
  } else {
    anchor.href = URL.createObjectURL(content);
    setTimeout(() => URL.revokeObjectURL(anchor.href), KEPT_TIME);
  }
  anchor.download = name.split("/").at(-1) ?? name;
  anchor.click();
}
