"""What the protocols share: a client joins, sends or receives media, and leaves."""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import aiohttp

from benchmarks.load import offers
from benchmarks.load.connection import Connection
from benchmarks.load.description import Agreed, Line, kind
from benchmarks.load.failures import JoinError
from benchmarks.load.media import Clip
from benchmarks.load.model import ClientSpec, LoadPlan
from benchmarks.load.publisher import Publisher
from benchmarks.load.sent_stream import SentStream
from benchmarks.load.shared import Shared
from benchmarks.load.subscriber import Subscriber
from sfu.wire.parameters import Extension
from sfu.wire.sdp import SessionDescription
from signaling.tokens import AccessToken, VideoGrant, mint


@dataclass(slots=True)
class Context:
    """What the clients of one process have in common.

    Attributes:
        clip: What is played; the fleet may change it, and the frame rate.
    """

    plan: LoadPlan
    shared: Shared
    http: aiohttp.ClientSession
    clip: Clip
    fps: float


class Protocol(ABC):
    """One client of a server.

    Args:
        context: Of this process.
        spec: Who this is.
        on_closed: Told with a reason, or with what was raised, when it ends by itself.

    Attributes:
        connections: All of its transports.
        publisher: Its sending half, once there.
        subscribers: Its receiving ones.
        notes: What the server took otherwise than offered, a sentence each.
    """

    def __init__(
        self, context: Context, spec: ClientSpec, *, on_closed: Callable[[str | Exception], None]
    ) -> None:
        self.context = context
        self.spec = spec
        self.connections: list[Connection] = []
        self.publisher: Publisher | None = None
        self.subscribers: list[Subscriber] = []
        self.notes: list[str] = []
        self.on_closed = on_closed
        self.deadline = time.monotonic() + context.plan.join_timeout

    @abstractmethod
    async def join(self) -> None:
        """Negotiate and connect; media flows when this returns.

        Raises:
            JoinError, ConnectError, DescriptionError: It did not come about.
            aiohttp.ClientError, OSError, TimeoutError: The server could not be asked.
            KeyError, IndexError, TypeError, ValueError, AttributeError: Its answer is no answer.
        """

    @abstractmethod
    async def leave(self) -> None:
        """Tell the server, where there is a way to; errors may come as from `join`."""

    def close(self) -> None:
        """Let go of everything at once."""
        if self.publisher is not None:
            self.publisher.stop()
        for subscriber in self.subscribers:
            subscriber.stop()
        for connection in self.connections:
            connection.close()

    def connection(self, *, controlling: bool = True) -> Connection:
        """A new transport of this client."""
        connection = Connection(
            self.context.shared, controlling=controlling, on_closed=self.on_closed
        )
        self.connections.append(connection)
        return connection

    def offer(self, connection: Connection, lines: Iterable[Line]) -> str:
        """Our offer, as the plan wants it."""
        reports = self.context.plan.transport_feedback
        return offers.offer(lines, connection.local, transport_feedback=reports)

    def answer(self, connection: Connection, described: SessionDescription) -> str:
        """Our answer to the server's offer, as the plan wants it."""
        reports = self.context.plan.transport_feedback
        return offers.answer(described, connection.local, transport_feedback=reports)

    def token(self) -> str:
        """The access token of this client; empty where none is wanted."""
        plan = self.context.plan
        if plan.token or not plan.api_key:
            return plan.token
        grant = VideoGrant(room_join=True, room=self.spec.room)
        claims = AccessToken(identity=self.spec.name, name=self.spec.name, video=grant)
        return mint(claims, api_key=plan.api_key, api_secret=plan.api_secret)

    def sending_lines(self) -> list[Line]:
        """The m-lines to offer for the tracks of the clip."""
        lines = []
        for mid, codec in enumerate(self.context.plan.codecs):
            encodings = self.context.clip.tracks[codec]
            line = Line(str(mid), "sendonly", (codec,), cname=self.spec.name)
            if len(encodings) > 1:
                line = replace(line, rids=tuple(encoding.rid for encoding in encodings))
            else:
                video = kind(codec) == "video"
                line = replace(line, ssrc=_ssrc(), rtx_ssrc=_ssrc() if video else 0)
            lines.append(line)
        return lines

    def receiving_lines(self) -> list[Line]:
        """The m-lines to offer for all that there will be to receive."""
        kinds: dict[str, tuple[str, ...]] = {}
        for codec in self.context.plan.codecs:
            kinds[kind(codec)] = (*kinds.get(kind(codec), ()), codec)
        return [
            Line(f"{name}{number}", "recvonly", codecs)
            for number in range(self.spec.streams)
            for name, codecs in kinds.items()
        ]

    def publish(
        self, connection: Connection, lines: Sequence[Line], answer: Iterable[Agreed]
    ) -> None:
        """Make the publisher for what the server's answer takes of our lines.

        Raises:
            JoinError: It takes nothing.
        """
        plan = self.context.plan
        by_mid = {line.mid: line for line in answer}
        streams: list[SentStream] = []
        refused = []
        for line in lines:
            agreed = by_mid.get(line.mid)
            if agreed is not None and line.codecs[0] in agreed.payload_types:
                streams += self._streams(line, agreed)
            else:
                refused.append(line.codecs[0])
        if not streams:
            raise JoinError(f"The server takes none of what is offered: {', '.join(refused)}.")
        if refused:
            self.notes.append(f"The server takes no {', '.join(refused)}: the rest is sent.")
        self.publisher = Publisher(
            connection,
            streams,
            fps=self.context.fps,
            loss=plan.loss,
            mute=plan.mute,
            answer_nacks=plan.answer_nacks,
            phase=random.random(),
            cname=self.spec.name,
            numbered=plan.transport_feedback
            and all(
                Extension.TRANSPORT_SEQUENCE_NUMBER in line.extensions for line in by_mid.values()
            ),
        )

    def subscriber(self, connection: Connection) -> Subscriber:
        """A new receiving half of this client."""
        plan = self.context.plan
        subscriber = Subscriber(
            connection,
            stamp_every=plan.stamp_every,
            nacks=plan.send_nacks,
            excuse_pauses=bool(plan.mute.pausing),
            transport_feedback=plan.transport_feedback,
        )
        self.subscribers.append(subscriber)
        return subscriber

    def _streams(self, line: Line, agreed: Agreed) -> list[SentStream]:
        layers = list(enumerate(self.context.clip.tracks[line.codecs[0]]))
        if line.rids and not agreed.rids:
            self.notes.append("The server takes no simulcast: the largest encoding alone is sent.")
            layers = [(layer, replace(encoding, rid="")) for layer, encoding in layers[-1:]]
        elif missing := [rid for rid in line.rids if rid not in agreed.rids]:
            self.notes.append(f"The server does not take the encodings {', '.join(missing)}.")
        return [
            SentStream(
                encoding,
                agreed,
                ssrc=line.ssrc or _ssrc(),
                rtx_ssrc=line.rtx_ssrc,
                layer=layer,
            )
            for layer, encoding in layers
            if not encoding.rid or encoding.rid in agreed.rids
        ]


def _ssrc() -> int:
    return random.randrange(1, 1 << 32)
