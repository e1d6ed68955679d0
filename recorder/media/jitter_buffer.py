"""Puts the packets of one stream in order, and waits a while for those that are missing."""

from recorder.values import RecordedPacket

MAX_PACKETS = 4096  # that wait behind a missing one; 40 Mb/s for a second
MAX_BYTES = 8 << 20
SHORT_GAP = 64  # packets; quicker than to look at all that wait


class JitterBuffer:
    """Holds back what came after a missing packet until that comes, or has been waited for.

    Args:
        patience: Seconds to wait for a missing packet.
        from_key_frame: Whether it begins with the first packet of a key frame. What came before
            that is kept as long as the packet may be late.

    Attributes:
        begun: Whether it has begun, or begun again since `finish`.
        lost: Packets that never came, or came too late.
        ordered: (arrival, packet) of what is in order, and None where packets were lost; the owner
            takes them out. What was missing has the arrival of what told that it is.
    """

    __slots__ = (
        "_bytes",
        "_from_key_frame",
        "_next",
        "_patience",
        "_waiting",
        "begun",
        "lost",
        "ordered",
    )

    def __init__(self, patience: float, *, from_key_frame: bool = False) -> None:
        self.begun = False
        self.lost = 0
        self.ordered: list[tuple[float, RecordedPacket] | None] = []
        self._from_key_frame = from_key_frame
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
        if not self._waiting or not self.begun:
            return None
        # All that waits is behind the first gap, so it was noticed when the oldest of it came.
        return next(iter(self._waiting.values()))[0] + self._patience

    def add(self, packet: RecordedPacket, *, now: float) -> None:
        """Take a packet; one that came before or too late is ignored."""
        index = packet.index
        if not self.begun and index >= self._next:
            self._begin(packet, now)
        if index == self._next and self.begun:
            self._next = index + 1
            if self._waiting:
                # It was sent before what waits for it: it did not come in time, or in another way.
                noticed = next(iter(self._waiting.values()))[0]
                self.ordered.append((noticed, packet))
                self._release()
            else:
                self.ordered.append((now, packet))
        elif index >= self._next and index not in self._waiting:
            self._waiting[index] = now, packet
            self._bytes += len(packet.payload)
            while len(self._waiting) > MAX_PACKETS or self._bytes > MAX_BYTES:
                self._make_room()

    def give_up(self, *, now: float) -> None:
        """Wait no longer for what has been waited for long enough."""
        while (deadline := self.deadline) is not None and deadline <= now:
            self._skip_gap()

    def skip_to_key_frame(self) -> None:
        """Wait for nothing that is before a key frame, where one is held back."""
        keys = [index for index, (_, packet) in self._waiting.items() if packet.key_frame]
        if keys:
            self._skip_to(min(keys))

    def finish(self) -> None:
        """Release everything. What comes then, but for what is older, begins anew."""
        while self._waiting:
            self._make_room()
        self.begun = False

    def _begin(self, packet: RecordedPacket, now: float) -> None:
        """Begin with this packet, or keep it for one that is yet to come."""
        waiting = self._waiting
        if packet.key_frame or not self._from_key_frame:
            self.begun = True
            self._next = packet.index
            for index in [index for index in waiting if index <= packet.index]:
                self._drop(index)
        else:
            while waiting and next(iter(waiting.values()))[0] + self._patience < now:
                self._make_room()

    def _make_room(self) -> None:
        """Wait no longer for something, or keep something no longer."""
        if self.begun:
            self._skip_gap()
        else:
            self._drop(next(iter(self._waiting)))

    def _drop(self, index: int) -> None:
        self._bytes -= len(self._waiting.pop(index)[1].payload)

    def _skip_gap(self) -> None:
        """Go on with the first that is held back."""
        waiting = self._waiting
        near = range(self._next + 1, self._next + SHORT_GAP)
        index = next((index for index in near if index in waiting), None)
        if index is None:
            index = min(waiting)
        self.lost += index - self._next
        self._go_on(index)

    def _skip_to(self, index: int) -> None:
        passed = [number for number in self._waiting if number < index]
        for number in passed:
            self._drop(number)
        self.lost += index - self._next - len(passed)
        self._go_on(index)

    def _go_on(self, index: int) -> None:
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
