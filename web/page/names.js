/**
 * Names as they are shown: others choose theirs freely.
 * @module
 */

// Embeddings, overrides and isolates (Unicode UAX #9): with them a name could turn round what
// follows it, and pass for somebody else's.
const BIDI_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;

/**
 * A text of somebody else's, without what would change the text around it.
 * @param {string} text
 */
export function plain(text) {
  return text.replace(BIDI_CONTROLS, "");
}

/**
 * The name to show for a participant.
 * @param {{name: string, identity: string}} person
 */
export function shownName({ name, identity }) {
  return plain(name).trim() || plain(identity);
}

/**
 * Names as one would say them.
 * @param {string[]} names one or more
 */
export function enumerate(names) {
  const [first, second, third] = names;
  if (names.length > 3) return `${first} and ${names.length - 1} others`;
  return third === undefined ? names.join(" and ") : `${first}, ${second} and ${third}`;
}
