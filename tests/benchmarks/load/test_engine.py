"""The whole engine against real servers: processes, sockets, ICE, DTLS, SRTP, RTP, RTCP."""

import itertools
import os
import resource
import socket
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from benchmarks.load.model import (
    ClientSpec,
    LoadError,
    LoadPlan,
    LossPattern,
    MutePattern,
    Rate,
)
from benchmarks.load.process import ProcessFleet
from benchmarks.namespaces import loopback
from benchmarks.servers import JANUS_WEBSOCKET_PORT, janus_server
from tests.benchmarks.load.crew import PUBLISHER, WATCHERS, Crew, crew
from tests.benchmarks.load.whip_proxy import serving, whip_proxy, without_simulcast
from tests.support.polling import until
from tests.support.programs import require_program
from tests.support.server import API_KEY, API_SECRET, running_server


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
        assert load.delays.total > 10
        assert sum(sample.socket_drops for sample in load.newest.values()) == 0
        assert all(sample.cpu_time > 0 for sample in load.newest.values())
        publisher = load[PUBLISHER]
        assert publisher.state == "connected"
        assert publisher.packets_sent > 150
        assert publisher.plis_heard >= 1


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
        assert publisher.nacks_heard >= publisher.packets_resent
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


async def test_mute_is_told_to_a_server_that_wants_to_know() -> None:
    options = {"mute": MutePattern(0.5, 0.5), "codecs": ("vp8", "opus"), "protocol": "aiosfu"}
    told: dict[str, list[bool]] = {}
    async with running_server() as server, crew(server.url, **options) as load:
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{server.url}/ws") as watcher:
            await watcher.send_json({"type": "join", "id": 1, "room": "room"})
            await load.fleet.join([PUBLISHER, WATCHERS[0]])
            while len(told) < 2 or any(len(states) < 3 for states in told.values()):
                message = await watcher.receive_json(timeout=10)
                if message["type"] == "track_updated":
                    states = told.setdefault(message["track"]["sid"], [])
                    if states[-1:] != [message["track"]["muted"]]:
                        states.append(message["track"]["muted"])
        before = load[WATCHERS[0]].packets_received
        await load.reach(WATCHERS[0], lambda sample: sample.packets_received > before + 100)
        assert load[WATCHERS[0]].freezes_short == 0
    for states in told.values():
        assert states[:3] in ([True, False, True], [False, True, False])


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
        load = Crew(LoadPlan(server.url, protocol=protocol, packets_per_frame=1, interval=0.2))
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


async def test_processes_that_cannot_be_started_are_told() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    there = {int(name) for name in os.listdir("/proc/self/fd")}
    free = itertools.islice((number for number in itertools.count() if number not in there), 9)
    fleet = ProcessFleet(LoadPlan("", processes=20, packets_per_frame=1), lambda _: None)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(free), limits[1]))
    try:
        with pytest.raises(LoadError, match=r"Only [1-4] of 20 processes.*Too many open files"):
            await fleet.open()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("transport", ["http", "websocket"])
async def test_janus_is_spoken_to(transport: str) -> None:
    require_program("janus", "janus")
    members = [ClientSpec(f"member {i}", "room", publishes=True, subscribes=True) for i in range(2)]
    with janus_server(loopback().server) as server:
        url = server.url
        if transport == "websocket":
            url = f"ws://127.0.0.1:{JANUS_WEBSOCKET_PORT}"
        async with crew(url, protocol="janus", codecs=("vp8", "opus")) as load:
            await load.fleet.join([PUBLISHER])
            await load.reach(PUBLISHER, lambda sample: sample.state == "connected")
            await load.fleet.join([WATCHERS[0], *members])
            for spec in (WATCHERS[0], *members):
                await load.reach(spec, lambda sample: sample.frames_decodable > 30)
                sample = load[spec]
                assert sample.packets_received == sample.packets_expected
            await load.fleet.leave([WATCHERS[0].name])
            await load.reach(WATCHERS[0], lambda sample: sample.state == "left")


async def test_janus_takes_simulcast_and_sends_the_best_layer(simulcast_clip) -> None:
    require_program("janus", "janus")
    with janus_server(loopback().server) as server:
        async with crew(server.url, protocol="janus", **simulcast_clip) as load:
            await load.fleet.join([PUBLISHER])
            await load.reach(PUBLISHER, lambda sample: sample.state == "connected")
            await load.fleet.join([WATCHERS[0]])
            await load.reach(WATCHERS[0], lambda sample: sample.layer == "f")
            assert load[PUBLISHER].note == ""
            assert load[PUBLISHER].bytes_sent > 1.1 * load[WATCHERS[0]].bytes_received


async def test_a_server_that_takes_no_simulcast_gets_the_largest_encoding_and_it_is_told(
    simulcast_clip,
) -> None:
    async with (
        running_server() as server,
        whip_proxy(server.url, edit_offer=without_simulcast) as url,
        crew(url, **simulcast_clip) as load,
    ):
        await load.fleet.join([PUBLISHER, WATCHERS[0]])
        await load.reach(WATCHERS[0], lambda sample: sample.layer)
        assert load[WATCHERS[0]].layer == "f"
        assert "takes no simulcast" in load[PUBLISHER].note


NONSENSE = {
    "no-description": ("v=1\r\nhello", "description is malformed"),
    "a-page": ("<html>", "description is malformed"),
    "nothing": ("", "description is malformed"),
    "no-text": (b"\xff\xfe\x00\x80", "description is malformed"),
    "half-of-one": (
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=rtpmap:96 VP8/90000\r\n",
        "lacks ICE credentials",
    ),
}


async def test_a_server_that_answers_nonsense_is_told() -> None:
    specs = [ClientSpec(name, name, publishes=True) for name in NONSENSE]

    async def answer(request: web.Request) -> web.Response:
        body, _ = NONSENSE[request.path.split("/")[1]]
        data = body if isinstance(body, bytes) else body.encode()
        return web.Response(status=201, body=data, headers={"Location": "/session"})

    async with serving(answer) as url, crew(f"{url}/{{room}}/{{kind}}") as load:
        await load.fleet.join(specs)
        for spec in specs:
            await load.reach(spec, lambda sample: sample.state == "failed")
            assert NONSENSE[spec.name][1] in load[spec].error


@pytest.mark.parametrize("protocol", ["aiosfu", "janus"])
async def test_nonsense_over_a_websocket_is_told(protocol: str) -> None:
    said = ["[1, 2]", "nope{", '"x"', '{"type": "error", "id": 1}']
    specs = [ClientSpec(f"client-{n}-", "room", publishes=True) for n in range(len(said))]

    async def babble(request: web.Request) -> web.WebSocketResponse:
        web_socket = web.WebSocketResponse()
        await web_socket.prepare(request)
        async for message in web_socket:
            (number,) = (n for n in range(len(said)) if f"client-{n}-" in message.data)
            await web_socket.send_str(said[number])
        return web_socket

    options = {"protocol": protocol, "join_timeout": 1.0}
    async with serving(babble) as url, crew(url.replace("http", "ws", 1), **options) as load:
        await load.fleet.join(specs)
        for spec in specs:
            await load.reach(spec, lambda sample: sample.state == "failed")
            error = load[spec].error
            # Janus may say anything that is not an answer at any time.
            assert "cannot be understood" in error or (
                protocol == "janus" and "within 1 s" in error
            )
