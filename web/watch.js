/**
 * A page that shows a live composite: watch.html#recording=RC_…&token=…
 * @module
 */

import { HlsPlayer } from "./client/hls_player.js";
import { byId } from "./page/dom.js";

const asked = new URLSearchParams(location.hash.slice(1));
const status = byId("status", HTMLElement);
const recording = asked.get("recording") ?? "";
const base = new URL("..", import.meta.url); // as in app.js
const url = new URL(`api/v1/recordings/${encodeURIComponent(recording)}/hls/index.m3u8`, base);

if (recording) {
  const player = new HlsPlayer(byId("video", HTMLVideoElement), url, asked.get("token") ?? "");
  player.on("playing", () => (status.textContent = ""));
  player.on("ended", () => (status.textContent = "That was all."));
  player.on("error", ({ message }) => (status.textContent = message));
} else {
  status.textContent = "The address names no recording.";
}
addEventListener("hashchange", () => location.reload());
