import assert from "node:assert/strict";
import { test } from "node:test";
import { loudness } from "../../web/page/meter.js";
import { enumerate, plain, shownName } from "../../web/page/names.js";
import {
  explainKind,
  explainRecorded,
  explainRecordingEnd,
  explainTrouble,
  showBytes,
  showDuration,
} from "../../web/page/recording_words.js";
import { initials } from "../../web/page/tile.js";
import {
  explain,
  explainDevice,
  explainDevices,
  explainError,
  explainMissing,
} from "../../web/page/words.js";

test("initials are of the first and the last word", () => {
  assert.equal(initials("Ada"), "A");
  assert.equal(initials("ada lovelace"), "AL");
  assert.equal(initials("Müller-Lüdenscheidt, Karl Heinz"), "MH");
  assert.equal(initials("  "), "?");
  assert.equal(initials("😀 smile"), "😀S");
});

test("loudness is 0 for silence and 1 for full scale", () => {
  assert.equal(loudness(0), 0);
  assert.equal(loudness(0.0001), 0);
  assert.equal(loudness(1), 1);
  assert.ok(loudness(0.1) > 0.6 && loudness(0.1) < 0.7);
});

test("a code that we do not know is explained by what the server said", () => {
  assert.equal(explain("new_one", "Because of that.").text, "Because of that.");
  assert.ok(explain("new_one").text);
  assert.ok(explainError(new Error("x")).title);
});

test("every trouble with a device has a sentence of its own", () => {
  const codes = "permission_denied device_not_found device_busy insecure_context ended".split(" ");
  const sentences = codes.map((code) => explainDevice("camera", code));
  assert.equal(new Set(sentences).size, codes.length);
  for (const sentence of sentences) assert.match(sentence, /camera/);
});

test("many who come at once are told in one sentence", () => {
  assert.equal(enumerate(["A"]), "A");
  assert.equal(enumerate(["A", "B"]), "A and B");
  assert.equal(enumerate(["A", "B", "C"]), "A, B and C");
  assert.equal(enumerate(["A", "B", "C", "D"]), "A and 3 others");
});

test("trouble with both devices is told once where it is the same", () => {
  const both = { camera: "device_not_found", microphone: "device_not_found" };
  assert.equal(explainDevices(both), explainDevice("camera and microphone", "device_not_found"));
  const text = explainDevices({ camera: "device_busy", microphone: "permission_denied" });
  assert.match(text, /your camera cannot be opened.*may not use your microphone/is);
  assert.equal(explainDevices({ camera: "", microphone: "" }), "");
});

test("what others miss is named", () => {
  const missing = (camera, microphone) => explainMissing({ camera, microphone });
  assert.equal(missing(true, true), "Others cannot see or hear you.");
  assert.equal(missing(true, false), "Others cannot see you.");
  assert.equal(missing(false, true), "Others cannot hear you.");
  assert.equal(missing(false, false), "");
});

test("a name cannot turn round the words beside it", () => {
  assert.equal(plain("\u202aA\u202bn\u202cn\u202d\u202e"), "Ann");
  assert.equal(plain("\u2066B\u2067e\u2068n\u2069"), "Ben");
  assert.equal(plain("שלום"), "שלום");
  assert.equal(shownName({ name: "\u202e \u202c", identity: "ann\u202e" }), "ann");
});

test("who records is named, the server is not", () => {
  assert.equal(explainRecorded([""]), "This room is recorded");
  assert.equal(explainRecorded(["Ann"]), "Ann records this room");
  assert.equal(explainRecorded(["You"]), "You record this room");
  assert.equal(explainRecorded(["Ann", "", "Ben", "Ann"]), "Ann and Ben record this room");
});

test("the end of a recording is told once, and why it failed to those who may know", () => {
  const states = ["starting", "active", "finishing", "complete"];
  const told = states.map((state) => explainRecordingEnd(state, ""));
  assert.deepEqual(told, ["", "", "The recording has ended", ""]);
  assert.match(explainRecordingEnd("failed", "no space left"), /no space left/);
  assert.equal(explainRecordingEnd("failed", ""), "The recording has ended too early");
});

test("what is recorded is told in words", () => {
  assert.equal(explainKind({ mode: "tracks", layout: null }), "Each by themselves");
  assert.equal(explainKind({ mode: "composite", layout: "audio" }), "One film, sound only");
});

test("what is wrong with a recording is told in sentences", () => {
  const fine = { state: "complete", error: "", warning: "", recovered: false };
  assert.equal(explainTrouble(fine), "");
  const failed = { ...fine, state: "failed", error: "the disk is full", warning: "not stored yet: x" };
  assert.equal(
    explainTrouble(failed),
    "The disk is full. Not stored yet: x. What was recorded until then is kept.",
  );
  assert.match(explainTrouble({ ...fine, recovered: true }), /repaired/);
});

test("sizes and times are for people", () => {
  const sizes = [0, 999, 1000, 12_345, 999_960, 812_345_678, 4.2e9];
  const shown = ["0 B", "999 B", "1.0 kB", "12 kB", "1.0 MB", "812 MB", "4.2 GB"];
  assert.deepEqual(sizes.map(showBytes), shown);
  const times = [0, 59.9, 60, 3599, 3600.25].map(showDuration);
  assert.deepEqual(times, ["0:00", "0:59", "1:00", "59:59", "1:00:00"]);
});
