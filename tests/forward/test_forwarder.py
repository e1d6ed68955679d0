"""One m-line: what is sent again is what was sent, whatever happened in between."""

from itertools import pairwise

import pytest

from sfu.forward.repair_budget import MIN_REPAIR, REPAIR_TIME
from sfu.forward.resends import MAX_RESENDS
from sfu.room.permissions import Permissions
from sfu.wire.ntp import to_ntp
from sfu.wire.parameters import OPUS, VP8, SendParameters
from sfu.wire.rtcp import Nack, SenderReport
from sfu.wire.rtp import RtpPacket
from tests.support.virtual_room import (
    SEND_EXTENSIONS,
    Member,
    Receiver,
    Sender,
    VirtualClient,
    VirtualServer,
)


def room(*, rtx: bool) -> tuple[VirtualServer, Member, Member, Receiver]:
    server = VirtualServer()
    alice, bob = server.join("alice"), server.join("bob")
    alice.publish(("v", "video", {96: VP8}))
    bob.receive(rtx={96: 97} if rtx else None)
    assert bob.subscriber
    (slot,) = bob.participant.subscriptions.slots
    return server, alice, bob, Receiver(bob.subscriber, slot.identity.ssrc, slot.identity.rtx_ssrc)


def play(server: VirtualServer, sender: Sender, frames: int) -> None:
    for _ in range(frames):
        sender.frame()
        server.time.run(0.033)


@pytest.mark.parametrize("rtx", [False, True])
def test_a_packet_is_sent_again_as_it_was(rtx: bool) -> None:
    server, alice, bob, receiver = room(rtx=rtx)
    assert alice.publisher
    assert bob.subscriber
    datagrams: list[bytes] = []
    bob.subscriber.down.drop = lambda data: bool(datagrams.append(data))
    play(server, Sender(alice.publisher, mid="v", ssrc=1), 20)
    # After a switch, so that it has other numbers than it came with.
    play(server, Sender(alice.publisher, mid="v", ssrc=2, first=30000), 20)
    old = sorted(receiver.packets)[-20]
    sent = receiver.packets[old]
    wire = [data for data in datagrams if data[0] >> 6 == 2 and data[2:4] == old.to_bytes(2)]
    play(server, Sender(alice.publisher, mid="v", ssrc=2, first=30060), 2)
    got: list[RtpPacket] = []
    bob.subscriber.on_rtp = got.append
    datagrams.clear()
    bob.subscriber.send_rtcp((Nack(1, receiver.ssrc, (old,)),))
    server.time.run(0.1)
    if rtx:
        (again,) = [packet for packet in got if packet.ssrc == receiver.rtx_ssrc]
        assert again.timestamp == sent.timestamp
        assert again.payload == old.to_bytes(2) + sent.payload
    else:
        # To the last bit: another message under this nonce would break AES-GCM.
        again_wire = [
            data for data in datagrams if data[0] >> 6 == 2 and data[2:4] == old.to_bytes(2)
        ]
        assert again_wire == wire


def test_what_is_older_than_the_last_key_frame_is_not_sent_again() -> None:
    server, alice, bob, receiver = room(rtx=True)
    assert alice.publisher
    assert bob.subscriber
    sender = Sender(alice.publisher, mid="v", ssrc=1)
    play(server, sender, 20)
    old = sorted(receiver.packets)[-1]
    sender.frame(key=True)
    play(server, sender, 5)
    new = sorted(receiver.packets)[-1]
    got: list[RtpPacket] = []
    bob.subscriber.on_rtp = got.append
    bob.subscriber.send_rtcp((Nack(1, receiver.ssrc, (old, new)),))
    server.time.run(0.1)
    again = [packet.payload[:2] for packet in got if packet.ssrc == receiver.rtx_ssrc]
    assert again == [new.to_bytes(2)]


def test_what_came_before_a_pause_does_not_come_again_after_it() -> None:
    server, alice, _, receiver = room(rtx=True)
    assert alice.publisher
    (track,) = alice.participant.tracks.values()
    sender = Sender(alice.publisher, mid="v", ssrc=1)
    play(server, sender, 20)
    alice.participant.set_muted(track.sid, muted=True, now=server.time.now)
    server.time.run(0.2)
    alice.participant.set_muted(track.sid, muted=False, now=server.time.now)
    play(server, sender, 40)
    server.time.run(0.1)
    numbers = sorted(receiver.packets)
    stamps = [receiver.packets[number].timestamp for number in numbers]
    assert stamps == sorted(stamps)
    assert len(receiver.payloads) == len(set(receiver.payloads))
    assert receiver.payloads[-1] == sender.payloads[-1]


