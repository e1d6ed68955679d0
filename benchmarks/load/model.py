"""What a load run is, what its clients report, and who lets them in.

The engine (`process.py` and what it runs) carries out orders about clients and reports a `Sample`
of each process every `LoadPlan.interval`. A scenario gives the orders; the collector makes a
`Result` of the samples (`result.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from benchmarks.load.histogram import Histogram

ProtocolName = Literal["whip", "aiosfu", "janus"]
RampTarget = Literal["fps", "packets", "subscribers", "members"]
State = Literal["joining", "connected", "failed", "left"]


class LoadError(Exception):
    """Nothing can be measured; the message is one sentence for people."""


@dataclass(frozen=True, slots=True)
class LossPattern:
    """Packets that publishers drop before they send them.

    Attributes:
        share: Of all packets, 0..1.
        burst: How many are dropped in a row.
    """

    share: float = 0.0
    burst: int = 1


@dataclass(frozen=True, slots=True)
class MutePattern:
    """Publishers that fall silent now and then, each at its own time.

    Attributes:
        sending: Seconds of media.
        pausing: Seconds without; 0 for never.
    """

    sending: float = 0.0
    pausing: float = 0.0


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Everything that was asked for.

    Attributes:
        url: Of the server. For WHIP and WHEP "{room}" stands for the room's name, and "{kind}"
            for "whip" or "whep"; without them "/{kind}/{room}" is appended.
        publishers: In each room; for a meeting, its members.
        subscribers: In each room; each receives all publishers of its room.
        duration: Seconds to measure.
        warmup: Seconds after the joins that are not measured.
        codecs: Of what each publisher sends, one track each: "vp8", "h264", "opus".
        clip: A media file; empty for the built-in clip.
        fps: Video frames a second; 0 for those of the file in `clip`, until it is looked at.
        bitrate: Of the video in bit/s; 0 for the clip's own.
        packets_per_frame: If not 0, frames are made up of so many equal packets and the clip is
            not used; only the packet rate counts then.
        packet_size: Bytes of RTP in a packet, header included; the most, or exactly with
            `packets_per_frame`.
        simulcast: Whether publishers send three encodings (rids q, h, f).
        answer_nacks: Whether publishers send lost packets again.
        send_nacks: Whether subscribers ask for lost packets.
        transport_feedback: Whether media is numbered across streams and its receivers report when
            it came (transport-wide congestion control), where the server agrees.
        stamp_every: One packet in so many carries the time it was sent at.
        interval: Seconds between two samples of a process, and between two points of the result.
        insecure: Whether any certificate of the server will do.
        token: For every request; else tokens are made with `api_key` and `api_secret`, if given.
        join_rate: Joins a second while a scenario fills its rooms; 0 for all at once.
        join_timeout: Seconds after which a client that has not connected is given up.
        churn_rate: Leaves a second, and as many joins, in the churn scenario.
        burst: How many join at once in the burst scenario.
        ramp_by: What a ramp raises: frames a second, packets of a frame, the subscribers of a room,
            or both its publishers and its subscribers.
        ramp_from: The first load; 0 for what the other settings say.
        ramp_to: The highest load to try; 0 for no end.
        ramp_factor: Each step's load over that of the step before.
        step_duration: Seconds to measure at each step of a ramp.
        max_loss: Loss, 0..1, at which a ramp's step has failed.
        max_delay: Seconds of one-way delay, 99th percentile, likewise.
    """

    url: str
    scenario: str = "steady"
    protocol: ProtocolName = "whip"
    publishers: int = 1
    subscribers: int = 1
    rooms: int = 1
    room: str = "load"
    duration: float = 10.0
    warmup: float = 2.0
    processes: int = 1
    codecs: tuple[str, ...] = ("vp8",)
    clip: str = ""
    fps: float = 30.0
    bitrate: int = 0
    packets_per_frame: int = 0
    packet_size: int = 1100
    simulcast: bool = False
    loss: LossPattern = LossPattern()
    mute: MutePattern = MutePattern()
    answer_nacks: bool = True
    send_nacks: bool = True
    transport_feedback: bool = False
    stamp_every: int = 20
    interval: float = 1.0
    insecure: bool = False
    token: str = ""
    api_key: str = ""
    api_secret: str = ""
    join_rate: float = 50.0
    join_timeout: float = 15.0
    churn_rate: float = 1.0
    burst: int = 100
    ramp_by: RampTarget = "fps"
    ramp_from: float = 0.0
    ramp_to: float = 0.0
    ramp_factor: float = 1.25
    step_duration: float = 5.0
    max_loss: float = 0.001
    max_delay: float = 0.05
    seed: int = 1


