"""Media from one peer to another through the whole core, in virtual time."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from sfu.room.events import SubscriptionChanged, TrackUpdated
from sfu.wire.ntp import middle32, to_ntp
from sfu.wire.parameters import OPUS, RED, VP8, h264
from sfu.wire.rtcp import (
    Goodbye,
    Nack,
    PictureLossIndication,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportFeedback,
)
from tests.support.virtual_room import Member, Receiver, Sender, VirtualServer

H264 = h264("constrained-baseline", 1)
H264_KEY = b"\x65\x88"
H264_DELTA = b"\x41\x9a"


def run_frames(server: VirtualServer, count: int, *each: Callable[[], None]) -> None:
    """`count` times: everyone's turn, then 33 ms."""
    for _ in range(count):
        for turn in each:
            turn()
        server.time.run(0.033)


def pair(
    *, rtx: bool = False, up_loss: float = 0.0, down_loss: float = 0.0, first: int = 0
) -> tuple[VirtualServer, Member, Member, Sender, Receiver]:
    """A publisher of one VP8 track, a subscriber of it, and both ends of the media."""
    server = VirtualServer()
    alice, bob = server.join("alice"), server.join("bob")
    alice.publish(("v", "video", {96: VP8}), rtx={97: 96} if rtx else None, loss=up_loss)
    assert alice.publisher
    bob.receive(rtx={96: 97} if rtx else None, loss=down_loss)
    sender = Sender(
        alice.publisher, mid="v", ssrc=1111, rtx=(97, 2222) if rtx else None, first=first
    )
    return server, alice, bob, sender, receiver_of(bob)


def receiver_of(member: Member) -> Receiver:
    assert member.subscriber
    (slot,) = [slot for slot in member.participant.subscriptions.slots if slot.subscription]
    return Receiver(member.subscriber, slot.identity.ssrc, slot.identity.rtx_ssrc)


@pytest.mark.parametrize("first", [0, 1, 127, 32767, 32768, 65500, 65535])
def test_a_subscriber_gets_what_was_sent_gapless_and_in_order(first: int) -> None:
    server, _, _, sender, receiver = pair(first=first)
    run_frames(server, 60, sender.frame)
    server.time.run(1)
    payloads = receiver.payloads
    assert payloads
    # Forwarding began with a key frame, and what came before it is not missed.
    assert payloads == sender.payloads[-len(payloads) :]
    assert payloads[0][:7] == b"\x10\x00\x00\x00\x9d\x01\x2a"
    assert len(payloads) > 150


def test_marker_and_timestamps_survive_with_their_distances() -> None:
    server, _, _, sender, receiver = pair()
    run_frames(server, 30, sender.frame)
    server.time.run(1)
    packets = [receiver.packets[number] for number in sorted(receiver.packets)]
    assert [p.marker for p in packets[:6]] == [False, False, True] * 2
    stamps = sorted({p.timestamp for p in packets})
    assert {b - a for a, b in pairwise(stamps)} == {3000}


@pytest.mark.parametrize("rtx", [False, True])
def test_ten_percent_loss_on_both_sides_is_repaired(rtx: bool) -> None:
    server, alice, _, sender, receiver = pair(rtx=rtx, up_loss=0.1, down_loss=0.1)

    def ask() -> None:
        if receiver.packets:
            receiver.ask()

    run_frames(server, 300, sender.frame, ask)
    run_frames(server, 30, lambda: sender.frame(1, key=False), ask)
    assert alice.publisher
    nacked = [p for p in alice.publisher.rtcp if isinstance(p, Nack)]
    assert nacked, "the server must ask the publisher for what was lost"
    payloads = receiver.payloads[:-30]
    expected = sender.payloads[sender.payloads.index(payloads[0]) :]
    got = set(payloads)
    missing = [p for p in expected[: len(payloads)] if p not in got]
    assert len(missing) <= len(expected) * 0.01
    if rtx:
        assert receiver.repaired > 20