def test_without_rtx_nothing_is_sent_again_that_would_look_otherwise_now() -> None:
    server, alice, bob, receiver = room(rtx=False)
    assert alice.publisher
    assert bob.subscriber
    sender = Sender(alice.publisher, mid="v", ssrc=1)
    play(server, sender, 20)
    (track,) = alice.participant.tracks.values()
    server.time.run(0.1)
    before = len(bob.subscriber.received)
    numbers = tuple(sorted(receiver.packets)[:5])
    track.bind(((5, "urn:3gpp:video-orientation"),), lambda stream, now: None)
    bob.subscriber.send_rtcp((Nack(1, receiver.ssrc, numbers),))
    server.time.run(0.1)
    assert len(bob.subscriber.received) == before


def test_a_late_packet_from_before_a_switch_fills_its_gap_with_its_own_timestamp() -> None:
    server, alice, _, receiver = room(rtx=True)
    assert alice.publisher
    first = Sender(alice.publisher, mid="v", ssrc=1)
    play(server, first, 10)
    held: list[bytes] = []
    alice.publisher.up.drop = lambda data: data[0] >> 6 == 2 and not held.append(data)
    first.frame(1, key=False)
    alice.publisher.up.drop = lambda data: False
    first.frame(1, key=False)
    server.time.run(0.05)
    second = Sender(alice.publisher, mid="v", ssrc=2, first=30000)
    play(server, second, 5)
    alice.publisher.up.send(held[0], alice.publisher.address)
    play(server, second, 5)
    numbers = sorted(receiver.packets)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    stamps = [receiver.packets[number].timestamp for number in numbers]
    assert stamps == sorted(stamps)
    assert max(b - a for a, b in pairwise(stamps)) < 90000


def test_an_m_line_that_is_refused_later_gets_nothing_more() -> None:
    server, alice, bob, _ = room(rtx=True)
    assert alice.publisher
    assert bob.subscriber
    sender = Sender(alice.publisher, mid="v", ssrc=1)
    play(server, sender, 10)
    subscriptions = bob.participant.subscriptions
    subscriptions.agreed({subscriptions.slots[0].mid: None}, now=server.time.now)
    server.time.run(0.1)
    before = len(bob.subscriber.received)
    play(server, sender, 10)
    assert len(bob.subscriber.received) == before
    (subscription,) = subscriptions
    assert (subscription.state, subscription.reason) == ("failed", "unsubscribed")


def test_an_m_line_that_is_agreed_on_anew_goes_on_with_the_new_payload_type() -> None:
    server, alice, bob, receiver = room(rtx=True)
    assert alice.publisher
    sender = Sender(alice.publisher, mid="v", ssrc=1)
    play(server, sender, 10)
    (slot,) = bob.participant.subscriptions.slots
    bob.participant.subscriptions.agreed(
        {
            slot.mid: SendParameters(
                mid=slot.mid,
                kind="video",
                payload_types={VP8: 120},
                rtx={120: 121},
                extensions=SEND_EXTENSIONS,
                nack=True,
            )
        },
        now=server.time.now,
    )
    play(server, sender, 20)
    server.time.run(0.1)
    numbers = sorted(receiver.packets)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    kinds = [receiver.packets[number].payload_type for number in numbers]
    assert kinds == sorted(kinds)
    assert set(kinds) == {96, 120}


def test_two_publishers_with_one_ssrc_may_follow_each_other_on_one_m_line() -> None:
    server = VirtualServer()
    viewer = server.rooms.open("room", now=server.time.now).join(
        identity="viewer",
        permissions=Permissions(hidden=True),
        listener=lambda event: None,
        now=server.time.now,
    )
    peer = server.endpoint.create_peer("viewer", now=server.time.now)
    viewer.set_peer("subscriber", peer, now=server.time.now)
    slot = viewer.subscriptions.offered("0", "audio", stream_id="room")
    client = VirtualClient(server, seed=77)
    client.connect(peer)
    assert server.time.run(20, until=lambda: client.connected)
    viewer.subscriptions.agreed(
        {"0": SendParameters(mid="0", kind="audio", payload_types={OPUS: 111})},
        now=server.time.now,
    )
    for number, identity in enumerate(("alice", "bob")):
        member = server.join(identity)
        member.publish(("a", "audio", {111: OPUS}), seed=200 + number)
        assert member.publisher
        sender = Sender(
            member.publisher, mid="a", ssrc=1234, payload_type=111, first=number * 30000
        )
        for _ in range(10):
            sender.packet(identity.encode())
            sender.timestamp += 960
            server.time.run(0.02)
        server.time.run(0.1)
        member.participant.leave(now=server.time.now)
    server.time.run(0.1)
    packets = [packet for packet in client.received if packet.ssrc == slot.identity.ssrc]
    assert [packet.payload for packet in packets] == [b"alice"] * 10 + [b"bob"] * 10
    numbers = [packet.sequence_number for packet in packets]
    assert numbers == list(range(numbers[0], numbers[0] + 20))
    stamps = [packet.timestamp for packet in packets]
    assert max(b - a for a, b in pairwise(stamps)) < 96000


