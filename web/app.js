/**
 * The page: lobby, call, and the end of it. Everything is built here; the rest are parts.
 * @module
 */

import { isSupported } from "./client/media.js";
import { Room } from "./client/room.js";
import { readInvitation, roomUrl, socketUrl, withoutToken } from "./page/address.js";
import { Call } from "./page/call.js";
import { Devices } from "./page/devices.js";
import { byId } from "./page/dom.js";
import { drawIcons } from "./page/icons.js";
import { Lobby } from "./page/lobby.js";
import { Meter } from "./page/meter.js";
import { Settings } from "./page/settings.js";
import { explain, explainNoWebRtc } from "./page/words.js";

/** @typedef {import("./client/participant.js").PublishOptions} PublishOptions */

// This file is at …/assets/app.js, wherever the application is mounted.
const base = new URL("..", import.meta.url);
const address = new URL(location.href);
const invitation = readInvitation(address, base);
// For trying things out: /r/room?codec=VP9
const codec = /** @type {PublishOptions["preferredCodec"]} */ (
  address.searchParams.get("codec") ?? undefined
);

const settings = new Settings();
const devices = new Devices(settings);
const meter = new Meter();
const room = new Room();
const lobby = new Lobby(devices, meter);
const call = new Call(room, devices, meter, codec);
const ended = byId("ended", HTMLElement);
const again = byId("again", HTMLButtonElement);

/**
 * @param {{name: string, room: string}} wanted
 */
async function join({ name, room: roomName }) {
  settings.remember({ name, room: roomName });
  lobby.busy(true);
  try {
    const { token } = invitation;
    await room.connect(socketUrl(base), { name, room: roomName, ...(token && { token }) });
  } catch (error) {
    lobby.fail(error);
    return;
  }
  const link = roomUrl(base, room.name);
  history.replaceState(null, "", link.pathname + withoutToken(address).search);
  document.title = `${room.name} · aiosfu`;
  lobby.hide();
  call.show(link);
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

let joined = false;
room.on("statechange", ({ state, reason, message }) => {
  document.body.dataset["state"] = state;
  if (state === "connected") joined = true;
  // A join that fails is the lobby's to tell.
  if (state === "disconnected" && joined) {
    joined = false;
    showEnd(explain(reason, message));
  }
});
lobby.on("join", (wanted) => void join(wanted));
again.addEventListener("click", showLobby);
// Without it we would stay in the room, silent, for the length of the grace period.
addEventListener("pagehide", () => room.leave());

drawIcons();
history.replaceState(history.state, "", withoutToken(address));
// For tests and for the curious.
Object.assign(window, { aiosfu: { room } });

if (isSupported()) {
  showLobby();
} else {
  again.hidden = true;
  showEnd(explainNoWebRtc());
}
