/**
 * A page that shows a live composite: watch.html#recording=RC_…&token=…
 *
 * The token is taken out of the address, and kept for reloads of the same tab. A tab that was opened
 * from a call needs none: with `room=` it finds what the call has kept.
 * @module
 */

import { HlsPlayer } from "./client/hls_player.js";
import { readToken, tokenIn, withoutToken } from "./page/address.js";
import { byId } from "./page/dom.js";
import { Visit } from "./page/visit.js";

const address = new URL(location.href);
const asked = new URLSearchParams(address.hash.slice(1));
const status = byId("status", HTMLElement);
const recording = asked.get("recording") ?? "";
const base = new URL("..", import.meta.url); // as in app.js
const url = new URL(`api/v1/recordings/${encodeURIComponent(recording)}/hls/index.m3u8`, base);

/** The token that this tab may use. */
function takeToken() {
  const visit = new Visit(base);
  const given = tokenIn(address);
  const room = asked.get("room") ?? readToken(given).room;
  if (!given) return visit.token(room);
  visit.keepToken(room, given);
  const tidy = withoutToken(address);
  tidy.hash = new URLSearchParams({ recording, room }).toString();
  history.replaceState(null, "", tidy);
  return given;
}

if (recording) {
  const player = new HlsPlayer(byId("video", HTMLVideoElement), url, takeToken());
  player.on("playing", () => (status.textContent = ""));
  player.on("ended", () => (status.textContent = "That was all."));
  player.on("error", ({ message }) => (status.textContent = message));
} else {
  status.textContent = "The address names no recording.";
}
addEventListener("hashchange", () => location.reload());
