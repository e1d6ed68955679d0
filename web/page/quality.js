/**
 * Three bars for how good somebody's connection is.
 * @module
 */

import { create } from "./dom.js";
import { explainQuality } from "./words.js";

/** @typedef {import("../client/protocol.js").Quality} Quality */

/** An element that shows a quality. */
export class QualityBars {
  element = create(
    "span",
    { class: "bars", attributes: { role: "img" } },
    create("i"),
    create("i"),
    create("i"),
  );

  constructor() {
    this.show(null);
  }

  /** @param {Quality | null} quality null: unknown, nothing is shown */
  show(quality) {
    const { element } = this;
    element.hidden = quality === null;
    if (quality === null || element.dataset["quality"] === quality) return;
    element.dataset["quality"] = quality;
    const text = explainQuality(quality);
    element.setAttribute("aria-label", text);
    element.title = text;
  }
}
