"""How good connections are said to be, in whole rooms and in virtual time."""

from collections.abc import Callable

from sfu.room.events import ConnectionQualityChanged, LayersWanted
from sfu.stream.inbound import InboundStream
from sfu.stream.loss_meter import LossMeter
from sfu.stream.sender_report import SenderClock
from sfu.wire.ntp import middle32
from sfu.wire.parameters import VP8
from sfu.wire.rtcp import ReceiverReport, ReportBlock, SenderReport
from sfu.wire.rtp import RtpPacket
from tests.support.scenario import Scenario
from tests.support.story import Story
from tests.support.virtual_room import Member, Sender, VirtualServer


def told(member: Member) -> list[tuple[str, str]]:
    """(Whose connection, how good) each time."""
    return [
        (event.participant.identity, event.quality)
        for event in member.events
        if isinstance(event, ConnectionQualityChanged)
    ]


def call(**conditions: float) -> tuple[VirtualServer, Member, Member, Sender]:
    server = VirtualServer()
    alice, bob = server.join("alice"), server.join("bob")
    alice.publish(("v", "video", {96: VP8}), rtx={97: 96}, **conditions)
    assert alice.publisher
    return server, alice, bob, Sender(alice.publisher, mid="v", ssrc=1, rtx=(97, 2))


def run(server: VirtualServer, seconds: float, *each: Callable[[], None]) -> None:
    for _ in range(round(seconds / 0.033)):
        for turn in each:
            turn()
        server.time.run(0.033)


def test_a_good_connection_is_told_once_and_soon() -> None:
    server, alice, bob, sender = call()
    run(server, 1, sender.frame)
    assert told(alice) == told(bob) == [("alice", "excellent")]
    run(server, 10, sender.frame)
    assert told(alice) == told(bob) == [("alice", "excellent")]
    assert alice.participant.media(now=server.time.now).quality == "excellent"


def test_loss_on_the_way_to_us_is_told_to_everyone_and_so_is_its_end() -> None:
    server, alice, bob, sender = call(loss=0.15)
    run(server, 8, sender.frame)
    assert told(alice) == told(bob) == [("alice", "poor")]
    assert alice.participant.media(now=server.time.now).quality == "poor"
    assert bob.participant.media(now=server.time.now).quality == "excellent"
    assert alice.publisher
    alice.publisher.up.loss = 0.0
    run(server, 15, sender.frame)
    assert told(bob)[-1] == ("alice", "excellent")


def test_who_is_not_heard_any_more_is_lost_until_heard_again() -> None:
    server, alice, bob, sender = call()
    run(server, 4, sender.frame)
    assert alice.publisher
    alice.publisher.up.loss = 1.0
    run(server, 4, sender.frame)
    assert told(bob) == [("alice", "excellent")]
    run(server, 6, sender.frame)
    assert told(bob)[1:] == [("alice", "lost")]
    alice.publisher.up.loss = 0.0
    run(server, 15, sender.frame)
    assert told(bob)[2][1] != "lost"
    assert told(bob)[-1] == ("alice", "excellent")


def test_who_sends_no_media_is_heard_at_its_checks() -> None:
    server, alice, bob, sender = call()
    run(server, 2, sender.frame)
    run(server, 20)
    assert told(bob) == [("alice", "excellent")]
    assert alice.publisher
    alice.publisher.up.loss = 1.0
    run(server, 14)
    assert told(bob)[1:] == [("alice", "lost")]


def test_who_comes_later_or_is_back_is_told_of_what_is_not_well() -> None:
    server, _, bob, sender = call(loss=0.15)
    bob.participant.detach(now=server.time.now)
    run(server, 8, sender.frame)
    assert told(bob) == []
    bob.participant.attach(bob._hear, now=server.time.now)
    assert told(bob) == [("alice", "poor")]
    assert told(server.join("carol")) == [("alice", "poor")]


def test_who_comes_is_told_of_everybody_and_soon_of_itself() -> None:
    server, alice, bob, sender = call()
    run(server, 1, sender.frame)
    carol = server.join("carol")
    assert told(carol) == [("alice", "excellent")], "bob has no connection yet"
    carol.publish(("v", "video", {96: VP8}), seed=31)
    run(server, 1, sender.frame)
    assert told(carol)[1:] == [("carol", "excellent")]
    assert told(alice)[1:] == told(bob)[1:] == [("carol", "excellent")]


