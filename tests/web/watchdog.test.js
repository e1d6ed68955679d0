import assert from "node:assert/strict";
import { test } from "node:test";
import { Watchdog } from "../../web/client/watchdog.js";

class Connection extends EventTarget {
  connectionState = "new";

  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }
}

/** A watched connection; `log` tells what the watchdog did, `wait` lets time pass. */
function watched(t) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const log = [];
  const connection = new Connection();
  const watchdog = new Watchdog(connection, {
    restart: async () => void log.push("restart"),
    giveUp: (worked) => log.push(`give up, ${worked ? "worked" : "never worked"}`),
  });
  connection.become("connecting");
  return { log, connection, watchdog, wait: (ms) => t.mock.timers.tick(ms) };
}

test("a connection that works is left alone", (t) => {
  const { log, connection, wait } = watched(t);
  connection.become("connected");
  wait(100_000);
  assert.deepEqual(log, []);
});

test("a short interruption heals by itself", (t) => {
  const { log, connection, wait } = watched(t);
  connection.become("connected");
  connection.become("disconnected");
  wait(1_900);
  connection.become("connected");
  wait(100_000);
  assert.deepEqual(log, []);
});

test("a path that stays lost is asked for anew, at most three times in a row", (t) => {
  const { log, connection, wait } = watched(t);
  connection.become("connected");
  connection.become("disconnected");
  wait(2_000);
  assert.deepEqual(log, ["restart"]);
  connection.become("connecting");
  wait(8_000);
  connection.become("failed");
  wait(8_000);
  wait(100_000);
  assert.deepEqual(log, ["restart", "restart", "restart", "give up, worked"]);
});

test("after a restart that helped, the count begins again", (t) => {
  const { log, connection, wait } = watched(t);
  for (let round = 0; round < 5; round++) {
    connection.become("failed");
    connection.become("connecting");
    connection.become("connected");
    wait(100_000);
  }
  assert.deepEqual(log, Array(5).fill("restart"));
});

test("a connection that never worked is given up as such", (t) => {
  const { log, connection, wait } = watched(t);
  connection.become("failed");
  for (let step = 0; step < 5; step++) wait(8_000);
  assert.equal(log.at(-1), "give up, never worked");
});

test("nothing is done while signaling is lost, and it is looked at again after", (t) => {
  const { log, connection, watchdog, wait } = watched(t);
  connection.become("connected");
  watchdog.suspend();
  connection.become("failed");
  wait(100_000);
  assert.deepEqual(log, []);
  watchdog.resume();
  assert.deepEqual(log, ["restart"]);
});

test("the server's word that it is over is passed on once", (t) => {
  const { log, connection, watchdog, wait } = watched(t);
  connection.become("connected");
  watchdog.giveUp();
  watchdog.giveUp();
  connection.become("failed");
  wait(100_000);
  assert.deepEqual(log, ["give up, worked"]);
});
