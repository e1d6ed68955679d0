"""`GET /healthz`: what it counts is what happened, and PROTOCOL.md tells of every field."""

import json
import re
import resource
import socket
import time
from pathlib import Path

import aiohttp
import msgspec
import pytest
from msgspec import structs

from benchmarks.load.server_stats import MetricsStats
from sfu.room import endpoint, peer
from sfu.room.endpoint import Endpoint
from sfu.transport.address import Address
from sfu.wire.rtcp import ReceiverReport, serialize_compound
from signaling import health
from signaling.health import Health, Network, Process, TcpHealth, UdpSocket
from tests.support.clients import has_ipv6
from tests.support.packets import packet_clients, vp8_frame
from tests.support.paths import PATHS, PLAIN, SEGMENTED, force_path
from tests.support.polling import until
from tests.support.server import running_server, server_process

PROTOCOL = Path(__file__).parents[2] / "PROTOCOL.md"
SECTION = re.search(
    r"^#### GET /healthz\n(.*?)^#", PROTOCOL.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


def told() -> dict[str, set[str]]:
    """The names in each table, by what stands before the table."""
    assert SECTION is not None
    tables: dict[str, set[str]] = {}
    heading = ""
    for line in SECTION[1].splitlines():
        if line.startswith("| `"):
            tables.setdefault(heading, set()).update(re.findall(r"`(\w+)`", line.split("|")[1]))
        elif line and not line.startswith("|"):
            heading = line
    return tables


def names(kind: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in structs.fields(kind)}


def reasons() -> set[str]:
    """All that the code counts."""
    found = re.findall(r'dropped\["(\w+)"\]', Path(endpoint.__file__).read_text("utf-8"))
    return {*found, *re.findall(r'^ +"(\w+)": self\.', Path(peer.__file__).read_text(), re.M)}


def test_every_field_and_every_reason_is_documented_and_no_other() -> None:
    assert list(told().values()) == [
        names(Health),
        names(Process),
        names(Network),
        names(UdpSocket),
        reasons(),
        names(TcpHealth),
    ]


def test_example_has_every_field() -> None:
    assert SECTION is not None
    example = re.search(r"^\{.*\}$", SECTION[1], re.MULTILINE)
    assert example is not None
    decoded = msgspec.json.decode(example[0], type=Health)
    assert json.loads(msgspec.json.encode(decoded)) == json.loads(example[0])


# -- the process


async def test_cpu_time_and_memory_are_this_process_s() -> None:
    async with running_server() as server:
        before = server.media.health().process
        used = resource.getrusage(resource.RUSAGE_SELF)
        assert before.cpu_time == pytest.approx(used.ru_utime + used.ru_stime, abs=0.5)
        assert before.memory is not None
        assert 10 << 20 < before.memory < 2 * used.ru_maxrss * 1024  # KiB, the most there was
        while time.process_time() < before.cpu_time + 0.02:
            pass
        ballast = b"x" * (64 << 20)
        after = server.media.health().process
        assert after.cpu_time >= before.cpu_time + 0.02
        assert after.memory is not None
        assert after.memory > before.memory + len(ballast) // 2


async def test_load_testers_can_read_them() -> None:
    async with running_server() as server:
        stats = MetricsStats(f"{server.url}/healthz")
        reading = await stats.read()
        await stats.close()
        process = server.media.health().process
        assert reading.cpu_time == pytest.approx(process.cpu_time, abs=0.5)
        assert reading.memory == pytest.approx(process.memory, rel=0.2)


async def test_memory_is_null_where_it_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_server() as server:
        for text in (None, "", "junk junk"):
            if text is not None:
                (tmp_path / "statm").write_text(text)
            monkeypatch.setattr(health, "STATM", tmp_path / "statm")
            process = server.media.health().process
            assert process.memory is None
            assert process.cpu_time > 0


# -- the paths


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("path", PATHS)
async def test_path_of_each_socket_is_told(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    force_path(path, monkeypatch)
    async with running_server(media_host=("127.0.0.1", "::1")) as server:
        network = server.media.health().network
        assert network.batched == (path != PLAIN)
        assert network.segmentation == (path == SEGMENTED)
        assert [
            (one.host, one.batched, one.segmentation, one.unsegmented) for one in network.sockets
        ] == [(host, path != PLAIN, path == SEGMENTED, 0) for host in ("127.0.0.1", "::1")]


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_path_of_each_socket_is_logged() -> None:
    async with server_process("--host", "127.0.0.1,::1", "--log-format", "json") as server:
        output = await until(
            lambda: (
                [line for line in server.output.splitlines() if "media port open" in line][1:]
                and server.output
            ),
            "both sockets are logged",
        )
        events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        logged = [event for event in events if event["event"] == "media port open"]
        async with aiohttp.ClientSession() as session, session.get(f"{server.url}/healthz") as got:
            network = (await got.json())["network"]
        for event, one in zip(logged, network["sockets"], strict=True):
            assert event["port"] == network["udp_port"]
            for name in ("host", "batched", "segmentation"):
                assert event[name] == one[name]


async def test_what_the_kernel_dropped_is_told() -> None:
    async with running_server() as server:
        network = server.media.health().network
        assert network.kernel_drops == 0
        (sock,) = server.media.worker.udp._sockets
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
            for _ in range(1000):  # the server has no turn before this ends
                flood.sendto(bytes(1000), ("127.0.0.1", network.udp_port))
        network = server.media.health().network
        dropped = network.kernel_drops
        assert dropped is not None
        assert 0 < dropped < 1000
        assert network.sockets[0].kernel_drops == dropped
        await until(
            lambda: server.media.health().network.packets_received + dropped == 1000,
            "all others are received",
        )


async def test_failed_calls_are_told_by_name() -> None:
    async with running_server() as server:
        outbox = server.media.worker.endpoint.outbox
        outbox.send(Address("127.0.0.1", 0), b"no datagram can have port 0")
        await until(lambda: server.media.health().network.packets_dropped == 1, "it is dropped")
        assert server.media.health().network.errors == {"EINVAL": 1}


# -- what was not taken


async def test_drops_of_living_and_past_peers_add_up() -> None:
    async with running_server() as server, packet_clients(server.url) as clients:
        core: Endpoint = server.media.worker.endpoint

        def dropped() -> dict[str, int]:
            return server.media.health().network.dropped

        for turn in (1, 2):
            viewer = await clients.watch("kitchen")
            publisher = await clients.publish("kitchen")
            publisher.send(vp8_frame(0))
            await until(lambda viewer=viewer: viewer.received, "media flows")

            publisher.ssrc, publisher.payload_type = 99, 99
            publisher.send(vp8_frame(1, packets=3))
            await until(lambda turn=turn: dropped().get("unroutable") == 3 * turn, "3 of no m-line")
            publisher.connection.send_rtcp(b"\x80\xc9\x00\x09" + bytes(4))
            await until(lambda turn=turn: dropped().get("rtcp") == turn, "a malformed report")
            report = serialize_compound([ReceiverReport(1, ())] * 300)
            core.peers[0].transport.send_rtcp(report)
            assert dropped()["rtcp_too_long"] == turn

            living = dropped()
            publisher.connection.close()
            viewer.connection.close()
            await until(lambda: not core.peers, "they are gone")
            assert {reason: dropped()[reason] for reason in living} == living
