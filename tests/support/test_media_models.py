"""The models of browsers, over the real core and good or bad paths."""

import pytest

from sfu.config import Config
from sfu.room.events import LayersWanted, LayerWanted
from sfu.wire.rtcp import PictureLossIndication, ReceiverEstimatedMaximumBitrate
from tests.support.bottleneck import Bottleneck, Outage
from tests.support.capacity import Capacity
from tests.support.scenario import Scenario
from tests.support.simulcast_sender import LAYERS
from tests.support.story import Story
from tests.support.uplink_estimate import UplinkEstimate

ONE = LAYERS[1:2]
BARE = Config(congestion_control=False, dynacast=False)  # what the models do by themselves


def rates(scenario: Scenario) -> dict[str, float]:
    """Bit/s of each layer as the server gets them."""
    track = scenario.publishers[0].tracks["v"]
    now = scenario.time.now
    return {
        stream.rid: stream.bitrate.bitrate(now)
        for stream in track.streams.values()
        if stream.bitrate.active(now)
    }


def test_three_layers_come_at_their_rates_with_their_names() -> None:
    scenario = Scenario(Story(warm_up=6), config=BARE)
    got = rates(scenario)
    for spec in LAYERS:
        assert got[spec.rid] == pytest.approx(spec.bitrate, rel=0.15)
    streams = scenario.publishers[0].tracks["v"].streams.values()
    stats = [stream.stats(now=scenario.time.now) for stream in streams]
    assert all(one.packets_lost == 0 and one.key_frames >= 1 for one in stats)


def test_a_key_frame_comes_on_the_layer_that_is_asked_and_is_large() -> None:
    scenario = Scenario(Story(), config=BARE)
    camera = scenario.publishers[0].camera
    track = scenario.publishers[0].tracks["v"]
    now = scenario.time.now

    def counts() -> list[int]:
        return [stream.stats(now=now).key_frames for stream in track.streams.values()]

    before = counts()
    for _ in range(5):
        camera.receive_rtcp(PictureLossIndication(1, camera.ssrcs[1]))
    scenario.time.run(0.2)
    assert [b - a for a, b in zip(before, counts(), strict=True)] == [0, 1, 0]


def test_layers_that_nobody_wants_stop_and_come_back_with_a_key_frame() -> None:
    scenario = Scenario(Story())
    camera = scenario.publishers[0].camera
    camera.set_wanted({"q"})
    assert camera.sending == ("q",)
    scenario.time.run(3)
    assert set(rates(scenario)) == {"q"}
    stream = next(s for s in scenario.publishers[0].tracks["v"].streams.values() if s.rid == "f")
    before = stream.stats(now=scenario.time.now)
    camera.set_wanted({"q", "f"})
    scenario.time.run(0.2)
    after = stream.stats(now=scenario.time.now)
    assert after.key_frames == before.key_frames + 1
    assert set(rates(scenario)) == {"q", "f"}


def test_publishers_hear_which_layers_are_wanted() -> None:
    scenario = Scenario(Story())
    publisher = scenario.publishers[0]
    layers = tuple(LayerWanted(rid, active=rid != "f") for rid in ("q", "h", "f"))
    publisher.member.participant.notify(LayersWanted(publisher.tracks["v"], layers))
    scenario.time.run(0.1)
    assert publisher.camera.sending == ("q", "h")


def test_the_last_publishers_may_share_screens() -> None:
    scenario = Scenario(Story(seconds=5, publishers=3, screens=1, audio=False, layers=ONE))
    figures = scenario.run()
    sources = [publisher.tracks["v"].source for publisher in scenario.publishers]
    assert sources == ["camera", "camera", "screen_share"]
    assert [video.decodable() for video in figures.videos] == [1, 1, 1]
    assert figures.audios == []


def test_a_narrow_uplink_switches_layers_off_and_a_wider_one_on_again() -> None:
    capacity = Capacity(((0, 900_000), (23, 4_000_000)))
    scenario = Scenario(Story(uplink=capacity, start=300_000, warm_up=20), config=BARE)
    camera, up = scenario.publishers[0].camera, scenario.publishers[0].sender.client.up
    assert isinstance(up, Bottleneck)
    assert camera.sending == ("q", "h")
    assert up.queue_delay(95, 10, 20) < 0.2
    assert up.utilisation(10, 20) > 0.6
    scenario.time.run(30)
    assert camera.sending == ("q", "h", "f")


def test_remb_caps_what_is_sent() -> None:
    scenario = Scenario(Story(), config=BARE)
    publisher = scenario.publishers[0]
    publisher.sender.client.on_rtcp(ReceiverEstimatedMaximumBitrate(1, 400_000, ()))
    assert publisher.camera.sending == ("q", "h")
    publisher.sender.client.on_rtcp(ReceiverEstimatedMaximumBitrate(1, 100_000, ()))
    scenario.time.run(3)
    assert publisher.camera.sending == ("q",)


