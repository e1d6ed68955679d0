"""Time of one call of each parser that runs for every packet or many times a second.

    python -m benchmarks.parsing

Each figure is the best of nine runs, so that the neighbours of a shared machine count little. On a
2-core AMD EPYC virtual machine with Python 3.11.7, in µs: RTP with 3 extensions 1.4, the same from
a view 1.6, bare 0.6; VP8 key frame test 0.2, VP8 descriptor 0.7; transport-wide feedback of 100
packets 5 when all came at one pace, 13 with losses; sender report and CNAME 3.5; STUN check 7.
"""

import timeit
from collections.abc import Callable

from sfu.wire.payload import vp8
from sfu.wire.rtcp import SenderReport, SourceDescription, parse_compound, serialize_compound
from sfu.wire.rtp import build_rtp, parse_rtp
from sfu.wire.stun import binding_request, parse_stun
from sfu.wire.twcc import TransportFeedback

CALLS = 20_000
RUNS = 9


def rtp(extensions: dict[int, bytes]) -> bytes:
    """A packet of the size that video has."""
    return build_rtp(
        payload_type=96,
        sequence_number=1,
        timestamp=2,
        ssrc=3,
        payload=bytes(1100),
        extensions=extensions,
    )


def cases() -> dict[str, Callable[[], object]]:
    """What is measured, by its name."""
    extended = rtp({1: b"0", 2: b"abc", 3: b"xy"})
    bare = rtp({})
    view = memoryview(bytearray(extended))
    descriptor = bytes.fromhex("90e0812307e1b1230034")
    steady = bytes(TransportFeedback(1, 2, 3, 4, 5, (40,) * 100))
    lossy = bytes(TransportFeedback(1, 2, 3, 4, 5, (40, 300, None, 7) * 25))
    report = serialize_compound([SenderReport(1, 2, 3, 4, 5), SourceDescription(((1, "name"),))])
    check = binding_request(
        transaction_id=bytes(12), username="ours:theirs", password="x" * 22, priority=1
    )
    return {
        "RTP, 3 extensions": lambda: parse_rtp(extended, arrival=1.0),
        "RTP, 3 extensions, view": lambda: parse_rtp(view, arrival=1.0),
        "RTP, bare": lambda: parse_rtp(bare, arrival=1.0),
        "VP8 key frame test": lambda: vp8.is_key_frame(descriptor),
        "VP8 descriptor": lambda: vp8.parse_descriptor(descriptor),
        "transport feedback, steady": lambda: parse_compound(steady),
        "transport feedback, lossy": lambda: parse_compound(lossy),
        "sender report and CNAME": lambda: parse_compound(report),
        "STUN check": lambda: parse_stun(check),
    }


def main() -> None:
    """Print the figures, without the cost of the call itself."""
    idle = min(timeit.repeat(lambda: None, number=CALLS, repeat=RUNS))
    for name, call in cases().items():
        best = min(timeit.repeat(call, number=CALLS, repeat=RUNS)) - idle
        print(f"{name:28} {best / CALLS * 1e6:8.2f} µs")


if __name__ == "__main__":
    main()
