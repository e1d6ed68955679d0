"""The whole engine against real servers: processes, sockets, ICE, DTLS, SRTP, RTP, RTCP."""

import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from benchmarks.load.model import (
    ClientSample,
    ClientSpec,
    LoadError,
    LoadPlan,
    LossPattern,
    MutePattern,
    Rate,
    Sample,
)
from benchmarks.load.process import ProcessFleet
from benchmarks.namespaces import loopback
from benchmarks.servers import janus_server
from tests.support.polling import until
from tests.support.server import API_KEY, API_SECRET, running_server

PUBLISHER = ClientSpec("publisher", "room", publishes=True)
WATCHERS = [ClientSpec(f"watcher {i}", "room", subscribes=True) for i in range(3)]


class Crew:
    """A fleet and the newest sample of each of its clients."""

    def __init__(self, plan: LoadPlan) -> None:
        self.samples: dict[str, ClientSample] = {}
        self.newest: dict[int, Sample] = {}
        self.delays = 0
        self.fleet = ProcessFleet(plan, self._take)

    def _take(self, sample: Sample) -> None:
        self.newest[sample.process] = sample
        for client in sample.clients:
            self.samples[client.name] = client
            self.delays += client.delays.total

    def __getitem__(self, spec: ClientSpec) -> ClientSample:
        return self.samples[spec.name]

    async def reach(self, spec: ClientSpec, condition: Callable[[ClientSample], object]) -> None:
        """Wait until a client's sample is as it should be."""
        await until(
            lambda: spec.name in self.samples and condition(self.samples[spec.name]),
            f"{spec.name} as it should be: {self.samples.get(spec.name)}",
        )


@asynccontextmanager
async def crew(url: str, **options) -> AsyncIterator[Crew]:
    options.setdefault("packets_per_frame", 4)
    result = Crew(LoadPlan(url, **options))
    await result.fleet.open()
    try:
        yield result
    finally:
        await result.fleet.close()


@pytest.mark.parametrize("protocol", ["whip", "aiosfu"])
async def test_everyone_receives_everything(protocol: str) -> None:
    async with (
        running_server() as server,
        crew(server.url, protocol=protocol, codecs=("vp8", "opus"), processes=2) as load,
    ):
        await load.fleet.join([PUBLISHER, *WATCHERS])
        for watcher in WATCHERS:
            await load.reach(watcher, lambda sample: sample.frames_decodable > 30)
        assert {sample.process for sample in load.newest.values()} == {0, 1}
        await load.fleet.leave([watcher.name for watcher in WATCHERS])
        for watcher in WATCHERS:
            await load.reach(watcher, lambda sample: sample.state == "left")
            sample = load[watcher]
            assert sample.packets_expected == sample.packets_received > 150
            assert sample.bytes_received > sample.packets_received * 1000
            assert 0 < sample.join_time < 5
            assert sample.first_packet_time <= sample.first_key_frame_time < 5
            assert 0 <= sample.jitter < 0.5
            assert sample.error == ""
        assert load.delays > 10
        assert sum(sample.socket_drops for sample in load.newest.values()) == 0
        assert all(sample.cpu_time > 0 for sample in load.newest.values())
        publisher = load[PUBLISHER]
        assert publisher.state == "connected"
        assert publisher.packets_sent > 150
        assert publisher.plis >= 1


@pytest.mark.parametrize("protocol", ["whip", "aiosfu"])
async def test_lost_packets_are_asked_for_and_sent_again(protocol: str) -> None:
    async with (
        running_server() as server,
        crew(server.url, protocol=protocol, loss=LossPattern(0.05, burst=2)) as load,
    ):
        await load.fleet.join([PUBLISHER, WATCHERS[0]])
        await load.reach(PUBLISHER, lambda sample: sample.packets_resent > 5)
        await load.reach(WATCHERS[0], lambda sample: sample.packets_received > 200)
        watcher, publisher = load[WATCHERS[0]], load[PUBLISHER]
        assert publisher.packets_dropped > 5
        assert publisher.nacks >= publisher.packets_resent
        missing = watcher.packets_expected - watcher.packets_received
        assert missing < publisher.packets_dropped / 2


async def test_without_repair_loss_is_seen_and_key_frames_asked_for() -> None:
    options = {"loss": LossPattern(0.05), "answer_nacks": False, "send_nacks": False}
    async with running_server() as server, crew(server.url, **options) as load:
        await load.fleet.join([PUBLISHER, WATCHERS[0]])
        await load.reach(
            WATCHERS[0],
            lambda sample: (
                sample.packets_expected - sample.packets_received > 5
                and sample.plis
                and sample.frames_decodable
            ),
        )
        assert load[PUBLISHER].packets_resent == 0
        assert load[WATCHERS[0]].nacks == 0


async def test_late_publishers_members_and_leavers_are_followed() -> None:
    members = [ClientSpec(f"member {i}", "room", publishes=True, subscribes=True) for i in range(2)]
    async with running_server() as server, crew(server.url, protocol="aiosfu") as load:
        await load.fleet.join([WATCHERS[0], members[0]])
        await load.reach(WATCHERS[0], lambda sample: sample.frames_decodable > 10)
        await load.fleet.join(members[1:])
        for member in members:
            await load.reach(member, lambda sample: sample.frames_decodable > 10)
        await load.fleet.leave([members[0].name])
        await load.reach(members[0], lambda sample: sample.state == "left")
        before = load[members[1]].packets_sent
        await load.reach(members[1], lambda sample: sample.packets_sent > before + 100)
        assert load[members[1]].state == load[WATCHERS[0]].state == "connected"


