"""A real viewer of the real server behind the relay that makes paths narrow."""

from itertools import pairwise

from tests.support.capacity import Capacity
from tests.support.packets import packet_clients, vp8_frame
from tests.support.polling import until
from tests.support.server import running_server
from tests.support.udp_bottleneck import udp_bottleneck

PACKET = 1150  # bytes on the wire, or a little more


async def test_a_viewer_connects_and_gets_what_the_bottleneck_lets_through() -> None:
    async with running_server() as server, packet_clients(server.url) as clients:
        (sock,) = server.media.worker.udp._sockets
        async with udp_bottleneck("127.0.0.1", sock.getsockname()[1]) as path:
            viewer = await clients.watch("kitchen", rewrite=path.describe)
            assert path.up.sent
            assert path.down.sent
            publisher = await clients.publish("kitchen")
            publisher.send(vp8_frame(0))
            await until(lambda: len(viewer.received) == 8, "a frame over a wide path")
            assert viewer.received == publisher.sent
            # Hardly anything leaves for two seconds, and the queue has room for some of it.
            path.down.capacity = Capacity(((0, 1_000), (2, 1e8)))
            path.down.queue_bytes = 10 * PACKET
            path.begin()
            for number in range(1, 6):
                publisher.send(vp8_frame(number))
            await until(lambda: path.down.drops["queue"] >= 25, "a full queue")
            await until(lambda: len(viewer.received) >= 16, "what was in the queue")
            assert len(viewer.received) < len(publisher.sent) - 20
            assert all(a < b for a, b in pairwise(viewer.numbers))
