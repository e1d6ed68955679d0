/**
 * Short messages that come and go; screen readers speak them.
 * @module
 */

import { byId, create } from "./dom.js";
import { icon } from "./icons.js";

const READING_TIME = 6_000; // ms
const MOST = 4; // at once

/**
 * Begins to show messages, or ends that and removes those that there are.
 * @param {boolean} shown
 */
export function showToasts(shown) {
  const list = byId("toasts", HTMLElement);
  list.hidden = !shown;
  if (!shown) list.replaceChildren();
}

/**
 * Shows a message for a while.
 * @param {string} text
 * @param {{problem?: boolean}} [options]
 */
export function toast(text, { problem = false } = {}) {
  const list = byId("toasts", HTMLElement);
  if (list.hidden) return; // it is about a call that is over
  const element = create("p", { class: problem ? "toast problem" : "toast" });
  if (problem) element.append(icon("warning"));
  element.append(text);
  list.append(element);
  while (list.children.length > MOST) list.firstElementChild?.remove();
  setTimeout(() => element.remove(), problem ? READING_TIME * 2 : READING_TIME);
}
