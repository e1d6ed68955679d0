"""Parsers that run for every packet, or many times a second."""

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.micro.case import Action, Case
from benchmarks.micro.packets import rtp
from sfu.wire.payload import vp8
from sfu.wire.rtcp import SenderReport, SourceDescription, parse_compound, serialize_compound
from sfu.wire.rtp import parse_rtp
from sfu.wire.stun import binding_request, parse_stun
from sfu.wire.twcc import TransportFeedback

CALLS = 100  # operations in one call, so that the loop around them counts little


def repeated(name: str, function: Callable[[], object]) -> Case:
    """A case of something that can be done again without any preparation."""

    def measured() -> list[object]:
        return [function() for _ in range(CALLS)]

    return Case(name, CALLS, lambda: Action(measured))


def cases() -> Iterator[Case]:
    """RTP, payload descriptors, RTCP, transport-wide feedback, STUN."""
    extended = rtp(1, extensions={1: b"0", 2: b"abc", 3: b"xy"})
    bare = rtp(1)
    view = memoryview(bytearray(extended))
    yield repeated("RTP: parse, 3 extensions", lambda: parse_rtp(view, arrival=1.0))
    yield repeated("RTP: parse, bare", lambda: parse_rtp(bare, arrival=1.0))

    descriptor = bytes.fromhex("90e0812307e1b1230034")
    yield repeated("VP8: key frame or not", lambda: vp8.is_key_frame(descriptor))
    yield repeated("VP8: parse descriptor", lambda: vp8.parse_descriptor(descriptor))

    report = serialize_compound([SenderReport(1, 2, 3, 4, 5), SourceDescription(((1, "name"),))])
    yield repeated("RTCP: parse sender report and CNAME", lambda: parse_compound(report))
    yield repeated(
        "RTCP: write sender report and CNAME",
        lambda: serialize_compound(
            [SenderReport(1, 2, 3, 4, 5), SourceDescription(((1, "name"),))]
        ),
    )
    steady = TransportFeedback(1, 2, 3, 4, 5, (40,) * 100)
    lossy = TransportFeedback(1, 2, 3, 4, 5, (40, 300, None, 7) * 25)
    for how, feedback in (("even", steady), ("lossy", lossy)):
        name = f"feedback: parse 100 packets, {how}"
        yield repeated(name, partial(parse_compound, bytes(feedback)))
        yield repeated(f"feedback: write 100 packets, {how}", partial(bytes, feedback))

    check = binding_request(
        transaction_id=bytes(12), username="ours:theirs", password="x" * 22, priority=1
    )
    message = parse_stun(check)
    yield repeated("STUN: parse check", lambda: parse_stun(check))
    yield repeated("STUN: verify check", lambda: message.is_authentic("x" * 22))
