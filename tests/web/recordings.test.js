import assert from "node:assert/strict";
import { test } from "node:test";
import { Recordings } from "../../web/client/recordings.js";

const recording = (id, state, error = "") => ({
  id,
  mode: "tracks",
  state,
  started_by: "ann",
  started_at: 1,
  error,
});

function recordings() {
  const told = [];
  const known = new Recordings(({ recording: { id, state }, existing }) =>
    told.push([id, state, ...(existing ? ["existing"] : [])].join(" ")),
  );
  return { known, take: () => told.splice(0) };
}

test("a recording is known until it has ended", () => {
  const { known, take } = recordings();
  for (const state of ["starting", "active", "finishing"]) {
    known.change(recording("A", state));
    assert.equal(known.running.get("A").state, state);
  }
  known.change(recording("A", "failed", "no space left"));
  assert.equal(known.running.size, 0);
  assert.deepEqual(take(), ["A starting", "A active", "A finishing", "A failed"]);
});

test("the same news again is no news, another error is", () => {
  const { known, take } = recordings();
  known.change(recording("A", "active"));
  known.change(recording("A", "active"));
  known.change(recording("A", "active", "the disk is slow"));
  assert.deepEqual(take(), ["A active", "A active"]);
});

test("a full picture tells the differences, and what ended while we were away", () => {
  const { known, take } = recordings();
  known.change(recording("A", "active"));
  known.change(recording("B", "active"));
  take();
  known.replace([recording("B", "active"), recording("C", "starting")]);
  assert.deepEqual(take(), ["A complete", "C starting existing"]);
  assert.deepEqual([...known.running.keys()], ["B", "C"]);
});