def test_timestamps_go_on_across_a_switch_by_the_time_of_capture() -> None:
    """What the sender's reports say counts, not how long the first packets were on their way."""
    server, alice, _, receiver = room(rtx=True)
    assert alice.publisher
    first = Sender(alice.publisher, mid="v", ssrc=1)
    second = Sender(alice.publisher, mid="v", ssrc=2, first=30000)
    play(server, first, 10)
    second.frame(1, key=False)  # it is known from here on, and begins with its key frame
    ntp = to_ntp(4000.0)
    for sender in (first, second):
        report = SenderReport(sender.ssrc, ntp, sender.timestamp, 1, 1, ())
        alice.publisher.send_rtcp((report,))
    first.frame(1, key=False)
    server.time.run(0.25)
    second.timestamp += 3000  # captured 33 ms after the frame before
    second.frame(1, key=True)
    server.time.run(0.1)
    stamps = [receiver.packets[number].timestamp for number in sorted(receiver.packets)]
    assert receiver.payloads[-1] == second.payloads[-1]
    assert stamps[-1] - stamps[-2] == 3000


def test_a_packet_is_sent_again_a_few_times_at_most() -> None:
    server, alice, bob, receiver = room(rtx=True)
    assert alice.publisher
    assert bob.subscriber
    play(server, Sender(alice.publisher, mid="v", ssrc=1), 20)
    old = sorted(receiver.packets)[-1]
    got: list[RtpPacket] = []
    bob.subscriber.on_rtp = got.append
    for _ in range(4 * MAX_RESENDS):
        bob.subscriber.send_rtcp((Nack(1, receiver.ssrc, (old,)),) * 2)
        server.time.run(0.2)
    assert len([packet for packet in got if packet.ssrc == receiver.rtx_ssrc]) == MAX_RESENDS


def test_what_is_sent_again_takes_a_part_of_the_path_alone() -> None:
    server, alice, bob, receiver = room(rtx=True)
    assert alice.publisher
    assert bob.subscriber
    play(server, Sender(alice.publisher, mid="v", ssrc=1), 250)
    (slot,) = bob.participant.subscriptions.slots
    assert slot.forwarder
    slot.forwarder.lane.estimated(100_000)
    got: list[RtpPacket] = []
    bob.subscriber.on_rtp = got.append
    numbers = sorted(receiver.packets)[-400:]
    for start in range(0, 400, 100):
        bob.subscriber.send_rtcp((Nack(1, receiver.ssrc, tuple(numbers[start : start + 100])),))
    server.time.run(0.1)
    size = sum(packet.size for packet in got if packet.ssrc == receiver.rtx_ssrc)
    assert 0 < size <= MIN_REPAIR / 8 * (REPAIR_TIME + 0.1)


@pytest.mark.parametrize("lost", [None, 104])
def test_what_overtook_the_packet_to_begin_with_is_sent_behind_it(lost: int | None) -> None:
    server, alice, _, receiver = room(rtx=True)
    assert alice.publisher
    publisher = alice.publisher
    play(server, Sender(publisher, mid="v", ssrc=1, first=30000), 10)
    server.time.run(0.05)
    before = len(receiver.packets)
    assert before
    sender = Sender(publisher, mid="v", ssrc=2, first=97)
    sender.frame(3, key=False)
    server.time.run(0.033)
    held: list[bytes] = []

    def drop(data: bytes) -> bool:
        number = int.from_bytes(data[2:4])
        if data[0] >> 6 == 2 and number == 100:
            held.append(data)
        return data[0] >> 6 == 2 and number in (100, lost)

    publisher.up.drop = drop
    sender.frame(10, key=True)
    publisher.up.drop = lambda data: False
    server.time.run(0.02)
    assert len(receiver.packets) == before
    publisher.up.send(held[0], publisher.address)
    server.time.run(0.02)
    sender.frame(2, key=False)
    server.time.run(0.1)
    payloads = sender.payloads[3:]
    if lost is not None:
        del payloads[lost - 100]
    assert receiver.payloads[before:] == payloads
    numbers = [number - min(receiver.packets) - before for number in sorted(receiver.packets)]
    assert numbers[before:] == [number for number in range(12) if number + 100 != lost]
