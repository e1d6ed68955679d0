"""Each figure against what a relay between server and viewer did, which keeps its own account."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random

import av
import numpy as np
import pytest

from benchmarks.load.model import ClientSample
from tests.benchmarks.load.crew import PUBLISHER, WATCHERS, Crew, crew
from tests.benchmarks.load.udp_relay import Passed, Policy, UdpRelay
from tests.benchmarks.load.whip_proxy import whip_proxy
from tests.support.polling import until
from tests.support.server import running_server

VIEWER = WATCHERS[0]
VIDEO_CLOCK = 90_000  # Hz


@asynccontextmanager
async def relayed(policy: Policy, **options) -> AsyncIterator[tuple[Crew, UdpRelay]]:
    """A server, a publisher right at it, and a viewer behind the relay."""
    relay = UdpRelay(policy)
    edits = {"edit_offer": relay.edit_offer, "edit_answer": relay.edit_answer}
    try:
        async with (
            running_server() as server,
            whip_proxy(server.url, **edits) as url,
            crew(url, **{"stamp_every": 1, "fps": 60.0, **options}) as load,
        ):
            await load.fleet.join([PUBLISHER])
            await load.reach(PUBLISHER, lambda sample: sample.state == "connected")
            await load.fleet.join([VIEWER])
            yield load, relay
    finally:
        relay.close()


async def final(load: Crew, relay: UdpRelay) -> ClientSample:
    """The viewer's sample when the publisher has left and everything has arrived."""
    await load.fleet.leave([PUBLISHER.name])
    await load.reach(PUBLISHER, lambda sample: sample.state == "left")
    quiet = [len(relay.passed), time.monotonic()]

    def settled() -> bool:
        if len(relay.passed) != quiet[0]:
            quiet[:] = [len(relay.passed), time.monotonic()]
        return time.monotonic() - quiet[1] > 0.5  # two samples of the tester

    await until(settled, "the last packet")
    return load[VIEWER]


def gone_on(relay: UdpRelay) -> list[tuple[Passed, float]]:
    return [(each, each.went) for each in relay.passed if each.went is not None]


@pytest.mark.parametrize("share", [3, 10])
async def test_loss_without_repair_is_what_the_path_lost(share: int) -> None:
    def policy(packet: Passed) -> float | None:
        return None if packet.number % share == 0 else 0.0

    async with relayed(policy, send_nacks=False) as (load, relay):
        await until(lambda: len(relay.passed) > 300, "media")
        sample = await final(load, relay)
    arrived = [each.number for each, _ in gone_on(relay)]
    assert sample.packets_received == len(arrived)
    assert sample.packets_expected == (arrived[-1] - arrived[0]) % 65536 + 1
    assert sample.nacks == 0
    lost = sample.packets_expected - sample.packets_received
    assert lost == pytest.approx(len(relay.passed) / share, rel=0.1)


async def test_repaired_loss_is_none_but_was_asked_for() -> None:
    lossy = True

    def policy(packet: Passed) -> float | None:
        return None if lossy and packet.number % 10 == 0 else 0.0

    async with relayed(policy) as (load, relay):
        await until(lambda: len(relay.passed) > 300, "media")
        lossy = False  # with the publisher what is still to be repaired would be gone
        await load.reach(
            VIEWER, lambda sample: sample.packets_received == sample.packets_expected > 270
        )
        sample = await final(load, relay)
    dropped = sum(each.went is None for each in relay.passed)
    assert dropped > 25
    first = gone_on(relay)[0][0].number
    seen = max((each.number - first) % 65536 for each, _ in gone_on(relay)) + 1
    assert sample.packets_expected == seen
    assert seen - 1 <= sample.packets_received <= seen  # the last may be lost with its publisher
    assert dropped - 2 <= sample.nacks <= 2 * dropped  # the first and the last may be outside


