import assert from "node:assert/strict";
import { test } from "node:test";
import { DataSender, decodeBase64, encodeBase64 } from "../../web/client/data.js";

test("bytes survive base64", () => {
  for (const length of [0, 1, 2, 3, 255, 8191, 8192, 8193, 100_000]) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 7 + length) % 256);
    assert.deepEqual(decodeBase64(encodeBase64(bytes)), bytes);
  }
});

/** Channels that are open or not, and a WebSocket whose replies wait to be given. */
function sender() {
  const sent = [];
  const replies = [];
  const state = { open: false };
  const channels = {
    send: (message) => {
      if (state.open) sent.push(["channel", message]);
      return state.open;
    },
  };
  const request = (message) => {
    sent.push(["websocket", message]);
    return new Promise((resolve, reject) => replies.push({ resolve, reject }));
  };
  return { sent, replies, state, sender: new DataSender(request, () => channels) };
}

test("text goes as UTF-8, views as the bytes that they show", async () => {
  const { sent, state, sender: data } = sender();
  state.open = true;
  await data.send("Grüße", {});
  await data.send(new Uint8Array([1, 2, 3, 4]).subarray(1, 3), {});
  await data.send(new Uint8Array([9]).buffer, {});
  const payloads = sent.map(([, message]) => decodeBase64(message.payload));
  assert.equal(new TextDecoder().decode(payloads[0]), "Grüße");
  assert.deepEqual([...payloads[1]], [2, 3]);
  assert.deepEqual([...payloads[2]], [9]);
});

test("what went by WebSocket is not overtaken in the channel", async () => {
  const { sent, replies, state, sender: data } = sender();
  const first = data.send("1", {});
  state.open = true;
  const second = data.send("2", {});
  assert.deepEqual(sent.map(([way]) => way), ["websocket", "websocket"]);
  for (const { resolve } of replies) resolve({ type: "ok" });
  await Promise.all([first, second]);
  await data.send("3", {});
  assert.equal(sent[2][0], "channel");
});

test("a refusal is told and does not block the channel", async () => {
  const { sent, replies, state, sender: data } = sender();
  const first = data.send("1", { topic: "t", destinations: ["bob"], reliable: false });
  assert.deepEqual(sent[0][1], {
    type: "send_data",
    topic: "t",
    destinations: ["bob"],
    reliable: false,
    payload: "MQ==",
  });
  replies[0].reject(new Error("refused"));
  await assert.rejects(first, /refused/);
  state.open = true;
  await data.send("2", {});
  assert.equal(sent[1][0], "channel");
});
