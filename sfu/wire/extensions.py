"""Header extensions of RTP packets: the block (RFC 8285), and the values that we know.

A `parse_…` returns None for bytes that are not a value of its kind: a bad element is treated as if
it were absent, because the packet around it is still good.
"""

from collections.abc import Sequence
from struct import pack
from typing import NamedTuple

ONE_BYTE_PROFILE = 0xBEDE  # RFC 8285 4.2
TWO_BYTE_PROFILE = 0x1000  # RFC 8285 4.3, "appbits" 0
ONE_BYTE_MAX_ID = 14
ONE_BYTE_MAX_SIZE = 16
TWO_BYTE_MAX_ID = 255
TWO_BYTE_MAX_SIZE = 255

MAX_IDENTIFICATION_SIZE = 32  # bytes; browsers stay below 17
# RFC 8843 15.1: a mid is a token (RFC 4566 9); a rid (RFC 8851 10) uses fewer characters.
_TOKEN = bytes(c for c in range(0x21, 0x7F) if c not in b'"(),/:;<=>?@[\\]')

ABS_SEND_TIME_PERIOD = 64.0  # s; 6 bits of seconds
PLAYOUT_DELAY_UNIT = 10  # ms
PLAYOUT_DELAY_MAX = 0xFFF * PLAYOUT_DELAY_UNIT  # ms


def encode_header_extensions(elements: Sequence[tuple[int, bytes]], *, mixed: bool) -> bytes:
    """The whole block: profile, length in words, elements, zero padding to 32 bits.

    The one-byte form is used unless an element needs the two-byte form (id above 14, value empty or
    longer than 16 bytes).

    Args:
        elements: Local id and value, in the order to write.
        mixed: Whether the two-byte form may be used (RFC 8285 6, extmap-allow-mixed).

    Returns:
        The block; empty when no element is left. Elements that cannot be encoded are left out.
    """
    one_byte = [
        element
        for element in elements
        if 0 < element[0] <= ONE_BYTE_MAX_ID and 0 < len(element[1]) <= ONE_BYTE_MAX_SIZE
    ]
    if len(one_byte) == len(elements) or not mixed:
        profile = ONE_BYTE_PROFILE
        body = b"".join([bytes((id_ << 4 | len(value) - 1,)) + value for id_, value in one_byte])
    else:
        profile = TWO_BYTE_PROFILE
        body = b"".join(
            [
                bytes((id_, len(value))) + value
                for id_, value in elements
                if 0 < id_ <= TWO_BYTE_MAX_ID and len(value) <= TWO_BYTE_MAX_SIZE
            ]
        )
    if not body:
        return b""
    body += bytes(-len(body) % 4)
    return pack("!HH", profile, len(body) // 4) + body


class AudioLevel(NamedTuple):
    """Loudness of the audio in one packet (RFC 6464).

    Attributes:
        level: -dBov: 0 is the loudest, 127 is silence.
        voice: Whether the sender believes that it is speech.
    """

    level: int
    voice: bool


def encode_audio_level(level: int, *, voice: bool) -> bytes:
    """One byte: voice flag and level (0..127, -dBov)."""
    return bytes((voice << 7 | level,))


def parse_audio_level(value: bytes) -> AudioLevel | None:
    """The level, also from the second form with a padding byte that RFC 6464 3 shows."""
    if not 1 <= len(value) <= 2:
        return None
    return AudioLevel(value[0] & 0x7F, value[0] >= 0x80)


def encode_abs_send_time(seconds: float) -> bytes:
    """24 bits of 6.18 fixed-point seconds, modulo 64 s (abs-send-time, webrtc.org)."""
    return (int(seconds * 262144) & 0xFFFFFF).to_bytes(3, "big")


def parse_abs_send_time(value: bytes) -> float | None:
    """Seconds, 0 up to `ABS_SEND_TIME_PERIOD`."""
    if len(value) != 3:
        return None
    return int.from_bytes(value, "big") / 262144


def encode_transport_sequence_number(sequence_number: int) -> bytes:
    """16 bits (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2)."""
    return sequence_number.to_bytes(2, "big")


def parse_transport_sequence_number(value: bytes) -> int | None:
    """0..65535."""
    if len(value) != 2:
        return None
    return value[0] << 8 | value[1]


class VideoOrientation(NamedTuple):
    """How the receiver must turn the picture (3GPP TS 26.114 7.4.5).

    Attributes:
        rotation: Degrees counter-clockwise that the picture was turned: 0, 90, 180 or 270.
        flip: Whether it is also mirrored horizontally.
        back_camera: Whether it comes from the camera on the back.
    """

    rotation: int
    flip: bool = False
    back_camera: bool = False


def encode_video_orientation(orientation: VideoOrientation) -> bytes:
    """One byte, 0000CFRR."""
    return bytes(
        (orientation.back_camera << 3 | orientation.flip << 2 | orientation.rotation // 90,)
    )


def parse_video_orientation(value: bytes) -> VideoOrientation | None:
    """The orientation; the upper four bits are ignored."""
    if len(value) != 1:
        return None
    bits = value[0]
    return VideoOrientation((bits & 3) * 90, bool(bits & 4), bool(bits & 8))


class PlayoutDelay(NamedTuple):
    """Bounds of the time from capture to rendering that the sender wishes, in ms."""

    minimum: int
    maximum: int


def encode_playout_delay(delay: PlayoutDelay) -> bytes:
    """Two 12-bit numbers of 10 ms each, cut to `PLAYOUT_DELAY_MAX` (playout-delay, webrtc.org)."""
    minimum = min(delay.minimum, PLAYOUT_DELAY_MAX) // PLAYOUT_DELAY_UNIT
    maximum = min(delay.maximum, PLAYOUT_DELAY_MAX) // PLAYOUT_DELAY_UNIT
    return (minimum << 12 | maximum).to_bytes(3, "big")


def parse_playout_delay(value: bytes) -> PlayoutDelay | None:
    """The bounds; None when the minimum is above the maximum."""
    if len(value) != 3:
        return None
    bits = int.from_bytes(value, "big")
    minimum, maximum = bits >> 12, bits & 0xFFF
    if minimum > maximum:
        return None
    return PlayoutDelay(minimum * PLAYOUT_DELAY_UNIT, maximum * PLAYOUT_DELAY_UNIT)


def encode_identification(text: str) -> bytes:
    """A mid, rid or repaired rid (RFC 8843 15, RFC 8852 3)."""
    return text.encode("ascii")


def parse_identification(value: bytes) -> str | None:
    """A mid, rid or repaired rid: 1 to `MAX_IDENTIFICATION_SIZE` token characters."""
    if not 0 < len(value) <= MAX_IDENTIFICATION_SIZE or value.translate(None, _TOKEN):
        return None
    return value.decode("ascii")
