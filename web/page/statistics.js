/**
 * The panel that tells how well media gets through, and why it is what it is.
 * @module
 */

import { byId, create } from "./dom.js";
import { Rates, showLayers, showRate, showStream } from "./figures.js";
import { shownName } from "./names.js";
import { QualityBars } from "./quality.js";
import { capitalize, explainChoice, explainLimit, explainMode, explainPause } from "./words.js";

/** @typedef {import("../client/participant.js").LocalTrack} LocalTrack */
/** @typedef {import("../client/participant.js").RemoteTrack} RemoteTrack */
/** @typedef {import("../client/protocol.js").MediaInfo} MediaInfo */
/** @typedef {import("../client/protocol.js").ReceivedTrackInfo} ReceivedTrackInfo */
/** @typedef {import("../client/room.js").Room} Room */
/** @typedef {import("./figures.js").Figures} Figures */

const INTERVAL = 1_000; // ms; as often as the server reports

/** Shows figures while it is open. */
export class Statistics {
  #connection = byId("stats-connection", HTMLElement);
  #received = byId("stats-received", HTMLElement);
  #sent = byId("stats-sent", HTMLElement);
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** The server's last report. @type {MediaInfo | null} */
  #report = null;
  #receiving = new Rates();
  #sending = new Rates();
  #room;

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    room.on("mediareport", ({ status }) => {
      this.#report = status;
    });
    room.on("statechange", () => {
      this.#report = null; // it may be of another session
    });
  }

  /** @param {boolean} open */
  set open(open) {
    if (open === (this.#timer !== undefined)) return;
    this.#room.watchMedia(open);
    if (open) {
      this.#timer = setInterval(() => void this.#look(), INTERVAL);
      void this.#look();
    } else {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#report = null;
    }
  }

  async #look() {
    const { publisher, subscriber } = await this.#room.getStats();
    const received = this.#receiving.read(subscriber, "inbound-rtp");
    const sent = this.#sending.read(publisher, "outbound-rtp");
    this.#connection.replaceChildren(...this.#connectionRows(received));
    this.#received.replaceChildren(...this.#receivedItems(received));
    this.#sent.replaceChildren(...this.#sentItems(sent));
    for (const list of [this.#received, this.#sent]) {
      const section = list.parentElement;
      if (section) section.hidden = list.childElementCount === 0;
    }
  }

  /** @param {Figures[]} received */
  #connectionRows(received) {
    const report = this.#report;
    const total = received.reduce((sum, { bitrate }) => sum + bitrate, 0);
    const rows = [];
    const quality = this.#room.local.quality ?? report?.quality; // the first is told on change
    if (quality) {
      const bars = new QualityBars();
      bars.show(quality);
      rows.push(row("Your connection", capitalize(quality), bars.element));
    }
    if (report) {
      rows.push(row("Available", available(report)));
      rows.push(row("Wanted", showRate(report.wanted)));
      rows.push(row("Receiving", showRate(total)));
      rows.push(row("Round trip", report.round_trip ? milliseconds(report.round_trip) : "unknown"));
      rows.push(row("Lost packets", `${(report.loss * 100).toFixed(1)} %`));
      rows.push(row("Waiting on the way", milliseconds(report.queue_delay)));
    } else {
      rows.push(row("Receiving", showRate(total)));
    }
    return rows.flat();
  }

  /** @param {Figures[]} received */
  #receivedItems(received) {
    const byTrack = new Map(received.map((figures) => [figures.track, figures]));
    const reports = new Map(this.#report?.tracks.map((info) => [info.track, info]));
    const items = [];
    for (const participant of this.#room.participants.values()) {
      for (const track of participant.tracks.values()) {
        if (track.kind !== "video" || track.muted) continue;
        const figures = byTrack.get(track.mediaStreamTrack?.id ?? "");
        const name = shownName(participant);
        const title = track.source === "camera" ? name : `${name}'s screen`;
        items.push(receivedItem(title, track, figures, reports.get(track.sid)));
      }
    }
    return items;
  }

  /** @param {Figures[]} sent */
  #sentItems(sent) {
    const videos = [...this.#room.local.tracks].filter(
      (track) => track.kind === "video" && !track.muted && track.transceiver,
    );
    return videos.map((track) => sentItem(track, sent));
  }
}

/**
 * @param {string} title
 * @param {RemoteTrack} track
 * @param {Figures | undefined} figures
 * @param {ReceivedTrackInfo | undefined} info
 */
function receivedItem(title, track, figures, info) {
  const item = create("li", { class: "stream" }, create("strong", { text: title }));
  const nothing = explainPause(track) || "Nothing arrives";
  line(item, (figures && showStream(figures)) || nothing, "stream-figures");
  if (!info) return item;
  const layers = showLayers(info);
  if (layers.length > 1) item.append(sizes(layers.map(chip)));
  line(item, explainChoice(info, Date.now() / 1000), "stream-reason");
  return item;
}

/**
 * @param {LocalTrack} track
 * @param {Figures[]} sent
 */
function sentItem(track, sent) {
  const title = track.source === "camera" ? "Your camera" : "Your screen";
  const item = create("li", { class: "stream" }, create("strong", { text: title }));
  const { transceiver } = track;
  const streams = sent.filter(({ mid }) => mid && mid === transceiver?.mid);
  const { height = 0 } = track.mediaStreamTrack?.getSettings() ?? {};
  const encodings = transceiver?.sender.getParameters().encodings ?? [];
  /** The same for all of them, mostly. @type {Set<string>} */
  const limits = new Set();
  for (const { rid, active, scaleResolutionDownBy = 1 } of encodings) {
    const figures = streams.find((one) => one.rid === (rid ?? ""));
    const flows = figures && showStream(figures);
    const size = height ? `${Math.floor(height / scaleResolutionDownBy)}p: ` : "";
    const text = active ? flows || `${size}nothing is sent` : `${size}off, nobody needs it`;
    line(item, text, active && flows ? "stream-figures" : "stream-figures off");
    if (active && figures?.limit) limits.add(figures.limit);
  }
  for (const limit of limits) line(item, explainLimit(limit), "stream-reason");
  return item;
}

/**
 * Their looks tell what becomes of them, and their titles.
 * @param {HTMLElement[]} chips
 */
function sizes(chips) {
  const text = chips.map(({ title }) => title).join("; ");
  const attributes = { role: "img", "aria-label": `Sizes: ${text}` };
  return create("span", { class: "layers", attributes }, ...chips);
}

/**
 * @param {{label: string, wanted: boolean, chosen: boolean, current: boolean}} layer
 */
function chip({ label, wanted, chosen, current }) {
  const states = [wanted && "wanted", chosen && "chosen", current && "sent"].filter(Boolean);
  const element = create("span", { class: ["layer", ...states].join(" "), text: label });
  element.title = states.length ? `${label}: ${states.join(", ")}` : label;
  return element;
}

/**
 * @param {HTMLElement} item
 * @param {string} text
 * @param {string} name of the class
 */
function line(item, text, name) {
  if (text) item.append(create("p", { class: name, text }));
}

/**
 * @param {string} term
 * @param {string} text
 * @param {Node[]} before
 */
function row(term, text, ...before) {
  const description = create("dd", {}, ...before, document.createTextNode(text));
  return [create("dt", { text: term }), description];
}

/** @param {MediaInfo} report */
function available({ estimate, mode }) {
  return estimate === null ? "unknown" : `${showRate(estimate)} ${explainMode(mode)}`.trim();
}

/** @param {number} seconds */
function milliseconds(seconds) {
  return `${Math.round(seconds * 1000)} ms`;
}
