/**
 * The tutorial: a complete client, to read and to copy from. Run `aiosfu serve --dev` and open
 * /assets/example.html in two tabs.
 */

import { Room } from "./client/room.js";

// 1. A room is an object with events. It has no user interface: that is what this file is.
const room = new Room();

// 2. Somebody is there (`existing`: was there before us) or gone: a figure for each.
room.on("participantjoined", ({ participant }) => figure(participant.sid, participant.name));
room.on("participantleft", ({ participant }) => figures.get(participant.sid)?.remove());

// 3. Media comes and goes by itself: whatever is published is received, unless you say otherwise.
//    The video of a camera and the sound of a microphone are two tracks of one participant.
room.on("tracksubscribed", ({ track, participant, mediaStreamTrack }) => {
  const element = document.createElement(mediaStreamTrack.kind === "audio" ? "audio" : "video");
  element.autoplay = true;
  element.srcObject = new MediaStream([mediaStreamTrack]);
  element.dataset["track"] = mediaStreamTrack.id;
  figures.get(participant.sid)?.prepend(element);
  // The server sends no larger a picture than this element shows, and none while it is hidden.
  if (track.kind === "video") room.observe(track, element);
});
room.on("trackunsubscribed", ({ mediaStreamTrack }) => {
  const element = document.querySelector(`[data-track="${mediaStreamTrack.id}"]`);
  if (element) room.unobserve(element);
  element?.remove();
});

// 4. Messages: the topic is yours to choose, the text comes as UTF-8. Show the words of others with
//    textContent, never with innerHTML.
room.on("data", ({ participant, topic, text }) => {
  if (topic === "chat") say(`${participant?.name}: ${text}`);
});

// 5. The library reconnects by itself; tell the person what is going on.
room.on("statechange", ({ state, reason, message }) => {
  status(state === "disconnected" ? `disconnected: ${message || reason}` : state);
  joinForm.hidden = state !== "disconnected";
  callForm.hidden = state === "disconnected";
});
room.on("error", (error) => status(`${error.code}: ${error.message}`));

// 6. Join, then publish a camera and a microphone. A server that is not run with --dev wants an
//    access token: { token } instead of { room, name }.
const joinForm = form("join");
joinForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = new FormData(joinForm);
  try {
    const url = new URL("../ws", import.meta.url);
    url.protocol = url.protocol.replace("http", "ws");
    await room.connect(url, { room: String(field.get("room")), name: String(field.get("name")) });
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    for (const track of media.getTracks()) {
      await room.publish(track, { source: track.kind === "audio" ? "microphone" : "camera" });
    }
  } catch (error) {
    status(String(error));
  }
});

// 7. Mute, send, leave. Tracks are yours: stop them, so that the camera's light goes out.
const callForm = form("call");
const mute = /** @type {HTMLButtonElement} */ (document.querySelector("#mute"));
mute.addEventListener("click", async () => {
  const microphone = room.local.track("microphone");
  if (microphone) await room.mute(microphone, !microphone.muted);
});
room.on("localtrackupdated", ({ track }) => {
  if (track.source === "microphone") mute.ariaPressed = String(track.muted);
});
callForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = String(new FormData(callForm).get("text"));
  callForm.reset();
  await room.sendData(text, { topic: "chat" });
  say(`${room.local.name}: ${text}`);
});
document.querySelector("#leave")?.addEventListener("click", () => room.leave());
room.on("localtrackunpublished", ({ track }) => track.mediaStreamTrack?.stop());
addEventListener("pagehide", () => room.leave());

/** @type {Map<string, HTMLElement>} */
const figures = new Map();

/**
 * @param {string} sid
 * @param {string} name
 */
function figure(sid, name) {
  const element = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = name;
  element.append(caption);
  document.querySelector("#people")?.append(element);
  figures.set(sid, element);
}

/** @param {string} text */
function say(text) {
  const item = document.createElement("li");
  item.textContent = text;
  document.querySelector("#chat")?.append(item);
}

/** @param {string} text */
function status(text) {
  const line = document.querySelector("#status");
  if (line) line.textContent = text;
}

/** @param {string} id */
function form(id) {
  return /** @type {HTMLFormElement} */ (document.getElementById(id));
}
