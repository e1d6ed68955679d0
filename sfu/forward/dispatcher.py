"""Everything that one receive batch brings, written subscriber by subscriber."""

from struct import Struct

from sfu.forward.run import Run
from sfu.transport.outbox import Outbox
from sfu.transport.transport import Transport

_patch = Struct("!HII").pack_into  # sequence number, timestamp, SSRC: bytes 2 to 12
_patch_sequence = Struct("!H").pack_into

Piece = tuple[Run, int, int, int]
"""(run, what to add to its indexes, what to add to its timestamps, SSRC to send it under)."""


class Dispatcher:
    """Collects runs by transport, so that each subscriber's packets lie together in the outbox.

    Packets of one size to one address leave in one system call, whichever tracks they belong to:
    that is what makes fifty people's audio as cheap as one person's video.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self._pieces: dict[Transport, list[Piece]] = {}

    def add(self, transport: Transport, piece: Piece) -> None:
        """Send a run to this subscriber with the next `flush`."""
        pieces = self._pieces.get(transport)
        if pieces is None:
            self._pieces[transport] = [piece]
        else:
            pieces.append(piece)

    def flush(self) -> None:
        """Write everything into the outbox."""
        if not self._pieces:
            return
        collected, self._pieces = self._pieces, {}
        for transport, pieces in collected.items():
            if len(pieces) > 1:
                pieces.sort(key=_size)  # neighbours of one size share a message
            if not self._write(transport, pieces):
                # libsrtp refuses a packet that is far too old, and with it what it lies among.
                for piece in pieces:
                    self._write(transport, [piece])

    def _write(self, transport: Transport, pieces: list[Piece]) -> bool:
        """Number, protect and commit; False when libsrtp refused, and nothing is sent."""
        srtp, address = transport.srtp, transport.address
        if srtp is None or address is None:
            return True  # it has ended meanwhile
        overhead = srtp.overhead
        outbox = self.outbox
        room = 0
        for piece in pieces:
            run = piece[0]
            room += run.size + overhead * len(run.sizes)
        start = position = outbox.reserve(room)
        view = outbox.view
        sequence = transport.transport_sequence
        sizes: list[int] = []
        # Here it is hot: nothing below depends on the subscriber but the numbers patched in.
        for run, shift, timestamp_shift, ssrc in pieces:
            for data, size, index, timestamp, sequence_offset in run.items:
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
                    _patch_sequence(view, position + sequence_offset, sequence & 0xFFFF)
                    sequence += 1
                position = end + overhead
            sizes += run.sizes
        transport.transport_sequence = sequence
        if not srtp.protect_run(outbox.base, start, sizes):
            return False
        outbox.commit(address, start, [size + overhead for size in sizes])
        return True


def _size(piece: Piece) -> int:
    return piece[0].sizes[0]
