"""Signaling sessions over the real rooms, in virtual time and without sockets."""

import itertools
import json
from typing import Any

from recorder.manager import RecordingManager
from sfu.config import Config
from sfu.room.participant import Participant
from sfu.room.peer import Peer
from signaling.members import Members
from signaling.messages import Event, encode
from signaling.negotiation import LocalTransport
from signaling.negotiator import Media
from signaling.session import Session
from tests.support.descriptions import LOCAL
from tests.support.recordings import NoRepairs, PaperRecorder
from tests.support.virtual_room import VirtualServer

Message = dict[str, Any]


class SessionServer:
    """Rooms, and what sessions need of a server.

    Attributes:
        time: Virtual.
        members: Who is here by a session.
        opened: Participants that have negotiated data channels.
        recorder: What recordings would be made by.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.core = VirtualServer(config or Config(dev=True))
        self.config = self.core.config
        self.rooms = self.core.rooms
        self.time = self.core.time
        self.members = Members()
        self.opened: list[Participant] = []
        self.media = Media(
            config=self.config,
            endpoint=self.core.endpoint,
            describe=self._describe,
            open_channels=lambda participant, _: self.opened.append(participant),
        )
        self.recorder = PaperRecorder()
        self.recordings = RecordingManager(
            self.config,
            make_recorder=self.recorder.make,
            repairs=NoRepairs(),
            identify=lambda: self.core.endpoint.identifiers.sid("RC"),
            clock=lambda: self.now() + self.core.endpoint.wall_offset,
        )
        self._counter = itertools.count(1)

    def now(self) -> float:
        return self.time.now

    def _describe(self, peer: Peer) -> LocalTransport:
        return LocalTransport(peer.transport.local_ice, LOCAL.fingerprints, LOCAL.candidates)

    def client(self) -> "SessionClient":
        """A client that has connected and done nothing yet."""
        return SessionClient(self)

    def join(self, identity: str, room: str = "room", **fields: Any) -> "SessionClient":
        """A client that has joined and heard all that follows from it."""
        client = self.client()
        client.request("join", room=room, identity=identity, **fields)
        return client


class SessionClient:
    """What stands at the other end of a session.

    Attributes:
        session: The session.
        sent: All that it sent, as the client reads it.
        closed: What the session closed the connection with; empty before.
    """

    def __init__(self, server: SessionServer) -> None:
        self.server = server
        self.sent: list[Message] = []
        self.closed: list[str] = []
        self.session = Session(
            server,
            server.members,
            send=self._send,
            close=self.closed.append,
            remote="198.51.100.7",
        )
        self.joined: Message = {}
        self._ids = itertools.count(1)

    def _send(self, message: Event) -> None:
        assert not self.closed, f"{message} after the end"
        self.sent.append(json.loads(encode(message)))

    def request(self, type: str, **fields: Any) -> Message:
        """Send a request; returns the reply."""
        number = next(self._ids)
        before = len(self.sent)
        self.session.receive(json.dumps({"type": type, "id": number, **fields}))
        reply = self.sent[before]
        assert reply["id"] == number, "the reply comes first"
        assert all("id" not in event for event in self.sent[before + 1 :])
        if reply["type"] == "joined":
            self.joined = reply
        return reply

    def refused(self, type: str, **fields: Any) -> str:
        """Send a request that is refused; returns the error's name."""
        reply = self.request(type, **fields)
        assert reply["type"] == "error", reply
        assert reply["message"]
        return str(reply["error"])

    def lose(self) -> None:
        """The connection breaks."""
        self.session.lost()

    def resume(self, **fields: Any) -> "SessionClient":
        """A new connection of the same client, which has resumed."""
        client = self.server.client()
        reply = client.request(
            "resume", sid=self.sid, secret=self.joined["resume_secret"], **fields
        )
        assert reply["type"] == "joined", reply
        return client

    @property
    def sid(self) -> str:
        return str(self.joined["participant"]["sid"])

    @property
    def participant(self) -> Participant:
        room = self.server.rooms.get(self.joined["room"]["name"])
        assert room is not None
        return room.participant(self.joined["participant"]["identity"])

    def heard(self, type: str) -> list[Message]:
        """The events of this type so far."""
        return [message for message in self.sent if message["type"] == type]

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.server.time.run(seconds)
