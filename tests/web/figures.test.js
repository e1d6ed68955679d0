import assert from "node:assert/strict";
import { test } from "node:test";
import { Rates, showLayers, showRate, showStream } from "../../web/page/figures.js";
import { explainChoice, explainPause, explainUnseated } from "../../web/page/words.js";

const layer = (spatial, temporal, height) => ({
  spatial,
  temporal,
  rid: "",
  width: (height * 16) / 9,
  height,
  bitrate: 1,
});
const LOW = layer(0, 2, 180);
const HIGH = layer(1, 2, 360);

/** @param {number} bytes @param {number} timestamp ms */
function report(bytes, timestamp) {
  const stream = {
    id: "I1",
    type: "inbound-rtp",
    kind: "video",
    trackIdentifier: "t",
    bytesReceived: bytes,
    timestamp,
    codecId: "C1",
    frameWidth: 640,
    frameHeight: 360,
    framesPerSecond: 29.7,
  };
  return new Map([
    ["I1", stream],
    ["C1", { id: "C1", type: "codec", mimeType: "video/VP8" }],
  ]);
}

test("rates are of the time since the last look", () => {
  const rates = new Rates();
  assert.equal(rates.read(report(1000, 5000), "inbound-rtp")[0].bitrate, 0);
  const [figures] = rates.read(report(63_500, 6000), "inbound-rtp");
  assert.equal(figures.bitrate, 500_000);
  assert.equal(showStream(figures), "640×360 · 30 fps · 500 kb/s · VP8");
  const [stopped] = rates.read(report(63_500, 7000), "inbound-rtp");
  assert.equal(showStream(stopped), "");
  assert.deepEqual(rates.read(null, "inbound-rtp"), []);
});

test("what is sent again is no media", () => {
  const rates = new Rates();
  const more = (bytes, again, timestamp) => {
    const stats = report(bytes, timestamp);
    stats.get("I1").retransmittedBytesReceived = again;
    return rates.read(stats, "inbound-rtp")[0];
  };
  more(1000, 0, 5000);
  assert.equal(more(63_500, 12_500, 6000).bitrate, 400_000);
});

test("bit rates have the unit that people read most easily", () => {
  assert.deepEqual([0, 64_400, 999_000, 1_749_000, 12_400_000].map(showRate), [
    "0 kb/s",
    "64 kb/s",
    "1.0 Mb/s",
    "1.7 Mb/s",
    "12 Mb/s",
  ]);
});

test("each size is shown once, whatever its temporal layers", () => {
  const layers = [layer(0, 0, 180), LOW, layer(1, 0, 360), HIGH];
  assert.deepEqual(showLayers({ layers, wanted: HIGH, chosen: LOW, current: null }), [
    { label: "180p", wanted: false, chosen: true, current: false },
    { label: "360p", wanted: true, chosen: false, current: false },
  ]);
  const unknown = { ...LOW, width: 0, height: 0, rid: "q" };
  const [{ label }] = showLayers({ layers: [unknown], wanted: null, chosen: null, current: null });
  assert.equal(label, "q");
});

test("a choice is told with its size, its age and the server's reason", () => {
  const history = [{ at: 100, chosen: LOW, cause: "bandwidth", reason: "", estimate: 1 }];
  const info = { wanted: HIGH, chosen: LOW, cause: "bandwidth", reason: "500 kb/s needed", history };
  assert.equal(explainChoice(info, 112.4), "320×180 of 640×360 for 12 s. 500 kb/s needed");
  const nothing = { ...info, chosen: null, reason: "paused: 40 kb/s available" };
  assert.equal(explainChoice(nothing, 112), "Paused: 40 kb/s available");
  const fine = { ...info, chosen: HIGH, cause: "wanted", reason: "as wanted" };
  assert.equal(explainChoice(fine, 112), "As wanted");
  const paused = { ...nothing, cause: "paused", reason: "paused: the client asked for that" };
  assert.equal(explainChoice(paused, 112), "");
});

test("every pause of the server has words, and what flows or is muted has none", () => {
  const words = (state, reason, muted = false) => explainPause({ state, reason, muted });
  for (const reason of ["bandwidth", "hidden", "paused", "last_n", "not_live"]) {
    assert.ok(words("paused", reason), reason);
  }
  assert.ok(words("failed", "codec_unsupported"));
  assert.notEqual(words("failed", "codec_unsupported"), words("failed", "limit_reached"));
  assert.equal(words("active", ""), "");
  assert.equal(words(null, ""), "");
  assert.equal(words("paused", "muted", true), "");
  assert.equal(words("paused", "bandwidth", true), "");
});

test("people without a tile are counted", () => {
  assert.equal(explainUnseated(0), "");
  assert.match(explainUnseated(1), /^1 more/);
  assert.match(explainUnseated(12), /^12 more/);
});
