/**
 * The icons, drawn with lines on a field of 24 by 24.
 * @module
 */

const SVG = "http://www.w3.org/2000/svg";

const MICROPHONE = "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3z";
const STAND = "M6 11a6 6 0 0 0 12 0M12 17v4M9 21h6";
const CAMERA = "M4 6h10a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2z";
const LENS = "M16 10.5 22 7v10l-6-3.5";
const CIRCLE = "M12 12m-8.5 0a8.5 8.5 0 1 0 17 0a8.5 8.5 0 1 0-17 0";
const STROKE = "M3 3l18 18";
const SCREEN =
  "M4 4h16a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM8 21h8M12 17v4";

/** @type {Record<string, string>} */
const PATHS = {
  microphone: MICROPHONE + STAND,
  "microphone-off": MICROPHONE + STAND + STROKE,
  camera: CAMERA + LENS,
  "camera-off": CAMERA + LENS + STROKE,
  screen: SCREEN + "M12 13V8M9.5 10 12 7.5l2.5 2.5",
  "screen-off": SCREEN + "M9.5 8l5 5M14.5 8l-5 5",
  people:
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20v-1a5 5 0 0 1 5-5h3a5 5 0 0 1 5 5v1" +
    "M16 4.3a3.5 3.5 0 0 1 0 6.4M18.5 14.6a5 5 0 0 1 3 4.4v1",
  chat:
    "M4 4h16a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1h-9l-5 4v-4H4a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1z" +
    "M8 9h8M8 12.5h5",
  settings:
    "M4 7h9M17 7h3M15 7m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0" +
    "M4 17h3M11 17h9M9 17m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0",
  leave:
    "M3 14.5c0-1.5 3.5-5 9-5s9 3.5 9 5v1.5a1 1 0 0 1-1 1h-3.2a1 1 0 0 1-1-.9l-.2-1.8" +
    "a12 12 0 0 0-7.2 0l-.2 1.8a1 1 0 0 1-1 .9H4a1 1 0 0 1-1-1z",
  link:
    "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.3 1.3" +
    "M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.3-1.3",
  done: "M5 12.5l5 5L19.5 7",
  pin: "M9 3h6M10 3v6l-3 4v2h10v-2l-3-4V3M12 15v6",
  chart: "M4 20h16M7 16v-4M12 16V6M17 16v-7",
  record: CIRCLE + "M12 12m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0",
  "record-stop": CIRCLE + "M9.2 9.2h5.6v5.6H9.2zM11 11h2v2h-2zM12 12v.1", // a full square, of lines
  close: "M6 6l12 12M18 6 6 18",
  download: "M12 4v11M7.5 10.5 12 15l4.5-4.5M5 20h14",
  delete: "M4 7h16M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13M10.5 11v5.5M13.5 11v5.5",
  send: "M4 12 20 4l-6 16-3-7z",
  speaker: "M4 9.5v5h3.5L12 19V5L7.5 9.5zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  warning: "M12 4 2.5 20h19zM12 10v5M12 17.5v.1",
};

/**
 * Draws an icon; what it means must be said elsewhere.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name] ?? "");
  svg.append(path);
  return svg;
}

/**
 * Puts an icon into an element in place of the one that it has.
 * @param {HTMLElement} element
 * @param {string} name
 */
export function setIcon(element, name) {
  if (element.dataset["shown"] === name) return;
  element.dataset["shown"] = name;
  element.querySelector(":scope > .icon")?.remove();
  element.prepend(icon(name));
}

/** Draws the icons that the page asks for by `data-icon`. */
export function drawIcons() {
  for (const element of document.querySelectorAll("[data-icon]")) {
    if (element instanceof HTMLElement) setIcon(element, element.dataset["icon"] ?? "");
  }
}
