import assert from "node:assert/strict";
import { test } from "node:test";
import { announceLayers, chooseEncodings, LayerSwitch, limitLayers } from "../../web/client/encodings.js";

const HD = { width: 1280, height: 720 };

/** @param {object} [options] */
const camera = (options = {}) => ({ kind: "video", source: "camera", options });

test("a camera is encoded in three sizes, the smallest first", () => {
  const encodings = chooseEncodings(camera(), HD);
  assert.deepEqual(encodings.map(({ rid }) => rid), ["q", "h", "f"]);
  assert.deepEqual(encodings.map((one) => one.scaleResolutionDownBy), [4, 2, 1]);
  assert.deepEqual(encodings.map((one) => one.maxBitrate), [150_000, 500_000, 1_700_000]);
});

test("a small camera has fewer sizes, and none that nobody can use", () => {
  const two = chooseEncodings(camera(), { width: 480, height: 640 });
  assert.deepEqual(two.map((one) => [one.rid, one.scaleResolutionDownBy]), [["q", 2], ["h", 1]]);
  const one = chooseEncodings(camera(), { width: 320, height: 240 });
  assert.equal(one.length, 1);
  assert.equal(one[0].rid, undefined);
  assert.equal(one[0].maxBitrate, 150_000);
});

test("a camera of unknown size is taken for a usual one", () => {
  assert.equal(chooseEncodings(camera(), {}).length, 3);
});

test("a limit of the caller's is that of the largest size", () => {
  const encodings = chooseEncodings(camera({ maxBitrate: 900_000, maxFramerate: 15 }), HD);
  assert.deepEqual(encodings.map((one) => one.maxBitrate), [150_000, 500_000, 900_000]);
  assert.deepEqual(encodings.map((one) => one.maxFramerate), [15, 15, 15]);
});

test("no size needs more than a limit of the caller's", () => {
  const encodings = chooseEncodings(camera({ maxBitrate: 300_000 }), HD);
  assert.deepEqual(encodings.map((one) => one.maxBitrate), [150_000, 300_000, 300_000]);
});

test("scalable codecs have their sizes in one stream", () => {
  for (const preferredCodec of ["VP9", "AV1"]) {
    const encodings = chooseEncodings(camera({ preferredCodec }), HD);
    assert.deepEqual(encodings.map((one) => one.scalabilityMode), ["L3T3_KEY"]);
    const small = chooseEncodings(camera({ preferredCodec }), { width: 640, height: 480 });
    assert.equal(small[0].scalabilityMode, "L2T3_KEY");
  }
  assert.equal(chooseEncodings(camera({ preferredCodec: "H264" }), HD).length, 3);
});

test("a screen is encoded in its own size, and in half of it for thin paths", () => {
  const screen = { kind: "video", source: "screen_share", options: {} };
  const [small, full, ...others] = chooseEncodings(screen, { width: 1920, height: 1080 });
  assert.deepEqual(others, []);
  assert.deepEqual([small.rid, full.rid], ["l", "h"]);
  assert.deepEqual([small.scaleResolutionDownBy, full.scaleResolutionDownBy], [2, 1]);
  assert.deepEqual([small.scalabilityMode, full.scalabilityMode], ["L1T3", "L1T3"]);
  assert.ok(Number(small.maxBitrate) < Number(full.maxBitrate));
});

test("one encoding is enough where its layers or its limit make another useless", () => {
  const screen = { kind: "video", source: "screen_share" };
  for (const options of [{ simulcast: false }, { preferredCodec: "AV1" }, { maxBitrate: 100_000 }]) {
    const [one, ...others] = chooseEncodings({ ...screen, options }, HD);
    assert.deepEqual(others, []);
    assert.equal(one.scalabilityMode, "L1T3");
  }
  assert.equal(chooseEncodings(camera({ simulcast: false }), HD).length, 1);
});

test("sound has one encoding, without anything of video", () => {
  const microphone = { kind: "audio", source: "microphone", options: { maxBitrate: 32_000 } };
  assert.deepEqual(chooseEncodings(microphone, {}), [{ maxBitrate: 32_000 }]);
});

test("layers are announced with the sizes that they will have", () => {
  const layers = announceLayers(chooseEncodings(camera(), HD), HD);
  assert.deepEqual(layers[1], { rid: "h", width: 640, height: 360, bitrate: 500_000 });
  assert.deepEqual(announceLayers(chooseEncodings(camera(), {}), {}).map((one) => one.width), [
    0, 0, 0,
  ]);
  const single = camera({ simulcast: false });
  assert.deepEqual(announceLayers(chooseEncodings(single, HD), HD), []);
});