async def test_delay_jitter_and_freezes_are_those_of_the_path() -> None:
    random, holds = Random(1), {40: 0.35, 80: 0.8}
    numbers: dict[int, float] = {}
    released = 0.0

    def policy(packet: Passed) -> float | None:
        """About 60 ms, one in three packets 30 ms later; two stalls."""
        nonlocal released
        numbers.setdefault(packet.number, packet.came)
        if stall := holds.pop(len(numbers), 0.0):
            released = packet.came + stall
        held = max(0.0, released - packet.came)
        return max(held, 0.06 + 0.03 * (random.random() < 0.33))

    async with relayed(policy, packets_per_frame=1) as (load, relay):
        await until(lambda: len(relay.passed) > 200, "media")
        sample = await final(load, relay)
    packets = gone_on(relay)
    gaps = [after - before for (_, before), (_, after) in pairwise(packets)]
    frozen = [gap for gap in gaps if gap > 0.2]
    assert len(frozen) >= 2
    # The end of the stream lasts for some time, and may be taken for one more freeze.
    assert sample.freezes_short - len(frozen) in (0, 1)
    assert sample.freezes_long - sum(gap > 0.5 for gap in frozen) in (0, 1)
    assert sample.frozen_time > 0.98 * sum(frozen)
    if sample.freezes_short == len(frozen):
        assert sample.frozen_time == pytest.approx(sum(frozen), rel=0.02)
    delays = sorted(went - each.came for each, went in packets)
    for percent in (50, 90):
        truth = delays[len(delays) * percent // 100]
        assert truth > 0.05
        measured = load.delays.percentile(percent)
        assert 0.95 * truth < measured < 1.15 * truth + 0.02
    assert sample.jitter == pytest.approx(jitter(packets), rel=0.15)
    assert sample.first_packet_time == pytest.approx(packets[0][1] - relay.asked, abs=0.1)


def jitter(packets: list[tuple[Passed, float]]) -> float:
    """RFC 3550 6.4.1, in seconds."""
    result = 0.0
    for (before, before_went), (after, after_went) in pairwise(packets):
        sent = ((after.timestamp - before.timestamp + 2**31) % 2**32 - 2**31) / VIDEO_CLOCK
        result += (abs(after_went - before_went - sent) - result) / 16
    return result


async def test_first_key_frame_is_the_first_that_is_whole(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    film = tmp_path / "noise.webm"
    write_noise(film)
    sizes: dict[int, int] = {}  # packets of each frame, by timestamp
    large: list[int] = []  # timestamps of key frames

    def policy(packet: Passed) -> float | None:
        """Drops a packet out of each of the first two key frames."""
        sizes[packet.timestamp] = size = sizes.get(packet.timestamp, 0) + 1
        if size == 10:
            large.append(packet.timestamp)
            return None if len(large) <= 2 else 0.0
        return 0.0

    options = {"packets_per_frame": 0, "clip": str(film), "fps": 25.0, "send_nacks": False}
    async with relayed(policy, **options) as (load, relay):
        await load.reach(VIEWER, lambda sample: sample.first_key_frame_time is not None)
        await until(lambda: len(large) >= 4, "another key frame")
        sample = await final(load, relay)
    packets = gone_on(relay)
    whole = max(went for each, went in packets if each.timestamp == large[2])
    assert sample.first_key_frame_time == pytest.approx(whole - relay.asked, abs=0.1)
    assert sample.first_packet_time == pytest.approx(packets[0][1] - relay.asked, abs=0.1)
    assert whole - packets[0][1] > 0.25  # else nothing would tell the two apart
    assert sample.plis >= 1
    decodable = {each.timestamp for each, went in packets if went >= whole}
    assert sample.frames_decodable == len(decodable)


def write_noise(path: Path) -> None:
    """A film of one picture of noise: large key frames, and next to nothing between them."""
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    with av.open(str(path), "w") as container:
        options = {"auto-alt-ref": "0", "lag-in-frames": "0", "deadline": "realtime"}
        video = container.add_stream("libvpx", rate=25, options=options)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        video.bit_rate, video.gop_size = 2_000_000, 50
        for number in range(100):
            frame = av.VideoFrame.from_ndarray(noise, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
