/**
 * A few words for what the DOM says at length. Texts are set as texts, never as HTML.
 * @module
 */

/**
 * The element with this id, which must exist and be of this class.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {{new (): T}} type
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`The page has no ${type.name} "${id}".`);
  return element;
}

/**
 * Makes an element.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {{class?: string, text?: string, attributes?: Record<string, string>}} [options]
 * @param {Array<Node>} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function create(name, options = {}, ...children) {
  const element = document.createElement(name);
  if (options.class) element.className = options.class;
  if (options.text !== undefined) element.textContent = options.text;
  for (const [key, value] of Object.entries(options.attributes ?? {})) {
    element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/**
 * Names a button for all who cannot see its icon, and for those who wonder.
 * @param {HTMLElement} button
 * @param {string} label
 */
export function label(button, label) {
  button.setAttribute("aria-label", label);
  button.title = label;
}

/**
 * Wraps a function so that many calls in a row become one, soon after.
 * @param {() => void} action
 * @returns {() => void}
 */
export function coalesced(action) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    queueMicrotask(() => {
      due = false;
      action();
    });
  };
}