def test_reordering_and_duplication_are_passed_through_once() -> None:
    server = VirtualServer()
    alice, bob = server.join("alice"), server.join("bob")
    alice.publish(("v", "video", {96: VP8}), reorder=0.1, duplicate=0.1)
    assert alice.publisher
    client = bob.receive()
    sender, receiver = Sender(alice.publisher, mid="v", ssrc=1), receiver_of(bob)
    run_frames(server, 5, sender.frame)
    receiver.ask()  # for the rest of a key frame whose first packet came last
    run_frames(server, 195, sender.frame)
    receiver.ask()
    server.time.run(1)
    media = [p for p in client.received if p.ssrc == receiver.ssrc]
    assert len(media) == len({p.sequence_number for p in media})
    payloads = receiver.payloads
    assert payloads == sender.payloads[-len(payloads) :]


def test_a_key_frame_is_asked_for_until_one_comes_but_not_often() -> None:
    server, alice, _, sender, _ = pair()
    assert alice.publisher
    run_frames(server, 150, lambda: sender.frame(key=False))  # a deaf encoder, for 5 seconds
    asked = alice.publisher.requests()
    assert 3 <= asked <= 10
    sender.frame(key=True)
    server.time.run(5)
    assert alice.publisher.requests() <= asked + 1


def test_a_later_subscriber_gets_a_key_frame_of_its_own() -> None:
    server, alice, _, sender, _ = pair()
    run_frames(server, 60, sender.frame)
    assert alice.publisher
    asked = alice.publisher.requests()
    carol = server.join("carol")
    carol.receive(seed=33)
    receiver = receiver_of(carol)
    run_frames(server, 30, sender.frame)
    server.time.run(1)
    assert alice.publisher.requests() > asked
    assert receiver.payloads[0][:7] == b"\x10\x00\x00\x00\x9d\x01\x2a"
    assert receiver.payloads == sender.payloads[-len(receiver.payloads) :]


def test_a_subscribers_picture_loss_is_passed_to_the_publisher() -> None:
    server, alice, bob, sender, receiver = pair()
    run_frames(server, 60, sender.frame)
    assert alice.publisher
    assert bob.subscriber
    asked = alice.publisher.requests()
    for _ in range(20):
        bob.subscriber.send_rtcp((PictureLossIndication(1, receiver.ssrc),))
    run_frames(server, 30, sender.frame)
    assert asked < alice.publisher.requests() <= asked + 2


def test_a_viewer_that_asks_all_the_time_gets_few_key_frames_for_all() -> None:
    server, alice, bob, sender, receiver = pair()
    run_frames(server, 60, sender.frame)
    assert alice.publisher
    assert bob.subscriber
    assert bob.subscriber.peer
    client = bob.subscriber
    asked = alice.publisher.requests()

    def flood() -> None:
        for _ in range(4):
            client.send_rtcp((PictureLossIndication(1, receiver.ssrc),))

    run_frames(server, 600, sender.frame, flood)
    assert alice.publisher.requests() - asked <= 4 + 20 / 2.5 + 1
    assert bob.subscriber.peer.drops()["key_frame_request"] > 20


def test_padding_only_packets_leave_no_gap() -> None:
    server, _, _, sender, receiver = pair()

    def padded() -> None:
        sender.frame(2)
        sender.packet(b"", padding=100)

    run_frames(server, 50, padded)
    server.time.run(1)
    numbers = sorted(receiver.packets)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert all(packet.payload for packet in receiver.packets.values())
    assert receiver.payloads == sender.payloads[-len(receiver.payloads) :]


