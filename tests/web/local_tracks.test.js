import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalTracks } from "../../web/client/local_tracks.js";

class Media extends EventTarget {
  kind = "audio";
  enabled = true;
}

/** A published track, and what was requested of the server since. */
function published() {
  const requests = [];
  const tracks = new Set();
  const told = [];
  const local = new LocalTracks(
    tracks,
    () => ({ publish: async () => {}, unpublish: async () => {} }),
    async (message) => void requests.push(message),
    (name) => told.push(name),
  );
  const track = local.add(new Media(), { source: "microphone" });
  track.sid = "TR_1";
  return { local, track, requests, told, tracks };
}

const muted = { sid: "TR_1", muted: true };
const unmuted = { sid: "TR_1", muted: false };

test("muting silences the track here and is told to the server", async () => {
  const { local, track, requests } = published();
  await local.mute(track, true);
  assert.equal(track.mediaStreamTrack.enabled, false);
  assert.deepEqual(requests, [{ type: "mute", track: "TR_1", muted: true }]);
  local.updated(muted);
  assert.equal(track.muted, true);
});

test("an administrator's mute is taken over", () => {
  const { local, track, told } = published();
  local.updated(muted);
  assert.equal(track.muted, true);
  assert.equal(track.mediaStreamTrack.enabled, false);
  assert.deepEqual(told, ["localtrackupdated"]);
});

test("after a resume, a mute made there meanwhile is taken over", () => {
  const { local, track } = published();
  local.reconcile([muted]);
  assert.equal(track.muted, true);
});

test("after a resume, a mute made here meanwhile is told", async () => {
  const { local, track, requests } = published();
  track.muted = true; // the request was lost with the connection
  local.reconcile([unmuted]);
  assert.equal(track.muted, true);
  await local.publish(track);
  assert.deepEqual(requests, [{ type: "mute", track: "TR_1", muted: true }]);
});

test("replacing media keeps the track muted and watches the new one alone", async () => {
  const { local, track, told } = published();
  await local.mute(track, true);
  const [old, next] = [track.mediaStreamTrack, new Media()];
  await local.replace(track, next);
  assert.equal(next.enabled, false);
  told.length = 0;
  old.dispatchEvent(new Event("ended"));
  assert.deepEqual(told, []);
  next.dispatchEvent(new Event("ended"));
  assert.deepEqual(told, ["localtrackended"]);
});
