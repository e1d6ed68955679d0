"""A packet's way out: written once, then numbered, protected and sent for each subscriber."""

import socket
from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast

from benchmarks.micro.case import Action, Case
from benchmarks.micro.packets import FRAME, SIZE, keys, received, rtp
from sfu.config import Config
from sfu.forward.dispatcher import Dispatcher
from sfu.forward.fanout import Fanout
from sfu.forward.forwarder import HIGHEST, Forwarder
from sfu.forward.layout import HeaderLayout
from sfu.forward.run import write_run
from sfu.net import mmsg
from sfu.net.datagrams import SingleSender, UdpCounters
from sfu.net.udp import Sender
from sfu.timers import Timers
from sfu.transport.address import Address
from sfu.transport.dtls import Certificate
from sfu.transport.outbox import Outbox
from sfu.transport.srtp import SrtpSession
from sfu.transport.transport import Transport
from sfu.wire.parameters import VP8, Codec, Extension, IceParameters, Kind, SendParameters
from sfu.wire.rtp import RtpPacket

SUBSCRIBERS = 50
RUNS = 50  # of one flush
PAYLOAD = b"\x10\x00\x00\x00\x9d\x01\x2a" + bytes(SIZE - 12 - 7)  # VP8; each begins a key frame


def parameters(*extensions: str) -> SendParameters:
    """What a subscriber of VP8 has negotiated, with these header extensions."""
    return SendParameters(
        mid="0",
        kind="video",
        payload_types={VP8: 96},
        rtx={96: 97},
        extensions={uri: identifier for identifier, uri in enumerate(extensions, 1)},
        mixed=True,
        nack=True,
    )


LAYOUTS = {
    "bare": parameters(),
    "transport-wide number": parameters(Extension.TRANSPORT_SEQUENCE_NUMBER),
}


class Source:
    """A track with one stream, which has no time for key frames."""

    kind: Kind = "video"

    def ssrc_of(self, spatial: int) -> int | None:  # noqa: ARG002
        """The only one."""
        return 1

    def spatial_of(self, ssrc: int) -> int:  # noqa: ARG002
        """The only one."""
        return 0

    def is_live(self, ssrc: int, *, now: float) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def request_key_frame(self, spatial: int, *, now: float) -> None:
        """Every packet is one."""

    def cached_packet(self, ssrc: int, index: int) -> None:
        """Nobody asks."""

    def recent(self, spatial: int, *, now: float) -> Sequence[RtpPacket]:  # noqa: ARG002
        """Nothing has come before."""
        return ()

    def reference(self, ssrc: int, *, now: float) -> None:
        """Nobody asks."""

    def captured(self, ssrc: int, timestamp: int, codec: Codec, *, now: float) -> None:
        """There are no reports."""

    def sent_extensions(self) -> tuple[tuple[int, str], ...]:
        """The source has none."""
        return ()


class Plain:
    """Takes the place of an SRTP session and encrypts nothing, to see what that costs."""

    overhead = 16

    def protect_run(self, base: int, offset: int, sizes: Sequence[int]) -> bool:  # noqa: ARG002
        """All is as it should be."""
        return True


def _ignore(*_: object) -> None:
    """Nobody listens."""


def cases() -> Iterator[Case]:
    """Templates, fan-out, protection, system calls."""
    for name, negotiated in LAYOUTS.items():
        yield Case(f"template: write, {name}", FRAME, partial(_template, negotiated))
    copies = FRAME * SUBSCRIBERS
    for name, negotiated in LAYOUTS.items():
        what = f"fan-out: {FRAME} packets of 1 track × {SUBSCRIBERS}, {name}"
        yield Case(what, copies, partial(fan_out, negotiated, tracks=1))
    what = f"fan-out: 1 packet of {FRAME} tracks × {SUBSCRIBERS}, bare"
    yield Case(what, copies, partial(fan_out, LAYOUTS["bare"], tracks=FRAME))
    for count in (FRAME, 1):
        what = f"SRTP: protect and commit, AES-128-GCM, runs of {count}"
        yield Case(what, count, partial(_protect, count))
    for count in (FRAME, 1):
        what = f"flush: by sendto, runs of {count}"
        yield Case(what, RUNS * count, partial(_flush, count, batched=False))
        if mmsg.available():
            what = f"flush: by sendmmsg, runs of {count}"
            yield Case(what, RUNS * count, partial(_flush, count, batched=True))


