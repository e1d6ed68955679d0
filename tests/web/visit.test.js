import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Visit } from "../../web/page/visit.js";

const BASE = new URL("https://example.org/");
const MOUNTED = new URL("https://example.org/calls/");

/** A browser whose tab got to this page in this way. */
function browser(t, type = "reload") {
  const values = new Map();
  globalThis.sessionStorage = {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  };
  t.mock.method(performance, "getEntriesByType", () => [{ type }]);
  return values;
}

afterEach(() => void delete globalThis.sessionStorage);

test("a token is kept for its room, in its application", (t) => {
  const values = browser(t);
  new Visit(BASE).keepToken("a", "secret");
  assert.equal(new Visit(BASE).token("a"), "secret");
  assert.equal(new Visit(BASE).token("b"), "");
  assert.equal(new Visit(MOUNTED).token("a"), "");
  new Visit(BASE).keepToken("a", "");
  assert.equal(values.size, 0);
});

test("who reloads within a call comes back to that room, once", (t) => {
  browser(t);
  const visit = new Visit(BASE);
  assert.equal(visit.resumes("a"), false);
  visit.interrupt("a");
  assert.equal(visit.resumes("a"), true);
  assert.equal(visit.resumes("a"), false);
  visit.interrupt("a");
  assert.equal(visit.resumes("b"), false);
});

test("who comes by a link or much later is not put into the call", (t) => {
  browser(t, "navigate");
  const visit = new Visit(BASE);
  visit.interrupt("a");
  assert.equal(visit.resumes("a"), false);

  browser(t);
  t.mock.timers.enable({ apis: ["Date"] });
  visit.interrupt("a");
  t.mock.timers.tick(10 * 60_000);
  assert.equal(visit.resumes("a"), false);
});

test("a browser that stores nothing is no trouble", (t) => {
  browser(t);
  globalThis.sessionStorage.setItem = globalThis.sessionStorage.getItem = () => {
    throw new Error("not here");
  };
  const visit = new Visit(BASE);
  visit.keepToken("a", "secret");
  visit.interrupt("a");
  assert.equal(visit.token("a"), "");
  assert.equal(visit.resumes("a"), false);
});
