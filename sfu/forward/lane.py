"""The way to one subscriber: what is to be sent is numbered, protected and, if need be, paced."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from struct import Struct

from sfu.congestion.pacer import BURST, BURST_TIME, FACTOR, BurstPacer
from sfu.forward.layout import Picture
from sfu.forward.run import Run
from sfu.timers import Timer, Timers
from sfu.transport.outbox import Outbox
from sfu.transport.transport import Transport

_patch = Struct("!HII").pack_into  # sequence number, timestamp, SSRC: bytes 2 to 12
_patch_number = Struct("!H").pack_into

REPAIR_SHARE = 0.35  # of the estimate may go into retransmissions: 20 % loss, twice over
REPAIR_TIME = 0.5  # s of that share may be sent at once, after a burst of losses
MIN_REPAIR = 100_000  # bit/s; a thin path needs its key frames too

Shifts = tuple[int, int]
"""(what to add to the numbers of pictures, what to add to TL0PICIDX)."""

Numbers = tuple[int, int, int, Shifts | None]
"""(what to add to indexes, what to add to timestamps, SSRC to send under, shifts of pictures)."""

Piece = tuple[Run, Numbers]


class Lane:
    """What waits to be written for one subscriber.

    Attributes:
        transport: The subscriber's.
        pieces: What waits for the end of the receive batch; always the same list.
        waiting: The lanes in which something waits; whoever puts the first piece into an empty lane
            puts the lane here.
        on_sent: Told of each burst: the first transport-wide sequence number (unwrapped), the sizes
            on the wire, the time, and the number of the probe that it is part of; None where nobody
            estimates.
        cluster: Number of the probe under way, 0 for none.
        octets: Bytes sent so far, as they go on the wire.
        urgent: SSRCs that pacing never holds back: audio.
    """

    __slots__ = (
        "_allowance",
        "_backlog",
        "_backlog_size",
        "_estimate",
        "_outbox",
        "_pacer",
        "_repair_level",
        "_repaired_at",
        "_repairs",
        "_timer",
        "_timers",
        "cluster",
        "octets",
        "on_sent",
        "pieces",
        "transport",
        "urgent",
        "waiting",
    )

    def __init__(
        self, transport: Transport, outbox: Outbox, timers: Timers, waiting: list[Lane]
    ) -> None:
        self.transport = transport
        self.waiting = waiting
        self.pieces: list[Piece] = []
        self.on_sent: Callable[[int, Sequence[int], float, int], None] | None = None
        self.cluster = 0
        self.octets = 0
        self.urgent: set[int] = set()
        self._outbox = outbox
        self._timers = timers
        self._estimate = 0.0  # bit/s; 0 where nobody knows, and nothing is paced
        self._allowance = 0.0  # bytes that may leave at once
        self._pacer = BurstPacer()
        self._backlog: deque[Piece] = deque()
        self._backlog_size = 0
        self._repairs: deque[tuple[bytearray, int]] = deque()  # wait behind it
        self._timer: Timer | None = None
        self._repair_level = 0.0
        self._repaired_at = float("-inf")

    def estimated(self, bitrate: float) -> None:
        """The path takes so many bit/s."""
        self._estimate = bitrate
        self._allowance = max(BURST, BURST_TIME * FACTOR * bitrate / 8)

    @property
    def holding(self) -> bool:
        """Whether media waits for its turn."""
        return bool(self._backlog)

    def close(self) -> None:
        """Nothing is sent any more."""
        self._backlog.clear()
        self._repairs.clear()
        self._backlog_size = 0
        if self._timer:
            self._timer.cancel()

    def add(self, piece: Piece) -> None:
        """Write this with the next `flush`."""
        if not self.pieces:
            self.waiting.append(self)
        self.pieces.append(piece)

    def flush(self, *, now: float) -> None:
        """Write what waits, and forget it."""
        pieces = self.pieces
        try:
            if len(pieces) == 1 and len(pieces[0][0].sizes) == 1 and not self._backlog:
                self._write_one(pieces[0], now)
            elif self._estimate and (
                self._backlog or sum([run.size for run, _ in pieces]) > self._allowance
            ):
                self._hold(pieces, now)
            else:
                self._write_all(pieces, now)
        finally:
            pieces.clear()

    def may_repair(self, size: int, *, now: float) -> bool:
        """Whether a retransmission of so many bytes may be sent now; it counts as sent then."""
        if not self._estimate:
            return True
        rate = self._repair_rate()
        level = max(self._repair_level - rate * (now - self._repaired_at), 0.0)
        if level > rate * REPAIR_TIME:
            return False
        self._repair_level = level + size
        self._repaired_at = now
        return True

    def repair_time(self, size: int) -> float:
        """Seconds that so many bytes of retransmissions take when no more may be sent at once."""
        return size / self._repair_rate()

    def _repair_rate(self) -> float:
        """Bytes/s."""
        return max(REPAIR_SHARE * self._estimate, MIN_REPAIR) / 8

    # -- pacing

    def _hold(self, pieces: list[Piece], now: float) -> None:
        """A large frame is spread: small queues on the way would drop what leaves at once."""
        backlog = self._backlog
        for piece in pieces:
            if piece[1][2] in self.urgent:
                self._write_all([piece], now)
            else:
                backlog.append(piece)
                self._backlog_size += piece[0].size
        self._drain(now)

    def _drain(self, now: float) -> None:
        """Send as much of what is held back as may go now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pacer, backlog = self._pacer, self._backlog
        budget = pacer.budget(now=now, estimate=self._estimate, queued=self._backlog_size)
        ready: list[Piece] = []
        spent = 0
        while backlog and spent < budget:
            run, numbers = backlog[0]
            count = total = 0
            for size in run.sizes:
                if spent + total >= budget:
                    break
                total += size
                count += 1
            if count == len(run.sizes):
                backlog.popleft()
            else:
                backlog[0] = (run.part(count, len(run.sizes)), numbers)
                run = run.part(0, count)
            ready.append((run, numbers))
            spent += total
        pacer.spent(spent)
        self._backlog_size -= spent
        for piece in ready:
            self._write_all([piece], now)
        while self._repairs and not backlog and spent < budget:
            data, sequence_offset = self._repairs.popleft()
            pacer.spent(len(data))
            spent += len(data)
            self._send(data, sequence_offset, now, 0)
        if backlog or self._repairs:
            when = pacer.next_time()
            assert when is not None
            self._timer = self._timers.call_at(max(when, now), self._drain)

    # -- writing

    def _write_all(self, pieces: list[Piece], now: float) -> None:
        if len(pieces) > 1 and len({numbers[2] for _, numbers in pieces}) == len(pieces):
            # Neighbours of one size share a message, and its last packet may be smaller. Packets of
            # one stream stay in their order.
            pieces.sort(key=_size, reverse=True)
        if not self._write(pieces, now) and len(pieces) > 1:
            # libsrtp refuses a packet that is far too old, and with it what it lies among.
            for piece in pieces:
                self._write([piece], now)

    def _write(self, pieces: list[Piece], now: float) -> bool:
        """Number, protect and commit; False when libsrtp refused, and nothing is sent."""
        transport, outbox = self.transport, self._outbox
        srtp, address = transport.srtp, transport.address
        if srtp is None or address is None:
            return True  # it has ended meanwhile
        overhead = srtp.overhead
        room = 0
        for run, _ in pieces:
            room += run.size + overhead * len(run.sizes)
        start = position = outbox.reserve(room)
        view = outbox.view
        first = sequence = transport.transport_sequence
        sizes: list[int] = []
        # Here it is hot: nothing below depends on the subscriber but the numbers patched in.
        for run, (shift, timestamp_shift, ssrc, shifts) in pieces:
            for data, size, index, timestamp, sequence_offset, picture in run.items:
                end = position + size
                view[position:end] = data
                _patch(
                    view,
                    position + 2,
                    (index + shift) & 0xFFFF,
                    (timestamp + timestamp_shift) & 0xFFFFFFFF,
                    ssrc,
                )
                if sequence_offset:
                    _patch_number(view, position + sequence_offset, sequence & 0xFFFF)
                    sequence += 1
                if shifts is not None and picture is not None:
                    _patch_picture(view, position, picture, shifts)
                position = end + overhead
            sizes += run.sizes
        transport.transport_sequence = sequence
        if not srtp.protect_run(outbox.base, start, sizes):
            return False
        wire_sizes = [size + overhead for size in sizes]
        self.octets += room
        outbox.commit(address, start, wire_sizes)
        if sequence != first and self.on_sent is not None:
            if sequence - first != len(wire_sizes):
                numbered = [item[4] for run, _ in pieces for item in run.items]
                wire_sizes = [s for s, n in zip(wire_sizes, numbered, strict=True) if n]
            self.on_sent(first, wire_sizes, now, self.cluster)
        return True

    def _write_one(self, piece: Piece, now: float) -> None:
        """As `_write` for one packet: of fifty people's audio, that is what there is to be sent."""
        transport, outbox = self.transport, self._outbox
        srtp, address = transport.srtp, transport.address
        if srtp is None or address is None:
            return
        run, (shift, timestamp_shift, ssrc, shifts) = piece
        data, size, index, timestamp, sequence_offset, picture = run.items[0]
        wire_size = size + srtp.overhead
        start = outbox.reserve(wire_size)
        view = outbox.view
        view[start : start + size] = data
        _patch(
            view,
            start + 2,
            (index + shift) & 0xFFFF,
            (timestamp + timestamp_shift) & 0xFFFFFFFF,
            ssrc,
        )
        sequence = transport.transport_sequence
        if sequence_offset:
            _patch_number(view, start + sequence_offset, sequence & 0xFFFF)
            transport.transport_sequence = sequence + 1
        if shifts is not None and picture is not None:
            _patch_picture(view, start, picture, shifts)
        if not srtp.protect_run(outbox.base, start, run.sizes):
            return
        outbox.commit_one(address, start, wire_size)
        self.octets += wire_size
        if sequence_offset and self.on_sent is not None:
            self.on_sent(sequence, (wire_size,), now, self.cluster)

    def send(self, data: bytearray, sequence_offset: int, *, now: float, cluster: int = 0) -> bool:
        """Send what is no fresh media: a packet sent again, or of a probe.

        It counts as sent when the next large frame is paced. What is sent again waits behind media
        that is held back; a probe gives way.

        Args:
            data: The packet, but for its transport-wide sequence number.
            sequence_offset: Where that stands, 0 for nowhere.
            now: Monotonic seconds.
            cluster: Number of the probe that it is part of, 0 for none.

        Returns:
            Whether it was sent, or will be.
        """
        if self._estimate:
            if self._backlog or self._repairs:
                if cluster:
                    return False
                self._repairs.append((data, sequence_offset))
                return True
            self._pacer.budget(now=now, estimate=self._estimate)
            self._pacer.spent(len(data))
        return self._send(data, sequence_offset, now, cluster)

    def _send(self, data: bytearray, sequence_offset: int, now: float, cluster: int) -> bool:
        """Number, protect and send one packet; False when it cannot be."""
        transport, outbox = self.transport, self._outbox
        srtp, address = transport.srtp, transport.address
        if srtp is None or address is None:
            return False
        sequence = transport.transport_sequence
        if sequence_offset:
            _patch_number(data, sequence_offset, sequence & 0xFFFF)
            transport.transport_sequence += 1
        size = len(data)
        start = outbox.reserve(size + srtp.overhead)
        outbox.view[start : start + size] = data
        if not srtp.protect_run(outbox.base, start, (size,)):
            return False
        outbox.commit_one(address, start, size + srtp.overhead)
        self.octets += size + srtp.overhead
        if sequence_offset and self.on_sent is not None:
            self.on_sent(sequence, (size + srtp.overhead,), now, cluster or self.cluster)
        return True


def _patch_picture(view: memoryview, start: int, picture: Picture, shifts: Shifts) -> None:
    """Shift the numbers of a picture in the packet that begins at `start`."""
    place, number, mask, tl0_place, tl0 = picture
    number = ((number + shifts[0]) & mask) | (0x8000 & ~mask)
    _patch_number(view, start + place, number)
    if tl0_place:
        view[start + tl0_place] = (tl0 + shifts[1]) & 0xFF


def _size(piece: Piece) -> int:
    return piece[0].sizes[0]