def test_a_muted_track_is_silent_and_comes_back_with_a_key_frame_and_no_gap() -> None:
    server, alice, bob, sender, receiver = pair()
    (sid,) = alice.participant.tracks
    run_frames(server, 30, sender.frame)
    alice.participant.set_muted(sid, muted=True, now=server.time.now)
    assert isinstance(bob.events[-1], TrackUpdated)
    assert bob.events[-1].track.muted
    server.time.run(0.5)
    before = len(receiver.packets)
    run_frames(server, 30, sender.frame)
    assert len(receiver.packets) == before
    alice.participant.set_muted(sid, muted=False, now=server.time.now)
    run_frames(server, 30, sender.frame)
    server.time.run(1)
    numbers = sorted(receiver.packets)
    assert len(numbers) > before
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert receiver.packets[numbers[before]].payload[:7] == b"\x10\x00\x00\x00\x9d\x01\x2a"
    changes = [(e.state, e.reason) for e in bob.heard(SubscriptionChanged)]
    assert changes == [("active", ""), ("paused", "muted"), ("active", "")]


def test_who_joins_while_a_track_is_muted_sees_it_when_it_comes_back() -> None:
    server, alice, _, sender, _ = pair()
    (sid,) = alice.participant.tracks
    run_frames(server, 30, sender.frame)
    alice.participant.set_muted(sid, muted=True, now=server.time.now)
    carol = server.join("carol")
    carol.receive(seed=40)
    receiver = receiver_of(carol)
    run_frames(server, 30, sender.frame)
    assert not receiver.packets
    alice.participant.set_muted(sid, muted=False, now=server.time.now)
    run_frames(server, 30, sender.frame)
    server.time.run(1)
    assert receiver.payloads == sender.payloads[-len(receiver.payloads) :]
    assert len(receiver.payloads) > 60


def test_who_joins_before_any_media_sees_it_from_the_first_key_frame() -> None:
    server, _, _, sender, receiver = pair()
    server.time.run(60)  # nobody sends
    run_frames(server, 30, lambda: sender.frame(), lambda: None)
    server.time.run(1)
    assert receiver.payloads == sender.payloads[-len(receiver.payloads) :]
    assert len(receiver.payloads) >= 60


def test_an_ssrc_change_in_mid_stream_is_seamless() -> None:
    server, alice, _, sender, receiver = pair()
    run_frames(server, 30, sender.frame)
    assert alice.publisher
    second = Sender(alice.publisher, mid="v", ssrc=9999, first=40000)
    run_frames(server, 30, second.frame)
    server.time.run(1)
    numbers = sorted(receiver.packets)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert receiver.payloads[-1] == second.payloads[-1]
    packets = [receiver.packets[number] for number in numbers]
    steps = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)}
    assert max(steps) < 90000, "timestamps go on by the time that has passed"


