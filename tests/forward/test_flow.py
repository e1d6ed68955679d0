"""Subscribers in one flow share its work, and nothing else."""

import pytest

from sfu.forward.run import write_run
from sfu.room.media_settings import TrackSettings
from sfu.room.subscription import Slot
from sfu.wire.parameters import VP8
from sfu.wire.payload.vp8 import parse_descriptor
from sfu.wire.rtp import RtpPacket
from tests.support.projected import Stream, vp8_payloads
from tests.support.virtual_room import Member, Receiver, Sender, VirtualServer


class Room:
    """One publisher of video, and viewers who come when a test wants them to."""

    def __init__(self) -> None:
        self.server = VirtualServer()
        alice = self.server.join("alice")
        (self.track,) = alice.publish(("v", "video", {96: VP8})).values()
        assert alice.publisher
        self.up = alice.publisher.up
        self.address = alice.publisher.address
        self.sender = Sender(alice.publisher, mid="v", ssrc=1)

    def viewer(self, number: int) -> tuple[Member, Slot, Receiver]:
        member = self.server.join(f"viewer{number}")
        client = member.receive(seed=100 + number)
        (slot,) = member.participant.subscriptions.slots
        return member, slot, Receiver(client, slot.identity.ssrc)

    def play(self, frames: int, *, key: bool | None = None) -> None:
        for _ in range(frames):
            self.sender.frame(key=key)
            self.server.time.run(0.033)
        self.server.time.run(0.1)  # all has arrived


def packets(slot: Slot) -> int:
    assert slot.forwarder
    return slot.forwarder.stats().packets


def test_each_is_told_of_what_was_sent_since_it_came() -> None:
    room = Room()
    _, early, early_receiver = room.viewer(1)
    room.play(70)  # the last key frame is too long ago to begin with
    _, late, late_receiver = room.viewer(2)
    room.play(30)
    assert packets(early) == len(early_receiver.packets)
    assert packets(late) == len(late_receiver.packets)
    assert 0 < packets(late) < packets(early)


def test_counts_stand_still_when_the_track_pauses_and_go_on_after_it() -> None:
    room = Room()
    _, slot, receiver = room.viewer(1)
    room.play(5)
    before = packets(slot)
    assert before
    room.track.set_muted(True, now=room.server.time.now)
    room.play(5)
    assert packets(slot) == before == len(receiver.packets)
    room.track.set_muted(False, now=room.server.time.now)
    room.play(30)  # a key frame is asked for twice a second at most
    assert packets(slot) == len(receiver.packets) > before
    numbers = sorted(receiver.packets)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_who_leaves_gets_nothing_more_and_the_others_everything() -> None:
    room = Room()
    leaver, _, left = room.viewer(1)
    _, _, stayed = room.viewer(2)
    room.play(5)
    got = len(left.packets)
    assert got
    leaver.participant.leave(reason="left", now=room.server.time.now)
    room.play(5)
    assert len(left.packets) == got
    assert stayed.payloads == room.sender.payloads[-len(stayed.packets) :]
    assert stayed.payloads[-1] == room.sender.payloads[-1]


def test_a_late_packet_goes_to_those_who_were_there_when_it_should_have_come() -> None:
    room = Room()
    _, _, early = room.viewer(1)
    room.play(5)
    held: list[bytes] = []
    room.up.drop = lambda data: data[0] >> 6 == 2 and not held.append(data)  # type: ignore[func-returns-value]
    room.sender.frame(1, key=False)
    room.up.drop = lambda data: False
    room.server.time.run(0.01)
    room.server.time.run(2.0)
    _, _, late = room.viewer(2)
    room.play(3, key=True)
    known = set(late.packets)
    room.up.send(held[0], room.address)
    room.server.time.run(0.01)
    room.play(3)
    payload = room.sender.payloads[3 * 5]
    assert payload in early.payloads
    assert early.payloads == room.sender.payloads[-len(early.packets) :]
    assert payload not in late.payloads
    assert known < set(late.packets)
    numbers = sorted(late.packets)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_nobody_goes_through_those_who_have_hidden_the_track() -> None:
    room = Room()
    member, slot, receiver = room.viewer(1)
    room.play(5)
    now = room.server.time.now
    member.participant.set_track_settings(room.track.sid, TrackSettings(visible=False), now=now)
    room.play(1)
    before = len(receiver.packets)
    assert before
    assert slot.forwarder
    looked = []
    slot.forwarder.forward = lambda packets, *, now: looked.append(now)  # type: ignore[method-assign]
    room.play(5)
    assert not looked
    assert len(receiver.packets) == before
    del slot.forwarder.forward
    member.participant.set_track_settings(room.track.sid, TrackSettings(), now=room.server.time.now)
    room.play(30)
    assert len(receiver.packets) > before


