"""How much of what a sender sends is lost on its way to us."""

from collections.abc import Iterable

from sfu.stream.inbound import InboundStream

FEW = 10  # packets; of fewer, one that is late would be a great loss


class LossMeter:
    """Measures the loss of several streams over one path, from one look to the next."""

    __slots__ = ("_before",)

    def __init__(self) -> None:
        self._before: dict[int, tuple[int, int]] = {}  # expected and lost, by SSRC

    def measure(self, streams: Iterable[InboundStream]) -> float:
        """The share of packets that were lost since the last look, 0 to 1, before any repair."""
        expected = lost = 0
        before, self._before = self._before, {}
        for stream in streams:
            counts = stream.reception
            now = (counts.expected, counts.lost)
            then = before.get(stream.ssrc, (0, 0))
            if now[0] < then[0]:
                then = (0, 0)  # the source has begun anew
            expected += now[0] - then[0]
            lost += now[1] - then[1]
            self._before[stream.ssrc] = now
        return min(max(lost / expected, 0.0), 1.0) if expected >= FEW else 0.0