def test_a_codec_change_reaches_those_who_can_take_it_and_is_told_to_those_who_cannot() -> None:
    server = VirtualServer()
    alice, bob, carol = server.join("alice"), server.join("bob"), server.join("carol")
    alice.publish(("v", "video", {96: VP8, 102: H264}))
    assert alice.publisher
    bob.receive(payload_types={VP8: 100, H264: 106})
    carol.receive(seed=50, payload_types={VP8: 96})
    to_bob, to_carol = receiver_of(bob), receiver_of(carol)
    sender = Sender(alice.publisher, mid="v", ssrc=1)
    run_frames(server, 30, sender.frame)
    vp8_frames = len(to_carol.packets)
    assert vp8_frames > 60
    changed = Sender(
        alice.publisher,
        mid="v",
        ssrc=1,
        payload_type=102,
        first=sender.sequence_number,
        key_frame=H264_KEY,
        delta_frame=H264_DELTA,
    )
    changed.timestamp = sender.timestamp
    changed.frame(key=True)
    run_frames(server, 30, changed.frame)
    server.time.run(1)
    assert {p.payload_type for p in to_bob.packets.values()} == {100, 106}
    assert to_bob.payloads[-1] == changed.payloads[-1]
    assert {p.payload_type for p in to_carol.packets.values()} == {96}
    (failed,) = [e for e in carol.heard(SubscriptionChanged) if e.state == "failed"]
    assert failed.reason == "codec_unsupported"
    (told,) = carol.participant.media(now=server.time.now).tracks
    assert (told.cause, told.chosen) == ("codec_unsupported", None)
    assert "codec" in told.reason
    assert not [e for e in bob.heard(SubscriptionChanged) if e.state == "failed"]
    # And back again: everyone sees it.
    again = Sender(alice.publisher, mid="v", ssrc=1, first=changed.sequence_number)
    again.timestamp = changed.timestamp
    run_frames(server, 30, again.frame)
    server.time.run(1)
    assert to_carol.payloads[-1] == again.payloads[-1]
    assert carol.heard(SubscriptionChanged)[-1].state == "active"
    assert carol.participant.media(now=server.time.now).tracks[0].cause == "wanted"
    numbers = sorted(to_carol.packets)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_audio_flows_at_once_and_redundancy_is_removed_for_who_lacks_it() -> None:
    server = VirtualServer()
    alice, bob, carol = server.join("alice"), server.join("bob"), server.join("carol")
    alice.publish(("a", "audio", {111: OPUS, 63: RED}))
    assert alice.publisher
    bob.receive(payload_types={OPUS: 111, RED: 63})
    carol.receive(seed=60, payload_types={OPUS: 109})
    to_bob, to_carol = receiver_of(bob), receiver_of(carol)
    sender = Sender(alice.publisher, mid="a", ssrc=5, payload_type=63)
    block = bytes([0x80 | 111, 0, 0, 3, 111]) + b"old" + b"new!"
    for _ in range(50):
        sender.packet(block)
        server.time.run(0.02)
    server.time.run(1)
    assert len(to_bob.packets) == len(to_carol.packets) == 50
    assert {p.payload for p in to_bob.packets.values()} == {block}
    assert {p.payload for p in to_carol.packets.values()} == {b"new!"}


def test_sender_reports_keep_audio_and_video_of_one_publisher_in_step() -> None:
    server = VirtualServer()
    alice, bob = server.join("alice"), server.join("bob")
    alice.publish(("a", "audio", {111: OPUS}), ("v", "video", {96: VP8}))
    assert alice.publisher
    client = bob.receive()
    audio = Sender(alice.publisher, mid="a", ssrc=1, payload_type=111)
    video = Sender(alice.publisher, mid="v", ssrc=2, first=1000)
    audio_at, video_at = 480000, 7000000  # timestamps of the same moment of the sender's clock
    sender_clock, start = 4242.0, server.time.now
    for i in range(300):
        elapsed = server.time.now - start
        audio.timestamp = round(audio_at + elapsed * 48000) & 0xFFFFFFFF
        video.timestamp = round(video_at + elapsed * 90000) & 0xFFFFFFFF
        audio.packet(b"opus")
        if i % 2 == 0:
            video.frame(1)
        if i % 50 == 25:
            ntp = to_ntp(sender_clock + elapsed)
            for ssrc, timestamp in ((1, audio.timestamp), (2, video.timestamp)):
                alice.publisher.send_rtcp((SenderReport(ssrc, ntp, timestamp, 1, 1, ()),))
        server.time.run(0.02)
    reports = [p for p in client.rtcp if isinstance(p, SenderReport)]
    slots = {s.kind: s.identity.ssrc for s in bob.participant.subscriptions.slots}
    last = {ssrc: [r for r in reports if r.ssrc == ssrc][-1] for ssrc in slots.values()}

    def capture(kind: str, sent: int) -> float:
        """When a source timestamp was captured, as the receiver works it out."""
        report = last[slots[kind]]
        rate = 48000 if kind == "audio" else 90000
        # No source has changed, so our timestamps are the publisher's.
        ahead = (sent - report.rtp_time + 2**31) % 2**32 - 2**31
        return report.ntp_time / 2**32 + ahead / rate

    difference = capture("audio", audio_at) - capture("video", video_at)
    assert abs(difference) < 0.0005
    names = {name for p in client.rtcp if isinstance(p, SourceDescription) for _, name in p.chunks}
    assert names == {alice.participant.sid}
    assert last[slots["audio"]].packet_count > 200


