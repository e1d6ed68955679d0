import assert from "node:assert/strict";
import { test } from "node:test";
import { enumerate } from "../../web/page/arrivals.js";
import { loudness } from "../../web/page/meter.js";
import { initials } from "../../web/page/tile.js";
import { explain, explainDevice, explainError } from "../../web/page/words.js";

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
