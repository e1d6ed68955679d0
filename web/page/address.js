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
 * The page that shows a composite live: without a token, too. A tab that is opened from the call
 * finds the one of the room where the call has put it.
 * @param {URL} base
 * @param {{id: string, room: string}} recording
 */
export function watchUrl(base, { id, room }) {
  const url = new URL("assets/watch.html", base);
  url.hash = new URLSearchParams({ recording: id, room }).toString();
  return url;
}

/**
 * The token in an address: in the fragment, which browsers keep to themselves, or in the query,
 * which ends in the logs of servers.
 * @param {URL} url
 * @returns {string} empty when there is none
 */
export function tokenIn(url) {
  return fragment(url).get("token") || url.searchParams.get("token") || "";
}

/**
 * Reads the page's address.
 * @param {URL} url
 * @param {URL} base
 * @param {(room: string) => string} [keptToken] one that an earlier address had for this room
 * @returns {Invitation}
 */
export function readInvitation(url, base, keptToken = () => "") {
  const path = url.pathname.slice(base.pathname.length);
  const room = decode(/^r\/([^/]+)$/.exec(path)?.[1] ?? "");
  const token = tokenIn(url) || keptToken(room);
  const claims = readToken(token);
  return {
    token,
    roomFixed: Boolean(claims.room),
    nameFixed: Boolean(claims.name) && !claims.mayRename,
    room: claims.room || room,
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
  const rest = fragment(url);
  if (rest.has("token")) {
    rest.delete("token");
    clean.hash = rest.toString();
  }
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

/** @param {URL} url */
function fragment(url) {
  return new URLSearchParams(url.hash.slice(1));
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
