"""One publisher's packets on every way to subscribers, byte for byte."""

import socket

import pytest

from tests.support.clients import has_ipv6
from tests.support.packets import PacketPublisher, PacketViewer, packet_clients, vp8_frame
from tests.support.paths import PATHS, PLAIN, SEGMENTED, force_path
from tests.support.polling import until
from tests.support.server import running_server
from tests.support.tcp_relay import tcp_relay

FRAMES = 40
SO_NO_CHECK = 11  # asm-generic/socket.h


async def send_frames(publisher: PacketPublisher, *viewers: PacketViewer, frames: int) -> None:
    """Send frames, each when all viewers have the one before, so that no buffer is too small."""
    first = len(publisher.sent)
    for number in range(frames):
        publisher.send(vp8_frame(first + number))
        for viewer in viewers:
            await until(
                lambda viewer=viewer: len(viewer.received) >= len(publisher.sent),
                f"frame {number} on all ways",
                interval=0.001,
            )


def assert_all_arrived(publisher: PacketPublisher, *viewers: PacketViewer) -> None:
    for viewer in viewers:
        assert viewer.received == publisher.sent
        first = viewer.numbers[0]
        assert viewer.numbers == [first + i & 0xFFFF for i in range(len(publisher.sent))]


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_forwards_every_packet(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    force_path(path, monkeypatch)
    async with running_server() as server, packet_clients(server.url) as clients:
        viewers = [await clients.watch("kitchen") for _ in range(3)]
        publisher = await clients.publish("kitchen")
        await send_frames(publisher, *viewers, frames=FRAMES)
        assert_all_arrived(publisher, *viewers)
        network = server.media.health().network
        assert network.batched == (path != PLAIN)
        assert network.segmentation == (path == SEGMENTED)
        for viewer in viewers:
            assert (viewer.pieces < len(viewer.received)) == (path == SEGMENTED)


async def test_segmentation_that_is_refused_costs_no_packet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    force_path(SEGMENTED, monkeypatch)
    async with running_server() as server, packet_clients(server.url) as clients:
        viewers = [await clients.watch("kitchen") for _ in range(3)]
        publisher = await clients.publish("kitchen")
        await send_frames(publisher, *viewers, frames=2)
        before = server.media.health().network
        (sock,) = server.media.worker.udp._sockets
        sock.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)  # no checksums: EINVAL for runs
        await send_frames(publisher, *viewers, frames=FRAMES)
        assert_all_arrived(publisher, *viewers)
        after = server.media.health().network
        assert (before.sockets[0].unsegmented, after.sockets[0].unsegmented) == (0, 3)
        assert after.errors == {"EINVAL": 3}
        assert after.packets_dropped == 0
        assert after.packets_sent - before.packets_sent >= 3 * 8 * FRAMES


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("path", PATHS)
async def test_ipv4_ipv6_and_tcp_side_by_side(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    force_path(path, monkeypatch)
    async with (
        running_server(media_host=("127.0.0.1", "::1")) as server,
        packet_clients(server.url) as clients,
    ):
        worker = server.media.worker
        assert worker.tcp is not None
        async with tcp_relay("127.0.0.1", worker.tcp.port) as relay:
            viewers = [
                await clients.watch("kitchen"),
                await clients.watch("kitchen", family=socket.AF_INET6),
                await clients.watch("kitchen", rewrite=relay.describe),
                await clients.watch("kitchen"),
            ]
            ways = [peer.transport.address for peer in worker.endpoint.peers]
            assert [way and (":" in way.host, way.protocol) for way in ways] == [
                (False, "udp"),
                (True, "udp"),
                (False, "tcp"),
                (False, "udp"),
            ]
            publisher = await clients.publish("kitchen")
            await send_frames(publisher, *viewers, frames=FRAMES)
            assert_all_arrived(publisher, *viewers)
            assert worker.udp.counters.packets_dropped == 0
            assert worker.tcp.counters.frames_dropped == 0


async def test_tcp_client_that_stops_reading_harms_nobody() -> None:
    limit = 100_000
    async with (
        running_server(max_tcp_buffer=limit) as server,
        packet_clients(server.url) as clients,
    ):
        port = server.media.worker.tcp
        assert port is not None
        async with (
            tcp_relay("127.0.0.1", port.port) as one,
            tcp_relay("127.0.0.1", port.port) as two,
        ):
            slow = await clients.watch("kitchen", rewrite=one.describe)
            (connection,) = port._connections.values()
            assert connection._transport is not None
            others = [
                await clients.watch("kitchen", rewrite=two.describe),
                await clients.watch("kitchen"),
            ]
            publisher = await clients.publish("kitchen")
            one.pause()
            most, frames = 0, 0
            while port.counters.frames_dropped < 1000:
                assert frames < 20_000, "somebody keeps it all"
                await send_frames(publisher, *others, frames=1)
                most = max(most, connection._transport.get_write_buffer_size())
                frames += 1
            assert limit - 10_000 < most <= limit + 2
            assert_all_arrived(publisher, *others)
            tcp = server.media.health().network.tcp
            assert tcp is not None
            assert tcp.frames_dropped == port.counters.frames_dropped
            dropped = tcp.frames_dropped

            one.resume()
            await until(lambda: not connection._transport.get_write_buffer_size(), "it caught up")
            await send_frames(publisher, *others, frames=1)
            await until(lambda: slow.received[-1:] == publisher.sent[-1:], "it sees the present")
            missing = len(publisher.sent) - len(slow.received)
            assert 0 < missing <= dropped
            assert set(slow.received) <= set(publisher.sent)