def _template(negotiated: SendParameters) -> Action:
    layout = HeaderLayout(negotiated)
    packets = next(received(VP8, PAYLOAD))
    return Action(lambda: write_run(packets, layout, ()))


def _transport(address: Address, outbox: Outbox, certificate: Certificate) -> Transport:
    transport = Transport(
        name=str(address),
        certificate=certificate,
        credentials=IceParameters("fragment", "password"),
        outbox=outbox,
        timers=Timers(),
        config=Config(),
        on_event=_ignore,
        now=0.0,
    )
    transport.srtp = keys()[0]
    transport.address = address
    return transport


def connected(
    outbox: Outbox,
    negotiated: SendParameters,
    *,
    tracks: int,
    subscribers: int,
    encrypt: bool = True,
    host: str = "192.0.2.1",
    port: int = 5000,
    now: float = 100.0,
) -> tuple[list[Fanout], Dispatcher]:
    """So many tracks, each with the same subscribers, at successive ports, who get all of it."""
    dispatcher = Dispatcher(outbox, Timers())
    certificate = Certificate.generate()
    layout = HeaderLayout(negotiated)
    lanes = [
        dispatcher.lane(_transport(Address(host, port + number), outbox, certificate))
        for number in range(subscribers)
    ]
    if not encrypt:
        for lane in lanes:
            lane.transport.srtp = cast(SrtpSession, Plain())
    fanouts = [Fanout() for _ in range(tracks)]
    for track, fanout in enumerate(fanouts):
        for number, lane in enumerate(lanes):
            forwarder = Forwarder(
                parameters=negotiated,
                layout=layout,
                ssrc=1000 * track + number,
                rtx_ssrc=1000 * (tracks + track) + number,
                lane=lane,
                first_sequence_number=1,
                on_state=_ignore,
            )
            forwarder.attach(Source())
            fanout.add(forwarder)
            fanout.aim(forwarder, (HIGHEST, HIGHEST), now=now)
    return fanouts, dispatcher


def fan_out(
    negotiated: SendParameters,
    *,
    tracks: int = 1,
    subscribers: int = SUBSCRIBERS,
    encrypt: bool = True,
) -> Action:
    """A batch of `FRAME` packets, of so many tracks in all, into the outbox."""
    outbox = Outbox()
    fanouts, dispatcher = connected(
        outbox, negotiated, tracks=tracks, subscribers=subscribers, encrypt=encrypt
    )
    frames = received(VP8, PAYLOAD)
    share = FRAME // tracks
    waiting: list[RtpPacket] = []
    batch: list[RtpPacket] = []

    def prepare() -> None:
        outbox.clear()
        if not waiting:
            waiting.extend(next(frames))
        batch[:] = waiting[:share]
        del waiting[:share]

    def measured() -> None:
        for fanout in fanouts:
            fanout.forward(batch, (), now=100.0)
        dispatcher.flush(now=100.0)

    for _ in range(2):  # the first packets of a track are special
        prepare()
        measured()
    assert sum(run[4] for run in outbox.runs) == FRAME * subscribers
    assert len(outbox.runs) == subscribers
    return Action(measured, prepare)


def _protect(count: int) -> Action:
    local, _ = keys()
    outbox = Outbox()
    step = SIZE + local.overhead
    sizes, wire_sizes = [SIZE] * count, [step] * count
    address = Address("192.0.2.1", 1)
    number = start = 0

    def prepare() -> None:
        nonlocal number, start
        outbox.clear()
        start = outbox.reserve(count * step)
        for offset in range(start, start + count * step, step):
            outbox.view[offset : offset + SIZE] = rtp(number)
            number += 1

    def measured() -> None:
        assert local.protect_run(outbox.base, start, sizes)
        outbox.commit(address, start, wire_sizes)

    return Action(measured, prepare)


def _flush(count: int, *, batched: bool) -> Action:
    """Sent to a socket on loopback that nobody reads: what does not fit is dropped there."""
    outbox = Outbox()
    local, remote = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    remote.bind(("127.0.0.1", 0))
    local.setblocking(False)
    local.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    address = Address("127.0.0.1", remote.getsockname()[1])
    make = mmsg.BatchSender if batched else SingleSender
    sender: Sender = make(local, UdpCounters())

    def prepare() -> None:
        outbox.clear()
        for _ in range(RUNS):
            outbox.commit(address, outbox.reserve(count * SIZE), [SIZE] * count)

    def measured() -> None:
        assert remote  # it must stay open
        sender.send(outbox, outbox.runs)

    return Action(measured, prepare)
