/**
 * What the page's address says, and addresses to give to others.
 *
 * The application may be mounted anywhere: everything is found relative to the assets, and those
 * know where they came from.
 * @module
 */

/**
 * @typedef {object} Invitation
 * @property {string} room empty when the address names none
 * @property {string} name
 * @property {string} token
 * @property {boolean} roomFixed the token decides it
 * @property {boolean} nameFixed
 */

/**
 * Address of the WebSocket.
 * @param {URL} base of the application, ending in a slash
 */
export function socketUrl(base) {
  const url = new URL("ws", base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/**
 * The link to a room: without a token, which is for one person.
 * @param {URL} base
 * @param {string} room
 */
export function roomUrl(base, room) {
  return new URL(`r/${encodeURIComponent(room)}`, base);
}

/**
 * Reads the page's address.
 * @param {URL} url
 * @param {URL} base
 * @returns {Invitation}
 */
export function readInvitation(url, base) {
  const token = url.searchParams.get("token") ?? "";
  const claims = readToken(token);
  const path = url.pathname.slice(base.pathname.length);
  const room = /^r\/([^/]+)$/.exec(path)?.[1] ?? "";
  return {
    token,
    roomFixed: Boolean(claims.room),
    nameFixed: Boolean(claims.name) && !claims.mayRename,
    room: claims.room || decode(room),
    name: claims.name,
  };
}

/**
 * The same address without the token, which must not stay in the history or be copied by accident.
 * @param {URL} url
 */
export function withoutToken(url) {
  const clean = new URL(url);
  clean.searchParams.delete("token");
  return clean;
}

/**
 * Reads the claims that the page can use; whether they are true is for the server to say.
 * @param {string} token a JWT
 * @returns {{room: string, name: string, mayRename: boolean}}
 */
export function readToken(token) {
  try {
    const payload = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    const { room = "", canUpdateOwnMetadata = false } = claims.video ?? {};
    const name = String(claims.name || claims.sub || "");
    return { room: String(room), name, mayRename: Boolean(canUpdateOwnMetadata) };
  } catch {
    return { room: "", name: "", mayRename: true };
  }
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
