import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionError, RequestError } from "../../web/client/errors.js";
import { Participant, RemoteTrack } from "../../web/client/participant.js";
import { exposure } from "../../web/client/showing.js";
import { TrackSettingsSender } from "../../web/client/track_settings.js";

/** @param {string} sid */
function received(sid) {
  const track = new RemoteTrack(new Participant({ sid: "PA_a" }), { sid, kind: "video" });
  track.receiver = {};
  return track;
}

/** A server that notes what it is told, and may refuse. */
class Server {
  messages = [];
  error = null;
  request = async (message) => {
    this.messages.push(message);
    if (this.error) throw this.error;
    return { type: "ok", id: 1 };
  };
}

const settled = (time = 10) => new Promise((resolve) => setTimeout(resolve, time));

test("changes of a moment are one message with all settings", async () => {
  const server = new Server();
  const sender = new TrackSettingsSender(server.request);
  const track = received("TR_1");
  sender.change(track, { width: 640, height: 360 });
  sender.change(track, { priority: 200 });
  await settled();
  assert.deepEqual(server.messages, [
    {
      type: "track_settings",
      track: "TR_1",
      visible: true,
      width: 640,
      height: 360,
      fps: 0,
      priority: 200,
      layer: null,
      temporal: null,
      paused: false,
    },
  ]);
  sender.change(track, { width: 640 });
  await settled();
  assert.equal(server.messages.length, 1, "what the server knows is not told again");
});

test("what is not received is told as soon as it is, and again after a new beginning", async () => {
  const server = new Server();
  const sender = new TrackSettingsSender(server.request);
  const track = received("TR_1");
  track.receiver = null;
  sender.change(track, { visible: false });
  await settled();
  assert.equal(server.messages.length, 0);
  track.receiver = {};
  sender.update(track);
  await settled();
  assert.equal(server.messages.length, 1);
  sender.forget(track);
  sender.update(track);
  await settled();
  assert.equal(server.messages.length, 2);
});

test("a server that does not know the message is spared it until the next session", async () => {
  const server = new Server();
  const sender = new TrackSettingsSender(server.request);
  const [one, two] = [received("TR_1"), received("TR_2")];
  server.error = new RequestError("bad_request", "unknown type");
  sender.change(one, { visible: false });
  await settled();
  sender.change(two, { visible: false });
  await settled();
  assert.equal(server.messages.length, 1);
  server.error = null;
  sender.renew();
  sender.update(one);
  sender.update(two);
  await settled();
  assert.deepEqual(server.messages.map(({ track }) => track), ["TR_1", "TR_1", "TR_2"]);
});

test("what was lost with the connection is told after it is back", async () => {
  const server = new Server();
  const sender = new TrackSettingsSender(server.request);
  server.error = new ConnectionError("connection_lost", "");
  sender.change(received("TR_1"), { visible: false });
  await settled();
  assert.equal(server.messages.length, 1);
  server.error = null;
  sender.renew();
  await settled();
  assert.equal(server.messages.length, 2);
});

test("what was too much is told later, what has ended is not", async () => {
  const server = new Server();
  const sender = new TrackSettingsSender(server.request);
  server.error = new RequestError("track_not_found", "");
  sender.change(received("TR_1"), { visible: false });
  await settled();
  server.error = new RequestError("rate_limited", "");
  sender.change(received("TR_2"), { visible: false });
  await settled();
  server.error = null;
  await settled(1_100);
  assert.deepEqual(server.messages.map(({ track }) => track), ["TR_1", "TR_2", "TR_2"]);
});

test("a room full of tiles does not make a flood", async () => {
  const server = new Server();
  const sender = new TrackSettingsSender(server.request);
  for (let index = 0; index < 50; index++) {
    sender.change(received(`TR_${index}`), { width: 160, height: 90 });
  }
  await settled();
  assert.ok(server.messages.length <= 30);
  await settled(1_100);
  assert.equal(server.messages.length, 50);
});

test("of several views the largest counts, and a size holds on while nothing is seen", () => {
  const last = { width: 320, height: 180 };
  const views = [
    { width: 160, height: 300 },
    { width: 640, height: 90 },
  ];
  assert.deepEqual(exposure(views, last), { visible: true, width: 640, height: 300 });
  assert.deepEqual(exposure([], last), { visible: false, ...last });
});