def test_publishers_get_receiver_reports_and_transport_feedback() -> None:
    server, alice, _, sender, _ = pair(up_loss=0.05)
    run_frames(server, 250, sender.frame)
    assert alice.publisher
    blocks = [
        block
        for packet in alice.publisher.rtcp
        if isinstance(packet, ReceiverReport)
        for block in packet.reports
    ]
    assert len(blocks) >= 4
    assert {block.ssrc for block in blocks} == {1111}
    assert blocks[-1].packets_lost > 0
    feedback = [p for p in alice.publisher.rtcp if isinstance(p, TransportFeedback)]
    assert len(feedback) > 50, "every 100 ms while packets come"
    assert {packet.media_ssrc for packet in feedback} == {1111}, "or libwebrtc does not look at it"


def test_round_trip_time_is_known_from_receiver_reports() -> None:
    server, _, bob, sender, receiver = pair()
    assert bob.subscriber
    answered = 0
    for _ in range(150):
        sender.frame()
        server.time.run(0.033)
        reports = [p for p in bob.subscriber.rtcp if isinstance(p, SenderReport)]
        if len(reports) > answered:
            answered = len(reports)
            block = ReportBlock(receiver.ssrc, 0, 0, 0, 0, middle32(reports[-1].ntp_time), 0)
            bob.subscriber.send_rtcp((ReceiverReport(1, (block,)),))
    (slot,) = bob.participant.subscriptions.slots
    assert slot.forwarder
    # 20 ms each way, and up to one frame until the answer left.
    assert 0.03 < slot.forwarder.round_trip < 0.08


def test_packets_to_subscribers_are_numbered_transport_wide() -> None:
    server, _, bob, sender, receiver = pair(rtx=True)
    run_frames(server, 30, sender.frame)
    server.time.run(1)
    assert bob.subscriber
    numbers = [
        int.from_bytes(p.extensions[3]) for p in bob.subscriber.received if p.ssrc == receiver.ssrc
    ]
    assert numbers == list(range(len(numbers)))


def test_a_goodbye_ends_the_stream_and_another_may_follow() -> None:
    server, alice, _, sender, receiver = pair()
    run_frames(server, 30, sender.frame)
    assert alice.publisher
    alice.publisher.send_rtcp((Goodbye((1111,)),))
    server.time.run(1)
    second = Sender(alice.publisher, mid="v", ssrc=77, first=5)
    run_frames(server, 30, second.frame)
    server.time.run(1)
    assert receiver.payloads[-1] == second.payloads[-1]


def test_a_leaving_subscriber_costs_the_others_nothing() -> None:
    server, _, bob, sender, _ = pair()
    carol = server.join("carol")
    carol.receive(seed=70)
    receiver = receiver_of(carol)
    run_frames(server, 30, sender.frame)
    bob.participant.leave(now=server.time.now)
    run_frames(server, 30, sender.frame)
    server.time.run(1)
    assert receiver.payloads == sender.payloads[-len(receiver.payloads) :]
    assert len(receiver.payloads) > 120


def test_unsubscribed_tracks_are_not_sent_and_can_be_had_again() -> None:
    server, alice, bob, sender, receiver = pair()
    (sid,) = alice.participant.tracks
    run_frames(server, 30, sender.frame)
    bob.participant.unsubscribe([sid], now=server.time.now)
    bob.receive()
    server.time.run(0.5)
    before = len(receiver.packets)
    run_frames(server, 30, sender.frame)
    assert len(receiver.packets) == before
    bob.participant.subscribe([sid], now=server.time.now)
    bob.receive()
    again = receiver_of(bob)
    assert again.ssrc != receiver.ssrc, "another stream for another subscription"
    run_frames(server, 30, sender.frame)
    server.time.run(1)
    assert again.payloads == sender.payloads[-len(again.payloads) :]
    assert len(again.payloads) > 60