async def test_mute_makes_no_freeze_and_rates_change() -> None:
    mute = MutePattern(sending=0.4, pausing=0.4)
    async with running_server() as server, crew(server.url, mute=mute) as load:
        await load.fleet.join([PUBLISHER, WATCHERS[0]])
        await load.reach(WATCHERS[0], lambda sample: sample.frames_decodable > 30)
        assert load[WATCHERS[0]].freezes_short == 0
        await load.fleet.change(Rate(fps=60, packets_per_frame=10))
        before = load[WATCHERS[0]].packets_received
        await load.reach(WATCHERS[0], lambda sample: sample.packets_received > before + 600)
        sample = load[WATCHERS[0]]
        assert sample.packets_received == sample.packets_expected


async def test_the_clip_is_played_and_kept(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = {"packets_per_frame": 0, "codecs": ("h264", "opus"), "fps": 10.0}
    async with running_server() as server, crew(server.url, **options) as load:
        assert len(os.listdir(tmp_path / "aiosfu" / "clips")) == 2
        await load.fleet.join([PUBLISHER, WATCHERS[0]])
        await load.reach(WATCHERS[0], lambda sample: sample.frames_decodable > 10)
        sample = load[WATCHERS[0]]
        assert sample.packets_received == sample.packets_expected
        assert sample.bytes_received / sample.packets_received < 1000


# -- what goes wrong


async def test_a_refused_token_is_told() -> None:
    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET) as server,
        crew(server.url, token="wrong") as wrong,
        crew(server.url, api_key=API_KEY, api_secret=API_SECRET) as right,
    ):
        await wrong.fleet.join([PUBLISHER])
        await wrong.reach(PUBLISHER, lambda sample: sample.state == "failed")
        assert wrong[PUBLISHER].error.startswith("The server refused the token")
        await right.fleet.join([PUBLISHER, WATCHERS[0]])
        await right.reach(WATCHERS[0], lambda sample: sample.packets_received > 10)


@pytest.mark.parametrize("protocol", ["whip", "aiosfu", "janus"])
async def test_an_unreachable_server_is_told(protocol: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and nobody listens
        async with crew(f"http://127.0.0.1:{unused.getsockname()[1]}", protocol=protocol) as load:
            await load.fleet.join([PUBLISHER])
            await load.reach(PUBLISHER, lambda sample: sample.state == "failed")
            assert "cannot be reached" in load[PUBLISHER].error


async def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with crew(url, join_timeout=0.5) as load:
            await load.fleet.join([PUBLISHER])
            await load.reach(PUBLISHER, lambda sample: sample.state == "failed")
            assert load[PUBLISHER].error == "No answer within 0.5 s."


@pytest.mark.parametrize("protocol", ["whip", "aiosfu"])
async def test_a_server_that_ends_is_told_by_its_clients(protocol: str) -> None:
    async with running_server() as server:
        load = Crew(LoadPlan(server.url, protocol=protocol, packets_per_frame=1))
        await load.fleet.open()
        await load.fleet.join([PUBLISHER, WATCHERS[0]])
        await load.reach(WATCHERS[0], lambda sample: sample.packets_received > 10)
    for spec in (PUBLISHER, WATCHERS[0]):
        await load.reach(spec, lambda sample: sample.state == "failed")
        assert load[spec].error.startswith("The server ")
    await load.fleet.close()


async def test_a_process_that_dies_is_told() -> None:
    async with running_server() as server, crew(server.url) as load:
        load.fleet._processes[0]._process.kill()
        await until(lambda: load.newest and load.newest[0].fault, "its fault")
        assert "has ended by itself" in load.newest[0].fault


async def test_an_unusable_file_ends_it_before_it_begins(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no video")
    for clip in (text, tmp_path / "missing.mp4"):
        fleet = ProcessFleet(LoadPlan("http://127.0.0.1:1", clip=str(clip)), lambda _: None)
        with pytest.raises(LoadError, match=clip.name):
            await fleet.open()
        await fleet.close()


@pytest.mark.skipif(shutil.which("janus") is None, reason="needs Janus")
async def test_janus_is_spoken_to() -> None:
    members = [ClientSpec(f"member {i}", "room", publishes=True, subscribes=True) for i in range(2)]
    with janus_server(loopback().server) as server:
        async with crew(server.url, protocol="janus", codecs=("vp8", "opus")) as load:
            await load.fleet.join([PUBLISHER])
            await load.reach(PUBLISHER, lambda sample: sample.state == "connected")
            await load.fleet.join([WATCHERS[0], *members])
            for spec in (WATCHERS[0], *members):
                await load.reach(spec, lambda sample: sample.frames_decodable > 30)
                sample = load[spec]
                assert sample.packets_received == sample.packets_expected
            await load.fleet.leave([WATCHERS[0].name])
            await load.reach(WATCHERS[0], lambda sample: sample.state == "left")
