import assert from "node:assert/strict";
import { test } from "node:test";
import { Seats } from "../../web/page/seats.js";

const ALL = ["me", "a", "b", "c", "d"];

test("everybody sits in the order of coming while there is place", () => {
  const seats = new Seats();
  seats.hear(["d"]);
  assert.deepEqual(seats.choose(ALL, 9), ALL);
  seats.hear(["c"]);
  assert.deepEqual(seats.choose([...ALL, "e"], 9), [...ALL, "e"], "nobody moves for speaking");
});

test("who speaks takes the place of who was silent longest, and nobody else moves", () => {
  const seats = new Seats();
  assert.deepEqual(seats.choose(ALL, 3, ["me"]), ["me", "a", "b"]);
  seats.hear(["a"]);
  seats.hear(["d"]);
  assert.deepEqual(seats.choose(ALL, 3, ["me"]), ["me", "a", "d"]);
  seats.hear(["c"]);
  assert.deepEqual(seats.choose(ALL, 3, ["me"]), ["me", "c", "d"]);
  assert.deepEqual(seats.choose(ALL, 3, ["me"]), ["me", "c", "d"], "and stays");
});

test("who must be seen is, even where there is no place", () => {
  const seats = new Seats();
  seats.hear(["a", "b"]);
  assert.deepEqual(seats.choose(ALL, 1, ["me", "d"]).sort(), ["d", "me"]);
});

test("a place that becomes free is taken", () => {
  const seats = new Seats();
  seats.choose(ALL, 3);
  assert.deepEqual(seats.choose(["me", "b", "c", "d"], 3), ["me", "c", "b"]);
  assert.deepEqual(seats.choose(["b"], 3), ["b"]);
  assert.deepEqual(seats.choose([], 3), []);
});
