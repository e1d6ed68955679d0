import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffDelay, sleep } from "../../web/client/backoff.js";

test("the first attempt follows at once", () => {
  assert.equal(backoffDelay(0), 0);
});

test("delays grow up to a bound", () => {
  const delays = Array.from({ length: 20 }, (_, attempt) => backoffDelay(attempt, () => 0));
  for (let attempt = 1; attempt < delays.length; attempt++) {
    assert.ok(delays[attempt] >= delays[attempt - 1]);
  }
  assert.equal(delays.at(-1), 8_000);
  assert.equal(backoffDelay(100_000, () => 0), 8_000);
});

test("several attempts fit into a grace period of 15 s", () => {
  let time = 0;
  let attempts = 0;
  while ((time += backoffDelay(attempts, () => 0)) < 15_000) attempts++;
  assert.ok(attempts >= 6, `${attempts} attempts`);
});

test("chance only makes delays shorter, and never none", () => {
  for (let attempt = 1; attempt < 10; attempt++) {
    const longest = backoffDelay(attempt, () => 0);
    const shortest = backoffDelay(attempt, () => 0.999);
    assert.ok(shortest < longest);
    assert.ok(shortest >= longest * 0.59);
  }
});

test("a sleep can be ended early, before it began as well", async () => {
  const controller = new AbortController();
  const sleeping = sleep(60_000, controller.signal);
  controller.abort();
  await sleeping;
  await sleep(60_000, controller.signal);
});
