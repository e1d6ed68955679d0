/**
 * Reads the playlists of a live composite (RFC 8216), as far as this server writes them.
 * @module
 */

/**
 * @typedef {object} Segment
 * @property {number} number media sequence number
 * @property {string} uri
 * @property {string} init what to append before it
 * @property {number} duration seconds
 */

/**
 * @typedef {object} Playlist
 * @property {Array<Segment>} segments
 * @property {boolean} ended
 */

/**
 * The one variant of a multivariant playlist.
 * @param {string} text
 * @returns {{uri: string, codecs: string}}
 */
export function parseMaster(text) {
  const lines = linesOf(text);
  const at = lines.findIndex((line) => line.startsWith("#EXT-X-STREAM-INF:"));
  const uri = lines[at + 1];
  const codecs = /CODECS="([^"]*)"/.exec(lines[at] ?? "")?.[1];
  if (at < 0 || !uri || !codecs) throw new Error("The playlist has no variant.");
  return { uri, codecs };
}

/**
 * @param {string} text
 * @returns {Playlist}
 */
export function parsePlaylist(text) {
  /** @type {Array<Segment>} */
  const segments = [];
  let number = 0;
  let duration = 0;
  let init = "";
  let ended = false;
  for (const line of linesOf(text)) {
    const [tag = "", value = ""] = splitOnce(line, ":");
    if (tag === "#EXT-X-MEDIA-SEQUENCE") number = Number(value);
    else if (tag === "#EXTINF") duration = Number.parseFloat(value);
    else if (tag === "#EXT-X-MAP") init = /URI="([^"]*)"/.exec(value)?.[1] ?? "";
    else if (tag === "#EXT-X-ENDLIST") ended = true;
    else if (!line.startsWith("#")) {
      segments.push({ number, uri: line, init, duration });
      number += 1;
    }
  }
  return { segments, ended };
}

/** @param {string} text */
function linesOf(text) {
  const lines = text.split(/\r?\n/).filter((line) => line !== "");
  if (lines[0] !== "#EXTM3U") throw new Error("This is no playlist.");
  return lines;
}

/**
 * @param {string} text
 * @param {string} separator
 */
function splitOnce(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
