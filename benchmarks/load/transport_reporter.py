"""Reports when packets with transport-wide numbers came, as browsers do for the server's sake."""

from collections.abc import Iterable
from struct import Struct

from benchmarks.load.connection import Connection
from benchmarks.load.datagrams import Run
from benchmarks.load.description import Agreed
from sfu.congestion.feedback import INTERVAL, TransportFeedbackGenerator
from sfu.wire.parameters import Extension

ONE_BYTE_PROFILE = b"\xbe\xde"  # RFC 8285 4.2

_number = Struct("!H").unpack_from


class TransportReporter:
    """Feedback of one connection (draft-holmer-rmcat-transport-wide-cc-extensions-01).

    Args:
        connection: That the packets come over.
        ssrc: Ours, for the reports.
    """

    def __init__(self, connection: Connection, ssrc: int) -> None:
        self._connection = connection
        self._view = connection.shared.receiver.view
        self._generator = TransportFeedbackGenerator(sender_ssrc=ssrc)
        self._element = 0  # the element's first byte: id and length; 0 before it is agreed on
        self._offset = 0  # where it was in the packet before

    def agree(self, lines: Iterable[Agreed]) -> None:
        """Learn the id of the header extension; BUNDLE makes it one for all lines."""
        uri = Extension.TRANSPORT_SEQUENCE_NUMBER
        for line in lines:
            if uri in line.extensions:
                self._element = line.extensions[uri] << 4 | 1

    def receive(self, run: Run) -> None:
        """Note the packets of a run. Their headers are not encrypted."""
        if not self._element:
            return
        start, length, size, moment = run
        view, note, now = self._view, self._generator.received, moment / 1e9
        for position in range(start, start + length, size):
            offset = self._offset
            # Packets of one server have one layout, so this is the place almost always.
            if not offset or not view[position] & 0x10 or view[position + offset] != self._element:
                offset = self._find(position, min(size, start + length - position))
            if offset:
                self._offset = offset
                (number,) = _number(view, position + offset + 1)
                note(number, now)

    def report(self, now: float) -> float:
        """Send what is due; returns when to be called again."""
        due = self._generator.next_time()
        if due is not None and due <= now:
            for feedback in self._generator.build(now=now):
                self._connection.send_rtcp(bytes(feedback))
        return now + INTERVAL / 2

    def _find(self, position: int, size: int) -> int:
        """Where in the packet the element is; 0 for nowhere."""
        packet = self._view[position : position + size]
        offset = 12 + 4 * (packet[0] & 0x0F)
        if not packet[0] & 0x10 or offset + 4 > size:
            return 0
        if packet[offset : offset + 2] != ONE_BYTE_PROFILE:
            return 0
        (words,) = _number(packet, offset + 2)
        offset += 4
        end = min(offset + 4 * words, size - 2)
        while offset < end:
            head = packet[offset]
            if head == self._element:
                return offset
            offset += 1 + ((head & 0x0F) + 1 if head else 0)
        return 0
