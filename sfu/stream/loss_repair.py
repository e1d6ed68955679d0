"""What is done about the packets of one stream that did not come."""

from sfu.stream.keyframe_requester import KeyFrameRequester
from sfu.stream.nack_generator import NackGenerator


class LossRepair:
    """Asks for lost packets, and where that does not help, for a key frame.

    Attributes:
        asked: Packets asked for again, each time counted.
    """

    __slots__ = ("_key_frames", "_nack", "asked")

    def __init__(self, nack: NackGenerator | None, key_frames: KeyFrameRequester | None) -> None:
        """A stream of which nothing is lost yet.

        Args:
            nack: None where nothing is asked for again.
            key_frames: None where there are no key frames.
        """
        self.asked = 0
        self._nack = nack
        self._key_frames = key_frames

    @property
    def given_up(self) -> int:
        """Packets that are no longer asked for."""
        return self._nack.given_up if self._nack is not None else 0

    def note_round_trip(self, seconds: float) -> None:
        """Take this for the time that a repair needs, until one has been timed."""
        if self._nack is not None:
            self._nack.note_round_trip(seconds)

    def restart(self, *, now: float) -> None:
        """The source begins anew: what it sent before is of no use."""
        if self._nack is not None:
            self._nack.clear()
        self._request_key_frame(now)

    def lost(self, first: int, end: int, *, now: float) -> None:
        """The packets from index `first` up to but not including `end` did not come."""
        if self._nack is not None and not self._nack.add(first, end, now=now):
            self._request_key_frame(now)

    def late(self, index: int, *, now: float, answers: bool) -> None:
        """A packet came after all, by the way of all others; see `NackGenerator.late`."""
        if self._nack is not None:
            self._nack.late(index, now=now, answers=answers)

    def repaired(self, index: int, *, now: float) -> None:
        """A packet came as a retransmission."""
        if self._nack is not None:
            self._nack.repaired(index, now=now)

    def begin_key_frame(self, index: int) -> None:
        """A key frame begins with this packet: those who waited have what they want."""
        if self._key_frames is not None:
            self._key_frames.received()
        if self._nack is not None:
            self._nack.key_frame = index

    def due(self, *, now: float, oldest: int) -> list[int]:
        """The indexes to ask for now; those below `oldest` are given up.

        Where some are given up that a key frame has not made up for, one is asked for.
        """
        nack = self._nack
        if nack is None:
            return []
        due = nack.missing(now=now, oldest=oldest)
        if nack.newest_given_up > nack.key_frame:
            self._request_key_frame(now)
        self.asked += len(due)
        return due

    def next_time(self) -> float | None:
        """When to call `due`; None for not before the next loss."""
        return self._nack.next_time() if self._nack is not None else None

    def _request_key_frame(self, now: float) -> None:
        if self._key_frames is not None:
            self._key_frames.request(now)
