/**
 * One tile: a person, or a screen that somebody shares.
 * @module
 */

import { create, label } from "./dom.js";
import { icon, setIcon } from "./icons.js";
import { QualityBars } from "./quality.js";

/** @typedef {import("../client/participant.js").RemoteTrack} RemoteTrack */
/** @typedef {import("../client/protocol.js").Quality} Quality */
/** @typedef {import("./grid.js").Rectangle} Rectangle */

/**
 * What a tile shows.
 * @typedef {object} Picture
 * @property {string} key tells tiles apart
 * @property {string} name of the person
 * @property {string} identity of the person, which gives the colour
 * @property {string} caption
 * @property {boolean} screen a shared screen: shown whole, and large
 * @property {boolean} mirrored as people know themselves
 * @property {boolean} muted their microphone is; never for a screen
 * @property {MediaStreamTrack | null} video
 * @property {RemoteTrack | null} received what the video is of, where it comes from somebody else
 * @property {Quality | null} quality of the person's connection, where it is known
 * @property {string} note what is wrong, in plain words
 */

const MUTED = { role: "img", "aria-label": "microphone off" };

/** An element that shows a Picture. */
export class Tile {
  element;
  #video = create("video", { attributes: { "aria-hidden": "true" } });
  #avatar;
  #caption = create("span", { class: "caption-text" });
  #muted = create("span", { class: "caption-muted", attributes: MUTED }, icon("microphone-off"));
  #bars = new QualityBars();
  #note = create("p", { class: "tile-note" });
  #pin = create("button", { class: "pin", attributes: { type: "button" } });
  /** @type {MediaStreamTrack | null} */
  #shown = null;

  /**
   * @param {Picture} picture
   * @param {{pinned: () => void, reshaped: () => void}} listener the pin was clicked; `shape` is
   *   another one
   */
  constructor(picture, { pinned, reshaped }) {
    // Video elements are silent: sound has elements of its own, so that moving or hiding a tile
    // never interrupts it, and silent video may always play.
    this.#video.muted = this.#video.autoplay = this.#video.playsInline = true;
    this.#video.disablePictureInPicture = !picture.screen;
    this.#avatar = avatar(picture.name, picture.identity);
    setIcon(this.#pin, "pin");
    this.#pin.addEventListener("click", pinned);
    if (picture.screen) this.#video.addEventListener("resize", reshaped);
    this.element = create(
      "article",
      { class: "tile", attributes: { "data-key": picture.key } },
      this.#avatar,
      this.#video,
      this.#note,
      create("p", { class: "caption" }, this.#muted, this.#caption, this.#bars.element),
      this.#pin,
    );
    this.update(picture, false);
  }

  /**
   * @param {Picture} picture
   * @param {boolean} focused
   */
  update(picture, focused) {
    const { element } = this;
    element.classList.toggle("screen", picture.screen);
    element.classList.toggle("mirrored", picture.mirrored);
    element.classList.toggle("focused", focused);
    element.setAttribute("aria-label", picture.caption);
    this.#caption.textContent = picture.caption;
    this.#muted.hidden = !picture.muted;
    this.#bars.show(picture.quality);
    this.#note.textContent = picture.note;
    this.#note.hidden = !picture.note;
    this.#pin.setAttribute("aria-pressed", String(focused));
    label(this.#pin, focused ? `Make ${picture.caption} small` : `Make ${picture.caption} large`);
    this.#avatar.hidden = picture.screen; // else it is seen until the first frame covers it
    this.#video.hidden = picture.video === null;
    if (picture.video === this.#shown) return;
    this.#shown = picture.video;
    this.#video.srcObject = picture.video && new MediaStream([picture.video]);
  }

  /** @param {Rectangle} rectangle */
  place({ x, y, width, height }) {
    const { style } = this.element;
    style.transform = `translate(${x}px, ${y}px)`;
    style.width = `${width}px`;
    style.height = `${height}px`;
    this.element.classList.toggle("tiny", width < 150 || height < 100);
  }

  /** Width of the picture for a height of 1, where it is to be seen whole and is known. */
  get shape() {
    const { videoWidth, videoHeight } = this.#video;
    const screen = this.element.classList.contains("screen");
    return screen && videoWidth && videoHeight ? videoWidth / videoHeight : undefined;
  }

  /** @param {boolean} speaking */
  set speaking(speaking) {
    this.element.classList.toggle("speaking", speaking);
  }

  remove() {
    this.#video.srcObject = null;
    this.element.remove();
  }
}

/**
 * A disc with the initials, in a colour of the person's own.
 * @param {string} name
 * @param {string} identity
 */
export function avatar(name, identity) {
  const disc = create("span", { text: initials(name), attributes: { "aria-hidden": "true" } });
  const element = create("div", { class: "avatar" }, disc);
  element.style.setProperty("--hue", String(hue(identity)));
  return element;
}

/**
 * Up to two letters for a name.
 * @param {string} name
 */
export function initials(name) {
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean);
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
  const letters = chosen.map((word) => [...(word ?? "")][0]);
  return letters.join("").toUpperCase() || "?";
}

/** @param {string} text */
function hue(text) {
  let sum = 0;
  for (const character of text) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return sum;
}
