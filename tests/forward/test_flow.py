"""Subscribers in one flow share its work, and nothing else."""

from sfu.room.media_settings import TrackSettings
from sfu.room.subscription import Slot
from sfu.wire.parameters import VP8
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