@dataclass(frozen=True, slots=True)
class ClientSpec:
    """A client that shall join.

    Attributes:
        name: Unique in the run; also its identity, where the protocol has that.
        streams: How many publishers there will be at most for it to receive.
        apart: Whether its process shall not be that of others, where there is more than one: the
            handshakes of many who join at once must not hold up those who measure.
    """

    name: str
    room: str
    publishes: bool = False
    subscribes: bool = False
    streams: int = 1
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast publishers shall send from now on; see `LoadPlan` for what does not change."""

    fps: float
    packets_per_frame: int = 0


@dataclass(slots=True)
class ClientSample:
    """One client, so far: all counters run from its join on.

    Attributes:
        error: Why it failed, a sentence.
        join_time: Seconds from the first request until the transport was connected; None before.
        first_packet_time: Likewise until the first packet of media came.
        first_key_frame_time: Likewise until the first whole key frame.
        packets_expected: By the sequence numbers of what it received.
        packets_received: Different ones, repaired ones included.
        packets_dropped: By the loss pattern, before sending.
        packets_resent: In answer to NACKs.
        nacks: Packets that it asked for again.
        plis: Key frames that it asked for.
        nacks_heard: Packets that were asked of it again.
        plis_heard: Key frames that were asked of it.
        jitter: RFC 3550, seconds, the worst of its streams.
        freezes_short: Gaps between decodable frames of over 200 ms.
        freezes_long: Of over 500 ms; each is a short one too.
        frozen_time: Seconds of all these gaps.
        video_streams: How many streams of video came so far.
        layer: Rid or size of the simulcast layer that it receives; empty where unknown.
        note: What is other than was asked for, and goes on nevertheless; a sentence.
        out_of_files: Whether it failed because its process may open no more files.
        delays: One-way delays of stamped packets since the sample before.
    """

    name: str
    room: str
    publishes: bool
    subscribes: bool
    state: State = "joining"
    error: str = ""
    join_time: float | None = None
    first_packet_time: float | None = None
    first_key_frame_time: float | None = None
    packets_sent: int = 0
    bytes_sent: int = 0
    packets_dropped: int = 0
    packets_resent: int = 0
    packets_expected: int = 0
    packets_received: int = 0
    bytes_received: int = 0
    frames_decodable: int = 0
    nacks: int = 0
    plis: int = 0
    nacks_heard: int = 0
    plis_heard: int = 0
    jitter: float = 0.0
    freezes_short: int = 0
    freezes_long: int = 0
    frozen_time: float = 0.0
    video_streams: int = 0
    layer: str = ""
    note: str = ""
    out_of_files: bool = False
    delays: Histogram = field(default_factory=Histogram)


@dataclass(slots=True)
class Sample:
    """What one process reports again and again.

    Attributes:
        process: Its number, from 0.
        time: Monotonic seconds (CLOCK_MONOTONIC is one clock for all processes).
        clients: All of its clients. One that left or failed is in one more sample, its last.
        cpu_time: Seconds of user and system time that the process has used.
        socket_drops: Datagrams that its own sockets have dropped: loss that is the tester's.
        behind: The most seconds since the last sample that media was sent too late.
        backlog: The most seconds, likewise, that datagrams waited until they were read.
        fault: Why the process ended, a sentence; empty while it runs.
    """

    process: int
    time: float
    clients: list[ClientSample] = field(default_factory=list)
    cpu_time: float = 0.0
    socket_drops: int = 0
    behind: float = 0.0
    backlog: float = 0.0
    fault: str = ""


class Fleet(Protocol):
    """The clients in their processes, as scenarios drive them (implemented by `process.py`)."""

    async def open(self) -> None:
        """Make the clip ready and start the processes.

        Raises:
            LoadError: The clip cannot be read, or a process does not start.
        """

    async def join(self, clients: Sequence[ClientSpec]) -> None:
        """Let clients join, all at once; returns when that is ordered. Samples tell what comes."""

    async def leave(self, names: Sequence[str]) -> None:
        """Let clients leave in good order; returns when that is ordered."""

    async def change(self, rate: Rate) -> None:
        """Change how fast all publishers send, also those that join later."""

    async def close(self) -> None:
        """End everything; no sample comes after it. May be called at any time, also twice."""


# How a fleet is made: with the plan, and with whom to hand each sample as it comes.
FleetFactory = Callable[[LoadPlan, Callable[[Sample], None]], Fleet]
