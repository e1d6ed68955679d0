"""A packet's way to a recorder's files, and what one more subscriber costs without encryption."""

from collections.abc import Iterator
from functools import partial

from benchmarks.micro.case import Action, Case
from benchmarks.micro.packets import FRAME, received
from benchmarks.micro.sending import LAYOUTS, PAYLOAD, Source, fan_out
from recorder.link.framing import JSON, PACKETS, MessageReader, read_packets
from recorder.link.link_buffer import LinkBuffer
from recorder.link.tap import TrackTap
from sfu.wire.parameters import VP8, Codec
from sfu.wire.rtp import RtpPacket


def cases() -> Iterator[Case]:
    """What the server does for a recorded track, and what the recorder does first."""
    layout = LAYOUTS["transport-wide number"]
    yield Case(
        f"fan-out: {FRAME} packets of 1 track × 1, not encrypted",
        FRAME,
        partial(fan_out, layout, subscribers=1, encrypt=False),
    )
    yield Case(f"recorder: {FRAME} packets to the tap", FRAME, _tap)
    yield Case(f"recorder: {FRAME} packets from the link", FRAME, _read)


def _tap() -> Action:
    """Into the link, and out of it as the bytes that go into its socket."""
    link = LinkBuffer(lambda: None)
    tap = TrackTap(Source(), link, "RC_1", wall_offset=0.0)
    frames = received(VP8, PAYLOAD)
    batch: list[RtpPacket] = []

    def prepare() -> None:
        batch[:] = next(frames)

    def measured() -> bytes:
        tap.receive_packets(batch, now=100.0)
        return link.take()

    prepare()
    measured()
    return Action(measured, prepare)


def _read() -> Action:
    link = LinkBuffer(lambda: None)
    tap = TrackTap(Source(), link, "RC_1", wall_offset=0.0)
    tap.receive_packets(next(received(VP8, PAYLOAD)), now=100.0)
    codecs: dict[int, Codec] = {0: VP8}
    data = b"".join(
        (len(body).to_bytes(4) + bytes((type_,)) + bytes(body))
        for type_, body in MessageReader().receive(link.take())
        if type_ != JSON
    )

    def measured() -> int:
        reader = MessageReader()
        return sum(
            len(read_packets(body, codecs)[2])
            for type_, body in reader.receive(data)
            if type_ == PACKETS
        )

    assert measured() == FRAME
    return Action(measured)