class Camera:
    """A sender of numbered VP8 pictures, who may hold one back."""

    def __init__(self, room: Room, ssrc: int, picture: int) -> None:
        self.room = room
        self.sender = Sender(room.sender.client, mid="v", ssrc=ssrc, first=picture)
        self.picture = picture

    def play(self, pictures: int, *, key: bool = False, hold: bool = False) -> list[bytes]:
        held: list[bytes] = []
        if hold:
            self.room.up.drop = lambda data: data[0] >> 6 == 2 and not held.append(data)  # type: ignore[func-returns-value]
        for _ in range(pictures):
            data = b"\x10\x00\x00\x9d\x01\x2a" if key else b"\x11\x00\x00"
            data += self.picture.to_bytes(4)
            for payload in vp8_payloads(data, picture_id=self.picture, tl0=self.picture):
                self.sender.packet(payload, marker=payload[0] == 0x80)
            self.sender.timestamp += 3000
            self.picture += 1
            self.room.server.time.run(0.033)
        self.room.up.drop = lambda data: False
        return held


def check_seams(packets: list[RtpPacket]) -> None:
    """Timestamps go up, and each picture has the numbers behind those of the one before."""
    stamps = [packet.timestamp for packet in packets]
    assert stamps == sorted(stamps)
    numbers: dict[int, tuple[int, int]] = {}
    for packet in packets:
        parsed = parse_descriptor(packet.payload)
        assert parsed is not None
        assert parsed.picture_id is not None
        assert parsed.tl0_picture_index is not None
        numbers[packet.timestamp] = (parsed.picture_id, parsed.tl0_picture_index)
    picture, base = next(iter(numbers.values()))
    assert list(numbers.values()) == [
        (picture + count & 0x7FFF, base + count & 0xFF) for count in range(len(numbers))
    ]


@pytest.mark.parametrize("settled", [True, False], ids=["in a flow", "looked at one by one"])
def test_a_switch_goes_on_behind_the_newest_picture_though_an_older_one_came_last(
    settled: bool,
) -> None:
    room = Room()
    _, slot, receiver = room.viewer(1)
    one, two = Camera(room, 1, 1000), Camera(room, 2, 5000)
    one.play(1, key=True)
    one.play(5)
    if not settled:  # late packets of the stream before may come now: each is looked at
        one, two = two, Camera(room, 3, 9000)
        one.play(1, key=True)
    assert slot.forwarder
    assert (slot.forwarder.following is not None) is settled
    one.play(3)
    held = one.play(1, hold=True)
    one.play(6)
    for data in held:
        room.up.send(data, room.address)
    room.server.time.run(0.02)
    two.play(1, key=True)
    two.play(3)
    room.server.time.run(0.1)
    got = [receiver.packets[number] for number in sorted(receiver.packets)]
    assert got[-1].payload[-4:] == (two.picture - 1).to_bytes(4)
    numbers = sorted(receiver.packets)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    check_seams(got)


def test_a_flow_that_brings_late_packets_alone_changes_nothing_of_where_it_goes_on() -> None:
    room = Room()
    _, _, receiver = room.viewer(1)
    one, two = Camera(room, 1, 1000), Camera(room, 2, 5000)
    one.play(1, key=True)
    one.play(5)
    held = one.play(1, hold=True)
    one.play(6)
    room.track.fanout.look_again()  # into another flow
    for data in held:
        room.up.send(data, room.address)
    room.server.time.run(0.02)
    two.play(3, key=True)
    room.server.time.run(0.1)
    got = [receiver.packets[number] for number in sorted(receiver.packets)]
    assert got[-1].payload[-4:] == (two.picture - 1).to_bytes(4)
    check_seams(got)


def test_the_last_packet_of_a_run_is_the_newest() -> None:
    room = Room()
    _, slot, _ = room.viewer(1)
    assert slot.forwarder
    stream = Stream(VP8, 1)
    packets = stream.arrive(stream.packets([b"\x10\x01"] * 4, 0))
    run = write_run([packets[1], packets[3], packets[2], packets[0]], slot.forwarder.layout, ())
    assert run.last is packets[3]
