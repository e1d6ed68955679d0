"""Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).

One RTCP packet tells, for a run of transport-wide sequence numbers, which packets came and when.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from struct import Struct

from sfu.errors import ParseError

TICK = 0.00025  # s; unit of the deltas
REFERENCE_UNIT = 256  # ticks; reference times count 64 ms
REFERENCE_PERIOD = 1 << 24  # reference times wrap
MAX_STATUSES = 8192  # packets of one feedback; 0.5 s at 150 Mbit/s, and bounds our work
MAX_RUN = 0x1FFF  # packets of one run-length chunk
DELTA_MIN, DELTA_MAX = -0x8000, 0x7FFF  # ticks

_NOT_RECEIVED, _SMALL_DELTA, _LARGE_DELTA = 0, 1, 2
_ONE_BIT_SYMBOLS = 14
_TWO_BIT_SYMBOLS = 7

_head = Struct("!BBHIIHHI")
_body = Struct("!IIHHI")
_chunk = Struct("!H")
_delta = Struct("!h")

# Seven one-bit symbols, and four two-bit symbols, by their bits.
_ONE_BIT = tuple(tuple(bits >> (6 - i) & 1 for i in range(7)) for bits in range(128))
_TWO_BIT = tuple(tuple(bits >> (6 - 2 * i) & 3 for i in range(4)) for bits in range(256))


@dataclass(frozen=True, slots=True)
class TransportFeedback:
    """Which of a run of packets came, and when.

    Attributes:
        sender_ssrc: Of the feedback's sender.
        media_ssrc: Any SSRC of the media's sender.
        base_sequence: Transport-wide sequence number of the first packet, 16 bits.
        reference_time: Start of the time line, 64 ms units of the receiver's own clock, modulo
            `REFERENCE_PERIOD`.
        feedback_count: Number of this feedback, 8 bits.
        deltas: One entry for each packet: None when it did not come, else the ticks of 250 µs since
            the packet that came before it in this feedback (since the reference time for the
            first), `DELTA_MIN`..`DELTA_MAX`. At most `MAX_STATUSES`.
    """

    sender_ssrc: int
    media_ssrc: int
    base_sequence: int
    reference_time: int
    feedback_count: int
    deltas: tuple[int | None, ...]

    def arrivals(self) -> list[tuple[int, int]]:
        """What came: sequence number and ticks of 250 µs on the receiver's time line.

        The time line starts again from zero whenever the reference time wraps (12.4 days).
        """
        base = self.base_sequence
        numbers = [base + i & 0xFFFF for i, delta in enumerate(self.deltas) if delta is not None]
        ticks = accumulate(
            (delta for delta in self.deltas if delta is not None),
            initial=self.reference_time * REFERENCE_UNIT,
        )
        next(ticks)
        return list(zip(numbers, ticks, strict=True))

    def __bytes__(self) -> bytes:
        assert len(self.deltas) <= MAX_STATUSES
        symbols = bytes(
            [
                _NOT_RECEIVED if d is None else _SMALL_DELTA if 0 <= d <= 255 else _LARGE_DELTA
                for d in self.deltas
            ]
        )
        parts = _encode_chunks(symbols)
        for delta, symbol in zip(self.deltas, symbols, strict=True):
            if delta is not None:
                parts.append(bytes((delta,)) if symbol == _SMALL_DELTA else _delta.pack(delta))
        body = b"".join(parts)
        padding = -len(body) % 4
        if padding:
            # RFC 3550 6.4.1: the last byte of padding tells how many there are.
            body += bytes(padding - 1) + bytes((padding,))
        head = _head.pack(
            0x80 | bool(padding) << 5 | 15,
            205,
            (_head.size + len(body)) // 4 - 1,
            self.sender_ssrc,
            self.media_ssrc,
            self.base_sequence,
            len(self.deltas),
            self.reference_time << 8 | self.feedback_count,
        )
        return head + body


def _encode_chunks(symbols: bytes) -> list[bytes]:
    """Status chunks: runs where they are at least as long as what a vector chunk holds."""
    chunks = []
    position = 0
    total = len(symbols)
    while position < total:
        symbol = symbols[position]
        window = symbols[position : position + _ONE_BIT_SYMBOLS]
        run = len(window) - len(window.lstrip(bytes((symbol,))))
        if run == len(window):
            limit = min(total, position + MAX_RUN)
            end = position + run
            while end < limit and symbols[end] == symbol:
                end += 1
            chunks.append(_chunk.pack(symbol << 13 | end - position))
            position = end
        elif _LARGE_DELTA not in window:
            bits = 0x8000
            for i, value in enumerate(window):
                bits |= value << (_ONE_BIT_SYMBOLS - 1 - i)
            chunks.append(_chunk.pack(bits))
            position += _ONE_BIT_SYMBOLS
        elif run >= _TWO_BIT_SYMBOLS:
            chunks.append(_chunk.pack(symbol << 13 | run))
            position += run
        else:
            bits = 0xC000
            for i, value in enumerate(window[:_TWO_BIT_SYMBOLS]):
                bits |= value << 2 * (_TWO_BIT_SYMBOLS - 1 - i)
            chunks.append(_chunk.pack(bits))
            position += _TWO_BIT_SYMBOLS
    return chunks


def parse_transport_feedback(body: bytes) -> TransportFeedback:
    """Read a feedback.

    Args:
        body: The RTCP packet behind its four-byte header, without RTCP padding; zeros behind the
            last delta are ignored, as older senders pad with them.

    Raises:
        ParseError: When it ends early, tells of more than `MAX_STATUSES` packets or uses the
            reserved status.
    """
    size = len(body)
    if size < _body.size:
        raise ParseError("A transport-wide feedback is shorter than its fixed part.")
    sender_ssrc, media_ssrc, base_sequence, count, reference = _body.unpack_from(body)
    if count > MAX_STATUSES:
        raise ParseError("A transport-wide feedback tells of too many packets.")
    symbols: list[int] = []
    position = _body.size
    while len(symbols) < count:
        if position + 2 > size:
            raise ParseError("A transport-wide feedback ends in its status chunks.")
        chunk = body[position] << 8 | body[position + 1]
        position += 2
        if chunk < 0x8000:
            symbols += [chunk >> 13] * (chunk & MAX_RUN)
        elif chunk < 0xC000:
            symbols += _ONE_BIT[chunk >> 7 & 0x7F]
            symbols += _ONE_BIT[chunk & 0x7F]
        else:
            symbols += _TWO_BIT[chunk >> 6 & 0xFF]
            symbols += _TWO_BIT[chunk & 0x3F][1:]
    # Vector chunks and careless senders may go on behind the last packet.
    del symbols[count:]
    return TransportFeedback(
        sender_ssrc,
        media_ssrc,
        base_sequence,
        reference >> 8,
        reference & 0xFF,
        _parse_deltas(symbols, body, position),
    )


def _parse_deltas(symbols: Sequence[int], body: bytes, position: int) -> tuple[int | None, ...]:
    small = symbols.count(_SMALL_DELTA)
    large = symbols.count(_LARGE_DELTA)
    if small + large + symbols.count(_NOT_RECEIVED) < len(symbols):
        raise ParseError("A transport-wide feedback uses the reserved status.")
    if position + small + 2 * large > len(body):
        raise ParseError("A transport-wide feedback ends in its deltas.")
    if small == len(symbols):
        return tuple(body[position : position + small])  # on a good path, nearly always
    deltas: list[int | None] = []
    for symbol in symbols:
        if symbol == _SMALL_DELTA:
            deltas.append(body[position])
            position += 1
        elif symbol == _NOT_RECEIVED:
            deltas.append(None)
        else:
            deltas.append(_delta.unpack_from(body, position)[0])
            position += 2
    return tuple(deltas)