def test_the_senders_estimate_falls_with_a_queue_and_rises_again() -> None:
    estimate = UplinkEstimate(start=1e6)
    course = []
    for step in range(600):
        now = 0.01 * step
        queue = 0.2 if 100 <= step < 150 else 0.0
        # 1 Mbit/s, by a clock that is 55.5 s off.
        waited = estimate.add(now, now + 55.5 + queue, 1250)
        assert waited == pytest.approx(queue)
        estimate.update(waited, 0.0, now=now)
        course.append(estimate.bitrate)
    assert course[99] > 1.5e6
    assert 0.5e6 < course[140] < 0.9e6
    assert course[-1] > 1.2 * course[160]


def test_loss_is_repaired_and_told() -> None:
    story = Story(seconds=30, layers=ONE, loss=0.03, delay=0.05, temporal_layers=3)
    scenario = Scenario(story)
    figures = scenario.run()
    receiver = figures.video.receiver
    assert receiver.repaired > 20
    assert not receiver.corrupt
    assert figures.video.decodable() > 0.97
    assert not figures.video.freezes(0.5)
    assert 0.01 < figures.audio_loss() < 0.06
    (slot,) = [s for s in scenario.member.participant.subscriptions.slots if s.kind == "video"]
    assert slot.forwarder is not None
    stats = slot.forwarder.stats()
    assert 0.09 < stats.round_trip < 0.15
    assert 0 < stats.fraction_lost < 0.15


def test_an_outage_freezes_and_a_key_frame_or_a_repair_ends_it() -> None:
    figures = Scenario(Story(seconds=30, layers=ONE, outage=Outage(10, 0.5))).run()
    freezes = figures.video.freezes(0.2)
    assert [round(when) for when, _ in freezes] == [10, 20]
    assert all(0.5 <= seconds < 1.2 for _, seconds in freezes)
    assert not figures.video.receiver.corrupt


def test_a_download_takes_its_share_of_the_path() -> None:
    story = Story(seconds=30, layers=ONE, capacity=2e6, cross=((5, 25),))
    path = Scenario(story, config=BARE).run().bottleneck
    assert path.share(10, 25, flow="tcp") > 0.25
    assert path.share(10, 25) > 0.25
    assert path.queue_delay(95, 10, 25) > 0.1
    assert path.queue_delay(95, 26, 30) < 0.05


def test_a_narrow_path_shows_in_the_figures() -> None:
    story = Story(seconds=20, layers=ONE, capacity=Capacity(((0, 2e6), (10, 300_000))))
    figures = Scenario(story, config=BARE).run()
    assert figures.video.decodable() < 0.9
    assert figures.bottleneck.queue_delay(50, 0, 10) < 0.01
    # What is lost is sent again, so even a server that does not care fills the path.
    assert figures.bottleneck.queue_delay(50, 12, 20) > 0.2
    assert figures.bottleneck.utilisation(12, 20) > 0.95
    assert figures.bottleneck.drops["queue"]
    assert figures.video.freeze_ratio(10) > figures.video.freeze_ratio(0, 10)


def test_who_sends_no_nack_asks_for_key_frames() -> None:
    scenario = Scenario(Story(seconds=20, layers=ONE, loss=0.01))
    scenario.receiver._nack = False
    receiver = scenario.run().video.receiver
    assert not receiver.nacked
    assert len(receiver.requests) > 3
    assert sum(one.key for one in receiver.shown) > 3


@pytest.mark.parametrize("feedback", ["transport_cc", "remb", "none"])
def test_a_subscriber_tells_what_it_is_to_tell(feedback: str) -> None:
    scenario = Scenario(Story(seconds=5, layers=ONE, feedback=feedback))  # type: ignore[arg-type]
    heard: list[str] = []
    assert scenario.client.peer is not None
    subscriber = scenario.client.peer.subscriber
    take = subscriber.receive_rtcp

    def spy(packet: object, *, now: float) -> None:
        heard.append(type(packet).__name__)
        take(packet, now=now)  # type: ignore[arg-type]

    subscriber.receive_rtcp = spy  # type: ignore[method-assign]
    scenario.run()
    assert ("TransportFeedback" in heard) == (feedback == "transport_cc")
    assert ("ReceiverEstimatedMaximumBitrate" in heard) == (feedback == "remb")
    assert "ReceiverReport" in heard


def test_same_seed_same_story() -> None:
    story = Story(seconds=10, capacity=2e6, loss=0.02, jitter=0.02)
    first, second = Scenario(story).run(), Scenario(story).run()
    assert first.summary() == second.summary()
    assert [one[1:] for one in first.video.receiver.shown] == [
        one[1:] for one in second.video.receiver.shown
    ]
