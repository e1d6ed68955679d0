"""What is held back for one subscriber until its path may take it."""

from collections import deque

from sfu.congestion.pacer import BurstPacer
from sfu.forward.run import Piece


class Backlog:
    """Media that is paced, and behind it what is sent again.

    Attributes:
        media: Oldest first.
        pacer: Tells how much of it may leave, and of what does not wait.
    """

    __slots__ = ("_repairs", "_size", "media", "pacer")

    def __init__(self) -> None:
        self.media: deque[Piece] = deque()
        self._size = 0  # bytes of it
        self._repairs: deque[Piece] = deque()
        self.pacer = BurstPacer()

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self.media or self._repairs)

    def add(self, piece: Piece) -> None:
        """Media waits for its turn."""
        self.media.append(piece)
        self._size += piece[0].size

    def add_repair(self, piece: Piece) -> None:
        """A packet that is sent again waits behind all media."""
        self._repairs.append(piece)

    def clear(self) -> None:
        """Nothing of it is sent any more."""
        self.media.clear()
        self._repairs.clear()
        self._size = 0

    def note_sent(self, size: int, *, now: float, estimate: float) -> None:
        """So many bytes passed by: they take their part of what may leave at once."""
        self.pacer.budget(now=now, estimate=estimate)
        self.pacer.spent(size)

    def take(self, *, now: float, estimate: float) -> tuple[list[Piece], list[Piece]]:
        """Take out the media, and then the repairs, that may leave now at so many bit/s."""
        media, pacer = self.media, self.pacer
        budget = pacer.budget(now=now, estimate=estimate, queued=self._size)
        ready: list[Piece] = []
        spent = 0
        while media and spent < budget:
            run, numbers = media[0]
            count = total = 0
            for size in run.sizes:
                if spent + total >= budget:
                    break
                total += size
                count += 1
            if count == len(run.sizes):
                media.popleft()
            else:
                media[0] = (run.part(count, len(run.sizes)), numbers)
                run = run.part(0, count)
            ready.append((run, numbers))
            spent += total
        self._size -= spent
        repairs: list[Piece] = []
        while self._repairs and not media and spent < budget:
            repairs.append(self._repairs.popleft())
            spent += repairs[-1][0].size
        pacer.spent(spent)
        return ready, repairs

    def next_time(self) -> float | None:
        """When more of it may leave; None while nothing waits."""
        return self.pacer.next_time() if self else None
