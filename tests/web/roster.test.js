import assert from "node:assert/strict";
import { test } from "node:test";
import { Roster } from "../../web/client/roster.js";

const track = (sid, changes = {}) => ({
  sid,
  kind: "audio",
  source: "microphone",
  name: "",
  muted: false,
  width: 0,
  height: 0,
  mime_type: "",
  ...changes,
});

const participant = (sid, tracks = [], changes = {}) => ({
  sid,
  identity: `id-${sid}`,
  name: `name-${sid}`,
  metadata: "",
  attributes: {},
  permissions: {},
  joined_at: 0,
  tracks,
  ...changes,
});

function roster() {
  const told = [];
  const tell = (name, { participant: { sid }, track: one, existing }) =>
    told.push([name, one ? `${sid}/${one.sid}` : sid, ...(existing ? ["existing"] : [])].join(" "));
  return { told, roster: new Roster(tell), take: () => told.splice(0) };
}

test("a first picture tells of everybody and everything", () => {
  const { roster: room, take } = roster();
  room.replace([participant("A", [track("t1")]), participant("B")]);
  assert.deepEqual(take(), [
    "participantjoined A existing",
    "trackpublished A/t1 existing",
    "participantjoined B existing",
  ]);
});

test("the same picture again tells nothing", () => {
  const { roster: room, take } = roster();
  const picture = [participant("A", [track("t1")])];
  room.replace(picture);
  const [known] = room.participants.values();
  take();
  room.replace(structuredClone(picture));
  assert.deepEqual(take(), []);
  assert.equal([...room.participants.values()][0], known, "the objects stay the same");
});

test("another picture tells the differences, tracks before their people when they go", () => {
  const { roster: room, take } = roster();
  room.replace([participant("A", [track("t1"), track("t2")]), participant("B", [track("t3")])]);
  take();
  room.replace([
    participant("A", [track("t2", { muted: true }), track("t4")], { name: "new" }),
    participant("C"),
  ]);
  assert.deepEqual(take(), [
    "trackunpublished B/t3",
    "participantleft B",
    "participantupdated A",
    "trackunpublished A/t1",
    "trackupdated A/t2",
    "trackpublished A/t4 existing",
    "participantjoined C existing",
  ]);
});

test("news of strangers is passed over", () => {
  const { roster: room, take } = roster();
  room.publish("X", track("t1"));
  room.unpublish("X", "t1");
  room.update(participant("X"));
  room.leave("X", "left");
  assert.deepEqual(take(), []);
});

test("order of attributes is no change", () => {
  const { roster: room, take } = roster();
  room.join(participant("A", [], { attributes: { a: "1", b: "2" } }));
  take();
  room.update(participant("A", [], { attributes: { b: "2", a: "1" } }));
  assert.deepEqual(take(), []);
});

test("a nameless participant is shown by identity", () => {
  const { roster: room } = roster();
  room.join(participant("A", [], { name: "" }));
  assert.equal(room.participants.get("A").name, "id-A");
});
