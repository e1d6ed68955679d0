"""Decrypts those few packets of a stream that the tester must look into."""

from benchmarks.load.datagrams import Receiver, Run
from benchmarks.load.sent_stream import read_stamp
from sfu.errors import ParseError
from sfu.transport.srtp import SrtpSession
from sfu.wire.rtp import parse_rtp

PADDING = 0x20  # in the first byte of an RTP packet


def last_packet(run: Run) -> tuple[int, int]:
    """Position and bytes of the last packet of a run."""
    size = run.length % run.size or run.size
    return run.start + run.length - size, size


class Opener:
    """Opens packets where the receiver has put them; each can be decrypted only once.

    Args:
        receiver: Where runs lie.
        srtp: Of their connection.
    """

    __slots__ = ("_opened", "_receiver", "_srtp")

    def __init__(self, receiver: Receiver, srtp: SrtpSession) -> None:
        self._receiver = receiver
        self._srtp = srtp
        self._opened = (0, 0, 0)  # the newest: time, position, plain bytes

    def first_payload(self, run: Run) -> bytes:
        """The payload of a run's first packet; empty where it cannot be read."""
        position = run.start
        size = self._open(run.time, position, min(run.size, run.length))
        if size < 0:
            return b""
        try:
            packet = parse_rtp(self._receiver.view[position : position + size], arrival=0.0)
        except ParseError:
            return b""
        return packet.payload

    def stamp(self, run: Run) -> tuple[int, int] | None:
        """The delay in ns and the layer that a run's last packet tells, if it tells them."""
        view = self._receiver.view
        position, wire_size = last_packet(run)
        if view[position] & PADDING:
            return None
        size = self._open(run.time, position, wire_size)
        return read_stamp(view[position : position + size], now=run.time) if size > 0 else None

    def _open(self, time: int, position: int, wire_size: int) -> int:
        """Decrypt a packet, unless that was just done; its plain bytes, or -1."""
        if self._opened[:2] == (time, position):
            return self._opened[2]
        size = self._srtp.unprotect_in_place(self._receiver.pointer(position), wire_size)
        self._opened = time, position, size
        return size