/** A sender that minds its transactions as browsers do. */
class Sender {
  encodings = [
    { rid: "q", active: true },
    { rid: "h", active: true },
    { rid: "f", active: true },
  ];
  calls = 0;
  #transaction = 0;

  getParameters() {
    return { transactionId: ++this.#transaction, encodings: structuredClone(this.encodings) };
  }

  async setParameters({ transactionId, encodings }) {
    if (transactionId !== this.#transaction) throw new DOMException("", "InvalidStateError");
    this.calls += 1;
    await new Promise((resolve) => setTimeout(resolve));
    this.encodings = encodings;
  }

  get active() {
    return this.encodings.filter(({ active }) => active).map(({ rid }) => rid ?? "");
  }
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

test("what nobody wants is not encoded, and what is not named stays as it is", async () => {
  const sender = new Sender();
  const layers = new LayerSwitch(sender);
  layers.set([{ rid: "f", active: false }]);
  await settled();
  assert.deepEqual(sender.active, ["q", "h"]);
  layers.set([{ rid: "h", active: false }, { rid: "other", active: true }]);
  await settled();
  assert.deepEqual(sender.active, ["q"]);
});

test("wishes that come in a hurry end with the last", async () => {
  const sender = new Sender();
  const layers = new LayerSwitch(sender);
  layers.set([{ rid: "f", active: false }]);
  layers.set([{ rid: "f", active: true }, { rid: "q", active: false }]);
  layers.set([{ rid: "h", active: false }]);
  await settled();
  assert.deepEqual(sender.active, ["f"]);
  const { calls } = sender;
  layers.set([{ rid: "f", active: true }]);
  await settled();
  assert.equal(sender.calls, calls, "nothing is set that is as it should be");
});

test("a stream without a name is the only one", async () => {
  const sender = new Sender();
  sender.encodings = [{ active: true }];
  new LayerSwitch(sender).set([{ rid: "", active: false }]);
  await settled();
  assert.deepEqual(sender.active, []);
});

test("everything is encoded when nobody knows what is wanted", async () => {
  const sender = new Sender();
  const layers = new LayerSwitch(sender);
  layers.set([{ rid: "f", active: false }]);
  await settled();
  layers.reset();
  await settled();
  assert.deepEqual(sender.active, ["q", "h", "f"]);
});

test("of a stream with spatial layers, those that remain keep their size", () => {
  const made = { active: true, scalabilityMode: "L3T3_KEY", maxBitrate: 1_800_000 };
  const limited = (spatial) => {
    const { scalabilityMode, scaleResolutionDownBy, maxBitrate } = limitLayers(made, spatial);
    return [scalabilityMode, scaleResolutionDownBy, maxBitrate];
  };
  assert.deepEqual(limited(1), ["L2T3_KEY", 2, 600_000]);
  assert.deepEqual(limited(0), ["L1T3", 4, 200_000]);
  for (const spatial of [2, 7, null]) assert.equal(limitLayers(made, spatial), made);
  const half = limitLayers({ scalabilityMode: "L2T1", scaleResolutionDownBy: 2 }, 0);
  assert.deepEqual(half, { scalabilityMode: "L1T1", scaleResolutionDownBy: 4 });
  for (const scalabilityMode of [undefined, "L1T3", "S3T3", "L3T3h"]) {
    const other = { scalabilityMode };
    assert.equal(limitLayers(other, 0), other);
  }
});

test("spatial layers that nobody wants are not encoded, and come back as they were", async () => {
  const made = { active: true, scalabilityMode: "L3T3_KEY", scaleResolutionDownBy: 1 };
  const sender = new Sender();
  sender.encodings = [made];
  const layers = new LayerSwitch(sender);
  layers.set([{ rid: "", active: true, spatial: 0 }]);
  await settled();
  assert.equal(sender.encodings[0].scalabilityMode, "L1T3");
  assert.equal(sender.encodings[0].scaleResolutionDownBy, 4);
  layers.set([{ rid: "", active: true, spatial: 1 }]);
  await settled();
  assert.equal(sender.encodings[0].scaleResolutionDownBy, 2);
  layers.set([{ rid: "", active: false, spatial: null }]);
  layers.set([{ rid: "", active: true, spatial: null }]);
  await settled();
  assert.deepEqual(sender.encodings, [made]);
  layers.set([{ rid: "", active: true, spatial: 0 }]);
  layers.reset();
  await settled();
  assert.deepEqual(sender.encodings, [made], "nobody knows what is wanted");
});

test("a sender that was stopped is left alone", async () => {
  const sender = new Sender();
  sender.setParameters = () => Promise.reject(new DOMException("", "InvalidStateError"));
  new LayerSwitch(sender).set([{ rid: "f", active: false }]);
  await settled();
});
