"""RTCP feedback messages (RFC 4585, RFC 5104, REMB), and what all RTCP packets share."""

from dataclasses import dataclass
from struct import Struct, pack, unpack_from

from sfu.errors import ParseError
from sfu.wire.twcc import TransportFeedback, parse_transport_feedback

TRANSPORT_LAYER_FEEDBACK = 205
PAYLOAD_SPECIFIC_FEEDBACK = 206
NACK_FORMAT = 1  # RFC 4585 6.2.1
TRANSPORT_FEEDBACK_FORMAT = 15
PICTURE_LOSS_FORMAT = 1  # RFC 4585 6.3.1
FULL_INTRA_REQUEST_FORMAT = 4  # RFC 5104 4.3.1
APPLICATION_LAYER_FORMAT = 15  # RFC 4585 6.4; REMB is one of these
REMB_IDENTIFIER = b"REMB"

MAX_COUNT = 31  # the 5-bit count of reports, chunks or sources
MAX_REMB_BITRATE = (1 << 63) - 1  # bit/s; the format goes to 2**81

_two_ssrcs = Struct("!II")
_pairs = Struct("!HH")


def pack_packet(count: int, packet_type: int, body: bytes) -> bytes:
    """One RTCP packet (RFC 3550 6.4.1).

    Args:
        count: Of what the type counts, or the format of a feedback message; 0..`MAX_COUNT`.
        packet_type: 192..223.
        body: What follows the header of four bytes, a multiple of four bytes.
    """
    assert count <= MAX_COUNT
    assert not len(body) % 4
    return pack("!BBH", 0x80 | count, packet_type, len(body) // 4) + body


def require_size(body: bytes, size: int) -> None:
    """Make sure that the body of a packet has `size` bytes.

    Raises:
        ParseError: When it is shorter.
    """
    if len(body) < size:
        raise ParseError("An RTCP packet is shorter than its type and count want.")


@dataclass(frozen=True, slots=True)
class Nack:
    """Sequence numbers that have not come (RFC 4585 6.2.1).

    Attributes:
        sender_ssrc: Of the one who misses them.
        media_ssrc: Of the stream.
        lost: 16-bit sequence numbers, best in their order on the circle: neighbours share a word.
    """

    sender_ssrc: int
    media_ssrc: int
    lost: tuple[int, ...]

    def __bytes__(self) -> bytes:
        parts = [_two_ssrcs.pack(self.sender_ssrc, self.media_ssrc)]
        first: int | None = None
        mask = 0
        for sequence_number in self.lost:
            if first is not None:
                bit = (sequence_number - first - 1) & 0xFFFF
                if bit < 16:
                    mask |= 1 << bit
                    continue
                parts.append(_pairs.pack(first, mask))
            first = sequence_number
            mask = 0
        if first is not None:
            parts.append(_pairs.pack(first, mask))
        return pack_packet(NACK_FORMAT, TRANSPORT_LAYER_FEEDBACK, b"".join(parts))


@dataclass(frozen=True, slots=True)
class PictureLossIndication:
    """A decoder needs a key frame because it lost something (RFC 4585 6.3.1)."""

    sender_ssrc: int
    media_ssrc: int

    def __bytes__(self) -> bytes:
        body = _two_ssrcs.pack(self.sender_ssrc, self.media_ssrc)
        return pack_packet(PICTURE_LOSS_FORMAT, PAYLOAD_SPECIFIC_FEEDBACK, body)


@dataclass(frozen=True, slots=True)
class FullIntraRequest:
    """A decoder needs a key frame to begin with (RFC 5104 4.3.1).

    Attributes:
        sender_ssrc: Of the one who asks.
        entries: SSRC of a stream, and the 8-bit number of the request: the same for a repetition.
    """

    sender_ssrc: int
    entries: tuple[tuple[int, int], ...]

    def __bytes__(self) -> bytes:
        parts = [_two_ssrcs.pack(self.sender_ssrc, 0)]
        parts += [_two_ssrcs.pack(ssrc, number << 24) for ssrc, number in self.entries]
        return pack_packet(FULL_INTRA_REQUEST_FORMAT, PAYLOAD_SPECIFIC_FEEDBACK, b"".join(parts))


@dataclass(frozen=True, slots=True)
class ReceiverEstimatedMaximumBitrate:
    """REMB: what the receiver believes the path can carry (draft-alvestrand-rmcat-remb-03).

    Attributes:
        sender_ssrc: Of the one who tells.
        bitrate: bit/s over all `ssrcs`; written rounded down to 18 significant bits.
        ssrcs: The streams, at most 255.
    """

    sender_ssrc: int
    bitrate: int
    ssrcs: tuple[int, ...]

    def __bytes__(self) -> bytes:
        assert len(self.ssrcs) <= 255
        exponent = max(self.bitrate.bit_length() - 18, 0)
        rate = exponent << 18 | self.bitrate >> exponent
        parts = [
            _two_ssrcs.pack(self.sender_ssrc, 0),
            REMB_IDENTIFIER,
            (len(self.ssrcs) << 24 | rate).to_bytes(4, "big"),
        ]
        parts += [ssrc.to_bytes(4, "big") for ssrc in self.ssrcs]
        return pack_packet(APPLICATION_LAYER_FORMAT, PAYLOAD_SPECIFIC_FEEDBACK, b"".join(parts))


def parse_transport_layer_feedback(
    feedback_format: int, body: bytes
) -> Nack | TransportFeedback | None:
    """Read a packet of type 205 behind its header; None when its format is not ours.

    Raises:
        ParseError: When a length in it passes the end.
    """
    if feedback_format == TRANSPORT_FEEDBACK_FORMAT:
        return parse_transport_feedback(body)
    if feedback_format != NACK_FORMAT:
        return None
    require_size(body, 8)
    sender_ssrc, media_ssrc = _two_ssrcs.unpack_from(body)
    lost: list[int] = []
    for position in range(8, len(body) - 3, 4):
        first, mask = _pairs.unpack_from(body, position)
        lost.append(first)
        while mask:
            bit = mask & -mask
            lost.append(first + bit.bit_length() & 0xFFFF)
            mask ^= bit
    return Nack(sender_ssrc, media_ssrc, tuple(lost))


def parse_payload_specific_feedback(
    feedback_format: int, body: bytes
) -> PictureLossIndication | FullIntraRequest | ReceiverEstimatedMaximumBitrate | None:
    """Read a packet of type 206 behind its header; None when its format is not ours.

    Raises:
        ParseError: When a length in it passes the end, or its bitrate is not to be believed.
    """
    require_size(body, 8)
    sender_ssrc, media_ssrc = _two_ssrcs.unpack_from(body)
    if feedback_format == PICTURE_LOSS_FORMAT:
        return PictureLossIndication(sender_ssrc, media_ssrc)
    if feedback_format == FULL_INTRA_REQUEST_FORMAT:
        whole = body[8 : len(body) - len(body) % 8]
        entries = tuple([(ssrc, rest >> 24) for ssrc, rest in _two_ssrcs.iter_unpack(whole)])
        return FullIntraRequest(sender_ssrc, entries)
    if feedback_format == APPLICATION_LAYER_FORMAT and body[8:12] == REMB_IDENTIFIER:
        return _parse_remb(sender_ssrc, body)
    return None


def _parse_remb(sender_ssrc: int, body: bytes) -> ReceiverEstimatedMaximumBitrate:
    require_size(body, 16)
    count = body[12]
    rate = int.from_bytes(body[13:16], "big")
    bitrate = (rate & 0x3FFFF) << (rate >> 18)
    if bitrate > MAX_REMB_BITRATE:
        raise ParseError("The bitrate of a REMB is beyond any path.")
    require_size(body, 16 + 4 * count)
    return ReceiverEstimatedMaximumBitrate(
        sender_ssrc, bitrate, unpack_from(f"!{count}I", body, 16)
    )
