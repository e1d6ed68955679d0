"""The way to one subscriber: what is to be sent is numbered, protected and, if need be, paced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from struct import Struct

from sfu.congestion.pacer import BURST, BURST_TIME, FACTOR
from sfu.forward.backlog import Backlog
from sfu.forward.layout import Picture
from sfu.forward.repair_budget import RepairBudget
from sfu.forward.run import Piece, Shifts
from sfu.timers import Timer, Timers
from sfu.transport.outbox import Outbox
from sfu.transport.transport import Transport

UNSEEN = 0.25  # of what may leave at once leaves between two looks at the pacer, which cost time

_patch = Struct("!HII").pack_into  # sequence number, timestamp, SSRC: bytes 2 to 12
_patch_number = Struct("!H").pack_into


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
        repair_budget: How much of the path retransmissions may take.
        urgent: SSRCs that pacing never holds back: audio.
    """

    __slots__ = (
        "_backlog",
        "_counted",
        "_estimate",
        "_limit",
        "_outbox",
        "_timer",
        "_timers",
        "_unseen",
        "cluster",
        "octets",
        "on_sent",
        "pieces",
        "repair_budget",
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
        self.repair_budget = RepairBudget()
        self._outbox = outbox
        self._timers = timers
        self._estimate = 0.0  # bit/s; 0 where nobody knows, and nothing is paced
        self._unseen = 0.0  # bytes that may leave between two looks at the pacer
        self._limit = inf  # `octets` at which to look again
        self._counted = 0  # `octets` that the pacer knows of
        self._backlog = Backlog()
        self._timer: Timer | None = None

    def estimated(self, bitrate: float) -> None:
        """The path takes so many bit/s."""
        if not bitrate:
            self._limit = inf
        elif not self._estimate:
            self._limit = 0.0
            self._counted = self.octets
        self._estimate = self.repair_budget.estimate = bitrate
        self._unseen = UNSEEN * max(BURST, BURST_TIME * FACTOR * bitrate / 8)

    @property
    def holding(self) -> bool:
        """Whether something waits for its turn: media, or what is sent again."""
        return bool(self._backlog)

    def close(self) -> None:
        """Nothing is sent any more."""
        self._backlog.clear()
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
            limit = self._limit
            if len(pieces) == 1 and len(pieces[0][0].sizes) == 1:
                if self.octets < limit or self._fits(pieces, now):
                    self._write_one(pieces[0], now)
            elif (
                limit == inf
                or self.octets + sum([run.size for run, _ in pieces]) < limit
                or self._fits(pieces, now)
            ):
                self._write_all(pieces, now)
        finally:
            pieces.clear()

    def send(self, piece: Piece, *, now: float, cluster: int = 0) -> bool:
        """Send what is no fresh media: a packet sent again, or of a probe.

        It counts as sent when the next large frame is paced. What is sent again waits behind media
        that is held back; a probe gives way.

        Args:
            piece: One packet.
            now: Monotonic seconds.
            cluster: Number of the probe that it is part of, 0 for none.

        Returns:
            Whether it was sent, or will be.
        """
        if self._estimate:
            if self._backlog:
                if cluster:
                    return False
                self._backlog.add_repair(piece)
                return True
            self._backlog.note_sent(piece[0].size, now=now, estimate=self._estimate)
        before = self.octets
        sent = self._write_one(piece, now, cluster)
        self._counted += self.octets - before
        return sent

    # -- pacing

    def _fits(self, pieces: list[Piece], now: float) -> bool:
        """Look at the pacer: whether this may leave at once. Otherwise it is held back."""
        size = sum([run.size for run, _ in pieces])
        if not self._backlog.media:
            pacer = self._backlog.pacer
            # What has left since the last look counts from then on. That is exact for what was
            # looked at, and a little early for what was not.
            pacer.spent(self.octets - self._counted)
            self._counted = self.octets
            room = pacer.budget(now=now, estimate=self._estimate) - size
            if room >= 0:
                self._limit = self.octets + size + min(room, self._unseen)
                return True
        self._hold(pieces, now)
        return False

    def _hold(self, pieces: list[Piece], now: float) -> None:
        """A large frame is spread: small queues on the way would drop what leaves at once."""
        self._limit = 0.0
        for piece in pieces:
            if piece[1][2] in self.urgent:
                self._write_all([piece], now)
            else:
                self._backlog.add(piece)
        self._drain(now)

    def _drain(self, now: float) -> None:
        """Send as much of what is held back as may go now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        media, repairs = self._backlog.take(now=now, estimate=self._estimate)
        for piece in media:
            self._write_all([piece], now)
        for piece in repairs:
            self._write_one(piece, now)
        self._counted = self.octets
        when = self._backlog.next_time()
        if when is not None:
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

    def _write_one(self, piece: Piece, now: float, cluster: int = 0) -> bool:
        """As `_write` for one packet: of fifty people's audio, that is what there is to be sent.

        Returns:
            False when it cannot be sent.
        """
        transport, outbox = self.transport, self._outbox
        srtp, address = transport.srtp, transport.address
        if srtp is None or address is None:
            return False
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
            return False
        outbox.commit_one(address, start, wire_size)
        self.octets += wire_size
        if sequence_offset and self.on_sent is not None:
            self.on_sent(sequence, (wire_size,), now, cluster or self.cluster)
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
