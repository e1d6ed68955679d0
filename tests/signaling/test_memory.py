"""What a server that runs for weeks must not keep, and how it looks for it."""

import asyncio
import gc
import json
import subprocess
import sys
import weakref
from typing import Any

from sfu.room.participant import Participant
from sfu.room.peer import Peer
from signaling.http_sessions import HttpSession
from signaling.serving import GC_THRESHOLDS
from signaling.session import Session
from tests.support.clients import Clients, clients_of
from tests.support.descriptions import sample
from tests.support.server import RunningServer, running_server

CHURN = 100  # by each kind of signaling

SERVE = """
import asyncio, gc, json, os, signal
from signaling.serving import serve
from signaling.settings import load

def announce(_line):
    print(json.dumps([gc.get_threshold(), gc.get_freeze_count(), gc.isenabled()]))
    os.kill(os.getpid(), signal.SIGTERM)

ports = {"http_port": "0", "udp_port": "0", "tcp_port": "0", "dev": True}
asyncio.run(serve(load(ports, environ={}, file=None), announce=announce))
"""


def test_command_freezes_what_it_began_with_and_collects_less_often() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVE], capture_output=True, text=True, timeout=30, check=True
    )
    thresholds, frozen, enabled = json.loads(done.stdout.splitlines()[-1])
    assert tuple(thresholds) == GC_THRESHOLDS
    assert frozen > 10_000, "modules are most of it"
    assert enabled, "ended peers are cycles"


async def test_application_leaves_the_process_of_others_as_it_is() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()
    async with running_server():
        assert (gc.get_threshold(), gc.get_freeze_count()) == before


class Born:
    """Weak references to all objects of some classes that are made meanwhile."""

    def __init__(self, monkeypatch: Any, *classes: type) -> None:
        self.references: list[weakref.ref[Any]] = []
        for each in classes:
            monkeypatch.setattr(each, "__init__", self._noting(each.__init__))  # type: ignore[misc]

    def _noting(self, initialize: Any) -> Any:
        def noted(this: Any, *arguments: Any, **keywords: Any) -> None:
            self.references.append(weakref.ref(this))
            initialize(this, *arguments, **keywords)

        return noted

    def living(self) -> list[str]:
        return [type(one).__name__ for ref in self.references if (one := ref()) is not None]


async def watch(server: RunningServer, clients: Clients, number: int) -> None:
    """A viewer comes by WHEP and goes."""
    offer = sample("chrome_publish").replace("a=sendonly", "a=recvonly")
    headers = {"Content-Type": "application/sdp"}
    url = f"{server.url}/whep/room{number % 3}"
    async with clients.http.post(url, data=offer, headers=headers) as response:
        assert response.status == 201
        location = response.headers["Location"]
    async with clients.http.delete(server.url + location) as response:
        assert response.status == 200


async def visit(server: RunningServer, clients: Clients, number: int) -> None:
    """A participant comes by WebSocket, begins to publish, and goes."""
    async with clients.http.ws_connect(server.websocket_url) as socket:
        join = {"type": "join", "id": 1, "room": f"room{number % 3}", "identity": f"p{number}"}
        offer = {"type": "publisher_offer", "id": 2, "sdp": sample("chrome_data"), "tracks": {}}
        for message in (join, offer, {"type": "leave", "id": 3}):
            await socket.send_json(message)
            while (await socket.receive_json(timeout=10)).get("id") != message["id"]:
                pass


async def test_nothing_is_left_of_those_who_came_and_went(monkeypatch: Any) -> None:
    born = Born(monkeypatch, Participant, Peer, HttpSession, Session)
    async with running_server(empty_timeout=0.05) as server, clients_of(server.url) as clients:
        for number in range(0, CHURN, 10):
            some = range(number, number + 10)
            await asyncio.gather(
                *(watch(server, clients, n) for n in some),
                *(visit(server, clients, n) for n in some),
            )
        assert len(born.references) == 6 * CHURN
        assert not server.media.worker.endpoint.peers
        await asyncio.sleep(0)  # the last tasks end
        gc.collect()
        assert born.living() == []