def test_who_leaves_is_not_looked_at_any_more() -> None:
    server, alice, bob, sender = call(loss=0.15)
    run(server, 1, sender.frame)
    alice.participant.leave(now=server.time.now)
    before = told(bob)
    server.time.run(20)
    assert told(bob) == before


def test_a_publisher_that_is_back_is_told_which_layers_are_wanted() -> None:
    server, alice, bob, sender = call()
    bob.receive()
    (sid,) = alice.participant.tracks
    run(server, 1, sender.frame)
    bob.participant.leave(now=server.time.now)
    alice.participant.detach(now=server.time.now)
    run(server, 5, sender.frame)
    before = len(alice.heard(LayersWanted))
    alice.participant.attach(alice._hear, now=server.time.now)
    (again,) = alice.heard(LayersWanted)[before:]
    assert isinstance(again, LayersWanted)
    assert again.track.sid == sid
    assert not again.layers[0].active


def test_repairs_are_asked_for_at_the_round_trip_of_the_other_connection() -> None:
    server, alice, bob, sender = call()
    bob.publish(("v", "video", {96: VP8}), seed=31)
    assert bob.publisher
    other = Sender(bob.publisher, mid="v", ssrc=3)
    client = alice.receive(delay=0.15)
    (slot,) = alice.participant.subscriptions.slots

    def report() -> None:
        sent = [p for p in client.rtcp if isinstance(p, SenderReport)]
        if sent:
            block = ReportBlock(slot.identity.ssrc, 0, 0, 0, 0, middle32(sent[-1].ntp_time), 0)
            client.rtcp.clear()
            client.send_rtcp((ReceiverReport(1, (block,)),))

    run(server, 6, sender.frame, other.frame, report)
    assert alice.publisher
    assert alice.publisher.peer
    (stream,) = alice.publisher.peer.publisher.streams
    assert stream._repair._nack is not None
    assert 0.3 <= stream._repair._nack.rtt < 0.4


def test_video_that_does_not_fit_makes_a_connection_poor() -> None:
    scenario = Scenario(Story(seconds=20, capacity=400_000))
    scenario.run()
    assert scenario.member.participant.quality.quality == "poor"


def test_a_path_that_is_wide_enough_is_excellent_from_the_start() -> None:
    scenario = Scenario(Story(seconds=20, capacity=4_000_000))
    scenario.run()
    assert scenario.member.participant.quality.quality == "excellent"
    assert {quality for _, quality in told(scenario.member)} == {"excellent"}


# -- loss


def stream() -> InboundStream:
    return InboundStream(
        ssrc=1,
        kind="video",
        codecs={96: VP8},
        nack=True,
        cache_size=64,
        sender_clock=SenderClock(wall_offset=0.0),
    )


def receive(inbound: InboundStream, *numbers: int) -> None:
    for number in numbers:
        packet = RtpPacket(96, number & 0xFFFF, number * 3000, 1, b"\x10\x01")
        inbound.receive(packet, now=number / 100)


def test_the_loss_is_that_since_the_last_look() -> None:
    inbound, meter = stream(), LossMeter()
    receive(inbound, *range(100))
    assert meter.measure([inbound]) == 0
    receive(inbound, *range(100, 200, 2))
    assert 0.48 < meter.measure([inbound]) < 0.52
    receive(inbound, *range(200, 300))
    assert meter.measure([inbound]) < 0.02


def test_few_packets_tell_nothing() -> None:
    inbound, meter = stream(), LossMeter()
    receive(inbound, 1, 4)
    assert meter.measure([inbound]) == 0


def test_a_source_that_begins_anew_has_lost_nothing() -> None:
    inbound, meter = stream(), LossMeter()
    receive(inbound, *range(100))
    meter.measure([inbound])
    receive(inbound, *range(30_000, 30_050))
    assert meter.measure([inbound]) < 0.05


def test_packets_that_come_twice_are_no_gain() -> None:
    inbound, meter = stream(), LossMeter()
    receive(inbound, *range(50), *range(50))
    assert meter.measure([inbound]) == 0
