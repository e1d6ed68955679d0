"""The shell opens ports and gives them back, and sends what signaling causes by itself."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sfu.config import Config
from sfu.net.worker import Worker
from sfu.room.endpoint import Endpoint
from sfu.room.events import Disconnected, RoomEvent
from sfu.room.handshakes import Handshakes
from sfu.room.media_settings import TrackSettings
from sfu.room.permissions import Permissions
from sfu.transport.address import Address
from sfu.wire.parameters import Fingerprint, IceParameters, TransportParameters
from sfu.wire.stun import binding_request, parse_stun
from tests.support.polling import until

REMOTE = TransportParameters(
    ice=IceParameters("them", "0123456789abcdefghijklmn"),
    fingerprints=(Fingerprint("sha-256", ":".join(["00"] * 32)),),
    dtls_role="server",
)


def config(**settings: object) -> Config:
    return Config(**{"udp_port": 0, "tcp_port": 0, **settings})  # type: ignore[arg-type]


@pytest.fixture
async def client() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def check(worker: Worker, ice: IceParameters) -> bytes:
    return binding_request(
        transaction_id=b"0123456789ab",
        username=f"{ice.username_fragment}:them",
        password=ice.password,
        priority=1,
        controlling=1,
        use_candidate=True,
    )


async def receive(sock: socket.socket) -> bytes:
    async with asyncio.timeout(5):
        return await asyncio.get_running_loop().sock_recv(sock, 2048)


async def test_a_check_is_answered_and_a_goodbye_needs_no_datagram(client: socket.socket) -> None:
    worker = Worker(config())
    await worker.start()
    try:
        peer = worker.endpoint.create_peer("x", now=worker.now())
        peer.start(REMOTE, now=worker.now())
        ice = peer.transport.local_ice
        client.connect(("127.0.0.1", worker.udp.port))
        client.send(check(worker, ice))
        answer = await receive(client)
        assert parse_stun(answer).mapped_address == client.getsockname()
        host, port = client.getsockname()
        assert peer.transport.address == Address(host, port)
        # Nothing arrives now: the outbox wakes the worker by itself.
        worker.endpoint.outbox.send(Address(host, port), b"hello")
        assert await receive(client) == b"hello"
    finally:
        await worker.close()
        client.close()


async def test_timers_are_called_and_an_earlier_one_is_not_missed() -> None:
    worker = Worker(config())
    await worker.start()
    try:
        called: list[str] = []
        done = asyncio.Event()
        timers = worker.endpoint.timers
        timers.call_at(worker.now() + 60, lambda now: called.append("late"))
        timers.call_at(worker.now() + 0.02, lambda now: (called.append("soon"), done.set()))
        async with asyncio.timeout(5):
            await done.wait()
        assert called == ["soon"]
    finally:
        await worker.close()


async def test_ports_are_given_back_and_everyone_is_told() -> None:
    worker = Worker(config())
    await worker.start()
    events: list[RoomEvent] = []
    worker.rooms.open("r", now=worker.now()).join(
        identity="a", permissions=Permissions(), listener=events.append, now=worker.now()
    )
    udp, tcp = worker.udp.port, worker.tcp.port if worker.tcp is not None else 0
    await worker.close()
    await worker.close()
    assert events[-1] == Disconnected("server_shutdown")
    again = Worker(config(udp_port=udp, tcp_port=tcp))
    await again.start()
    await again.close()


async def test_a_port_in_use_is_an_error_that_leaves_nothing_open() -> None:
    first = Worker(config())
    await first.start()
    assert first.tcp is not None
    try:
        with pytest.raises(OSError, match="in use"):
            await Worker(config(udp_port=first.udp.port)).start()
        second = Worker(config(tcp_port=first.tcp.port))
        with pytest.raises(OSError, match="in use"):
            await second.start()
        third = Worker(config(udp_port=second.udp.port, ice_tcp=False))
        await third.start()
        assert third.tcp is None
        await third.close()
    finally:
        await first.close()


async def test_sockets_are_read_between_any_two_turns_of_handshakes(
    client: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    receive_batch, go_on = Endpoint.receive_batch, Handshakes._continue

    def read(self: Endpoint, batch: Any, *, now: float) -> None:
        log.append("read")
        receive_batch(self, batch, now=now)

    def work(self: Handshakes, now: float) -> None:
        log.append("handshakes")
        client.send(b"x" * 20)  # something arrives meanwhile
        go_on(self, now)

    monkeypatch.setattr(Endpoint, "receive_batch", read)
    monkeypatch.setattr(Handshakes, "_continue", work)
    worker = Worker(config())
    await worker.start()
    others = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(10)]
    try:
        client.connect(("127.0.0.1", worker.udp.port))
        for sock in others:
            sock.connect(client.getpeername())
            peer = worker.endpoint.create_peer("x", now=worker.now())
            peer.start(REMOTE, now=worker.now())
            sock.send(check(worker, peer.transport.local_ice))
            sock.send(b"\x16\xfe\xfd" + bytes(60))  # a DTLS handshake record
        await until(lambda: log.count("handshakes") == 5 and log[-1] == "read", "all is done")
        assert log == ["read", "handshakes"] * 5 + ["read"]
    finally:
        await worker.close()
        for sock in (client, *others):
            sock.close()


async def test_a_part_of_a_batch_leaves_at_once(client: socket.socket) -> None:
    worker = Worker(config())
    await worker.start()
    try:
        outbox = worker.endpoint.outbox
        outbox.send(Address(*client.getsockname()), b"first")
        outbox.on_enough()
        assert client.recv(100) == b"first"  # nothing was awaited
        assert not outbox.runs
    finally:
        await worker.close()
        client.close()


def only_file(directory: Path) -> tuple[str, list[Any]]:
    (path,) = directory.iterdir()
    with path.open("rb") as file:
        blocks = []
        while file.peek(1):
            blocks.append(np.load(file))
    return path.name, blocks


async def test_traces_are_whole_when_the_server_stops(tmp_path: Path) -> None:
    worker = Worker(config(trace=str(tmp_path)))
    await worker.start()
    try:
        room = worker.rooms.open("room/../x", now=worker.now())
        one, _two = (
            room.join(
                identity=identity,
                permissions=Permissions(),
                listener=lambda event: None,
                now=worker.now(),
            )
            for identity in ("one", "two")
        )
        one.reception.set_settings("TR_x", TrackSettings(width=640), now=worker.now())
    finally:
        await worker.close()
    name, (head, wish, end) = only_file(tmp_path)  # nothing is to be told of the other
    assert name.endswith(f"Z-{one.sid}.trace")
    about = json.loads(head["head"][0])
    assert (about["room"], about["identity"]) == ("room/../x", "one")
    assert wish["sid"][0] == b"TR_x"
    assert wish["width"][0] == 640
    assert end.dtype.names == ("end", "time")
