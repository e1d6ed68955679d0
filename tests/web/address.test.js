import assert from "node:assert/strict";
import { test } from "node:test";
import {
  readInvitation,
  readToken,
  roomUrl,
  socketUrl,
  tokenIn,
  watchUrl,
  withoutToken,
} from "../../web/page/address.js";

const ROOT = new URL("https://example.org/");
const MOUNTED = new URL("http://localhost:8080/sfu/");

const token = (claims) =>
  `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.signature`;

test("addresses follow the place where the application is mounted", () => {
  assert.equal(socketUrl(ROOT).href, "wss://example.org/ws");
  assert.equal(socketUrl(MOUNTED).href, "ws://localhost:8080/sfu/ws");
  assert.equal(roomUrl(MOUNTED, "a").href, "http://localhost:8080/sfu/r/a");
});

test("the page of a live composite is told which one, and where the token for it is kept", () => {
  const { href } = watchUrl(MOUNTED, { id: "RC_1", room: "a b" });
  assert.equal(href, "http://localhost:8080/sfu/assets/watch.html#recording=RC_1&room=a+b");
});

test("every name of a room survives its link", () => {
  for (const room of ["lobby", "a b", "a/b", "ünï", "100%", "?x#y", "r", "%2F", "😀"]) {
    for (const base of [ROOT, MOUNTED]) {
      assert.equal(readInvitation(roomUrl(base, room), base).room, room);
    }
  }
});

test("an address without a room names none", () => {
  for (const path of ["", "r/", "r", "other", "r/a/b"]) {
    assert.equal(readInvitation(new URL(path, MOUNTED), MOUNTED).room, "");
  }
  assert.equal(readInvitation(new URL("r/100%", ROOT), ROOT).room, "100%");
});

test("a token says which room and who", () => {
  const url = new URL(`r/other?token=${token({ name: "Zoë", video: { room: "mine" } })}`, ROOT);
  const invitation = readInvitation(url, ROOT);
  assert.equal(invitation.room, "mine");
  assert.equal(invitation.name, "Zoë");
  assert.equal(invitation.roomFixed, true);
  assert.equal(invitation.nameFixed, true);
  assert.ok(invitation.token.startsWith("e30."));
});

test("a token may let its bearer choose a name, and else has one", () => {
  const video = { room: "r", canUpdateOwnMetadata: true };
  const address = (claims) => new URL(`?token=${token(claims)}`, ROOT);
  assert.equal(readInvitation(address({ sub: "z", video }), ROOT).nameFixed, false);
  assert.equal(readInvitation(address({ sub: "z", video: {} }), ROOT).name, "z");
  assert.equal(readInvitation(ROOT, ROOT).nameFixed, false);
});

test("rubbish for a token is the server's to refuse", () => {
  for (const text of ["", "x", "a.b.c", "..", `a.${btoa("[1]")}.c`, `a.${btoa("null")}.c`]) {
    const { room, name } = readToken(text);
    assert.deepEqual([room, name], ["", ""]);
    const url = new URL(`?token=${text}`, ROOT);
    assert.equal(readInvitation(url, ROOT).nameFixed, false, "the form can be filled in");
  }
});

test("the token leaves the address, the rest stays", () => {
  const clean = (text) => withoutToken(new URL(text)).href;
  const base = "https://example.org/r/a?codec=VP9";
  assert.equal(clean(`${base}&token=secret`), base);
  assert.equal(clean(`${base}#token=secret`), base);
  assert.equal(clean(`${base}&token=secret#token=secret`), base);
  assert.equal(clean(`${base}#token=secret&x=1`), `${base}#x=1`);
  assert.equal(clean(`${base}#elsewhere`), `${base}#elsewhere`);
});

test("a token may be in the fragment, and counts more there than in the query", () => {
  const read = (text) => tokenIn(new URL(text, ROOT));
  assert.equal(read("r/a#token=e30.x-_y.z"), "e30.x-_y.z");
  assert.equal(read("r/a?token=query"), "query");
  assert.equal(read("r/a?token=query#token=fragment"), "fragment");
  assert.equal(read("r/a#token="), "");
  assert.equal(read("r/a#a"), "");
});

test("a token of earlier is that of this room, unless the address has one", () => {
  const kept = { a: token({ sub: "ann", video: { room: "a" } }) };
  const read = (text) => readInvitation(new URL(text, ROOT), ROOT, (room) => kept[room] ?? "");
  assert.equal(read("r/a").name, "ann");
  assert.equal(read("r/b").token, "");
  assert.equal(read("r/a#token=new").token, "new");
});
