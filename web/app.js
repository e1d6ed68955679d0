/**
 * The page: lobby, call, and the end of it. Everything is built here; the rest are parts.
 * @module
 */

import { isSupported } from "./client/media.js";
import { Room } from "./client/room.js";
import { readInvitation, roomUrl, socketUrl, tokenIn, withoutToken } from "./page/address.js";
import { Call } from "./page/call.js";
import { Devices } from "./page/devices.js";
import { byId } from "./page/dom.js";
import { drawIcons } from "./page/icons.js";
import { Lobby } from "./page/lobby.js";
import { Meter } from "./page/meter.js";
import { plain } from "./page/names.js";
import { Settings } from "./page/settings.js";
import { Visit } from "./page/visit.js";
import { explain, explainNoWebRtc } from "./page/words.js";

/** @typedef {import("./client/participant.js").PublishOptions} PublishOptions */

// This file is at …/assets/app.js, wherever the application is mounted.
const base = new URL("..", import.meta.url);
const address = new URL(location.href);
const visit = new Visit(base);
const invitation = readInvitation(address, base, (room) => visit.token(room));
// For trying things out: /r/room?codec=VP9
const codec = /** @type {PublishOptions["preferredCodec"]} */ (
  address.searchParams.get("codec") ?? undefined
);

const settings = new Settings();
const devices = new Devices(settings);
const meter = new Meter();
const room = new Room();
const lobby = new Lobby(devices, meter);
const call = new Call(room, devices, meter, {
  preferredCodec: codec,
  base,
  token: invitation.token,
});
const ended = byId("ended", HTMLElement);
const again = byId("again", HTMLButtonElement);

/**
 * @param {{name: string, room: string}} wanted
 */
async function join({ name, room: roomName }) {
  const { token, nameFixed } = invitation;
  settings.remember(nameFixed ? { room: roomName } : { name, room: roomName });
  lobby.busy(true);
  try {
    await room.connect(socketUrl(base), { name, room: roomName, ...(token && { token }) });
  } catch (error) {
    lobby.fail(error);
    forgetRefused(/** @type {{code?: string}} */ (error).code);
    return;
  }
  const link = roomUrl(base, room.name);
  history.replaceState(null, "", link.pathname + withoutToken(address).search);
  document.title = `${plain(room.name)} · aiosfu`;
  lobby.hide();
  call.show(link, { personal: Boolean(token) });
}

/**
 * Does not come again with a token that the server did not take.
 * @param {string} [code]
 */
function forgetRefused(code) {
  if (code === "unauthorized" || code === "not_allowed") visit.keepToken(invitation.room, "");
}

/**
 * Shows the last page of a call.
 * @param {{title: string, text: string}} words
 */
function showEnd({ title, text }) {
  call.hide();
  void devices.stop();
  meter.measure(null);
  byId("ended-title", HTMLElement).textContent = title;
  byId("ended-text", HTMLElement).textContent = text;
  ended.hidden = false;
  again.focus();
}

function showLobby() {
  ended.hidden = true;
  lobby.show(invitation, settings.values);
}

/** Keeps what the address says of the invitation, and takes the token out of it. */
function tidyAddress() {
  visit.keepToken(invitation.room, invitation.token);
  const tidy = withoutToken(address);
  // The token may be all that names the room, and is found by it after a reload.
  if (invitation.roomFixed) tidy.pathname = roomUrl(base, invitation.room).pathname;
  history.replaceState(history.state, "", tidy);
}

/** Begins in the lobby; who only reloaded the page is back in the call by that. */
async function start() {
  showLobby();
  if (visit.resumes(invitation.room) && (await devices.permitted())) lobby.submit();
}

let joined = false;
room.on("statechange", ({ state, reason, message }) => {
  document.body.dataset["state"] = state;
  if (state === "connected") joined = true;
  // A join that fails is the lobby's to tell.
  if (state === "disconnected" && joined) {
    joined = false;
    forgetRefused(reason);
    showEnd(explain(reason, message));
  }
});
lobby.on("join", (wanted) => void join(wanted));
again.addEventListener("click", showLobby);
addEventListener("pagehide", () => {
  if (joined) visit.interrupt(room.name);
  // Without it we would stay in the room, silent, for the length of the grace period.
  room.leave();
});
// An invitation that is opened where the page is open already.
addEventListener("hashchange", () => {
  if (tokenIn(new URL(location.href))) location.reload();
});

drawIcons();
tidyAddress();
// For tests and for the curious.
Object.assign(window, { aiosfu: { room } });

if (isSupported()) {
  void start();
} else {
  again.hidden = true;
  showEnd(explainNoWebRtc());
}
