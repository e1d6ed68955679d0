"""Puts the packets of one stream in order, and waits a while for those that are missing."""

from recorder.values import RecordedPacket

MAX_PACKETS = 4096  # that wait behind a missing one; 40 Mb/s for a second
MAX_BYTES = 8 << 20


class JitterBuffer:
    """Holds back what came after a missing packet until that comes, or has been waited for.

    Args:
        patience: Seconds to wait for a missing packet.

    Attributes:
        begun: Whether a packet came since the beginning, or since `finish`.
        lost: Packets that never came, or came too late.
        ordered: (arrival, packet) of what is in order, and None where packets were lost; the owner
            takes them out. What was missing has the arrival of what told that it is.
    """

    __slots__ = ("_bytes", "_next", "_patience", "_waiting", "begun", "lost", "ordered")

    def __init__(self, patience: float) -> None:
        self.begun = False
        self.lost = 0
        self.ordered: list[tuple[float, RecordedPacket] | None] = []
        self._patience = patience
        self._next = 0
        self._waiting: dict[int, tuple[float, RecordedPacket]] = {}  # in the order of arrival
        self._bytes = 0

    @property
    def waits(self) -> bool:
        """Whether something is held back."""
        return bool(self._waiting)

    @property
    def deadline(self) -> float | None:
        """When to call `give_up`, monotonic seconds; None while nothing is missing."""
        if not self._waiting:
            return None
        # All that waits is behind the first gap, so it was noticed when the oldest of it came.
        return next(iter(self._waiting.values()))[0] + self._patience

    def add(self, packet: RecordedPacket, *, now: float) -> None:
        """Take a packet; one that came before or too late is ignored."""
        index = packet.index
        if index == self._next or (not self.begun and index > self._next):
            self._next = index + 1
            self.begun = True
            if self._waiting:
                # It was sent before what waits for it: it did not come in time, or in another way.
                noticed = next(iter(self._waiting.values()))[0]
                self.ordered.append((noticed, packet))
                self._release()
            else:
                self.ordered.append((now, packet))
        elif index > self._next and index not in self._waiting:
            self._waiting[index] = now, packet
            self._bytes += len(packet.payload)
            while len(self._waiting) > MAX_PACKETS or self._bytes > MAX_BYTES:
                self._skip_to(min(self._waiting))

    def give_up(self, *, now: float) -> None:
        """Wait no longer for what has been waited for long enough."""
        while (deadline := self.deadline) is not None and deadline <= now:
            self._skip_to(min(self._waiting))

    def skip_to_key_frame(self) -> None:
        """Wait for nothing that is before a key frame, where one is held back."""
        keys = [index for index, (_, packet) in self._waiting.items() if packet.key_frame]
        if keys:
            self._skip_to(min(keys))

    def finish(self) -> None:
        """Release everything. What comes then, but for what is older, begins anew."""
        while self._waiting:
            self._skip_to(min(self._waiting))
        self.begun = False

    def _skip_to(self, index: int) -> None:
        passed = [number for number in self._waiting if number < index]
        for number in passed:
            self._bytes -= len(self._waiting.pop(number)[1].payload)
        self.lost += index - self._next - len(passed)
        self.ordered.append(None)
        self._next = index
        self._release()

    def _release(self) -> None:
        waiting = self._waiting
        index = self._next
        while (held := waiting.pop(index, None)) is not None:
            self._bytes -= len(held[1].payload)
            self.ordered.append(held)
            index += 1
        self._next = index
