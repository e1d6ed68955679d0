"""One encoding of a clip as it is sent: its numbers, its place in the clip, its past packets."""

import random
import time
from collections.abc import Sequence
from struct import Struct

from benchmarks.load.description import Agreed
from benchmarks.load.media import Encoding
from benchmarks.load.payloads import VP8_PICTURE_ID
from sfu.wire.extensions import encode_header_extensions
from sfu.wire.parameters import Extension

HISTORY = 1024  # packets that can be sent again; a power of two, over a second of video
KEY_FRAME_INTERVAL = 0.3  # s; requests that come quicker are answered once, as encoders do
LAYER_SHIFT = 56  # a stamp is the time in ns, and above these bits the number of the encoding
TIME_MASK = (1 << LAYER_SHIFT) - 1
VEIL = 0xA5A5_A5A5_A5A5_A5A5  # keeps H.264's start codes, with their zeros, out of the stamps

# Where the publisher writes the transport-wide number, if any: the first element of the extension.
TRANSPORT_NUMBER = 12 + 4 + 1

_header = Struct("!BBHII")
_stamp = Struct("!Q")
_two_bytes = Struct("!H")


class SentStream:
    """Makes the packets of one encoding.

    Args:
        encoding: What to play; may be exchanged.
        agreed: What the server said about the m-line.
        ssrc: Ours.
        rtx_ssrc: Ours for retransmissions; 0 for none.
        layer: Number of the encoding, 0 for the smallest.

    Attributes:
        key_frame_wanted: Set when the server asks; the next frame is the clip's next key frame.
        packets: Made so far.
        octets: Of their payloads.
    """

    def __init__(
        self,
        encoding: Encoding,
        agreed: Agreed,
        *,
        ssrc: int,
        rtx_ssrc: int = 0,
        layer: int = 0,
    ) -> None:
        self.encoding = encoding
        self.ssrc = ssrc
        self.key_frame_wanted = False
        self.packets = 0
        self.octets = 0
        self._payload_type = agreed.payload_types[encoding.codec]
        rtx = agreed.rtx.get(self._payload_type)
        self._rtx = (rtx, rtx_ssrc) if rtx is not None and rtx_ssrc else None
        self._rtx_sequence_number = random.getrandbits(16)
        self._extension = _extension(agreed, encoding.rid)
        self._layer = layer << LAYER_SHIFT
        self._first_timestamp = random.getrandbits(32)
        self._sequence_number = random.getrandbits(16)
        self._picture_id = random.getrandbits(15)
        self._position = 0
        self._key_frame_at = 0.0
        self._history: list[bytes] = [b""] * HISTORY

    def timestamp(self, elapsed: float) -> int:
        """The RTP timestamp so many seconds after the beginning."""
        return self._first_timestamp + round(elapsed * self.encoding.clock_rate) & 0xFFFFFFFF

    def change(self, encoding: Encoding) -> None:
        """Play another encoding of the same codec from now on."""
        self.encoding = encoding
        self._position = 0

    def frame(self, elapsed: float, *, now: float) -> list[bytes]:
        """The packets of the next frame, plain, stamped with the time of this call.

        Args:
            elapsed: Seconds since the beginning, for the RTP timestamp.
            now: Monotonic seconds.
        """
        encoding = self.encoding
        if self.key_frame_wanted and now - self._key_frame_at > KEY_FRAME_INTERVAL:
            self._position = encoding.next_key_frame(self._position)
        frame = encoding.frames[self._position]
        if frame.key:
            self.key_frame_wanted = False
            self._key_frame_at = now
        self._position = (self._position + 1) % len(encoding.frames)
        packets = self._packets(frame.payloads, self.timestamp(elapsed))
        for packet in packets:
            self._history[self._sequence_number & HISTORY - 1] = packet
            self._sequence_number = (self._sequence_number + 1) & 0xFFFF
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        self.packets += len(packets)
        return packets

    def _packets(self, payloads: Sequence[bytes], timestamp: int) -> list[bytes]:
        extension, ssrc, number = self._extension, self.ssrc, self._sequence_number
        first = 0x90 if extension else 0x80
        second = self._payload_type
        patched = b""
        if self.encoding.codec == "vp8":
            patched = _two_bytes.pack(self._picture_id | 0x8000)
        pack = _header.pack
        packets = []
        for payload in payloads:
            if patched:
                payload = b"".join(
                    (payload[:VP8_PICTURE_ID], patched, payload[VP8_PICTURE_ID + 2 :])
                )
            packets.append(
                pack(first, second, number & 0xFFFF, timestamp, ssrc) + extension + payload
            )
            self.octets += len(payload)
            number += 1
        last = packets[-1]
        if self.encoding.codec != "opus":  # there it means the beginning of speech (RFC 7587 4.1)
            second |= 0x80
        stamp = _stamp.pack((self._layer | time.monotonic_ns() & TIME_MASK) ^ VEIL)
        packets[-1] = b"".join((last[:1], bytes((second,)), last[2:], stamp))
        return packets

    def sent(self, sequence_number: int) -> bytes | None:
        """A packet of the past as the server wants it again; None where it is forgotten.

        It is either a packet of the retransmission stream (RFC 4588) or the same once more.
        """
        packet = self._history[sequence_number & HISTORY - 1]
        if len(packet) < _header.size:
            return None
        first, second, number, timestamp, _ = _header.unpack_from(packet)
        if number != sequence_number:
            return None
        if self._rtx is None:
            return packet
        payload_type, ssrc = self._rtx
        self._rtx_sequence_number = (self._rtx_sequence_number + 1) & 0xFFFF
        header = _header.pack(
            first, payload_type | second & 0x80, self._rtx_sequence_number, timestamp, ssrc
        )
        start = _header.size + len(self._extension)
        return b"".join(
            (header, self._extension, _two_bytes.pack(number), memoryview(packet)[start:])
        )


def read_stamp(plain: bytes | memoryview, *, now: int) -> tuple[int, int] | None:
    """The delay in ns and the layer, from the end of a frame's last packet; None where it has none.

    Args:
        plain: The packet, decrypted.
        now: When it came, monotonic ns.
    """
    (stamp,) = _stamp.unpack_from(plain, len(plain) - _stamp.size)
    stamp ^= VEIL
    delay = now - (stamp & TIME_MASK)
    # Other publishers' bytes pass for a time of the last minute once in a million packets.
    return (delay, stamp >> LAYER_SHIFT) if -1_000_000 < delay < 60_000_000_000 else None


def _extension(agreed: Agreed, rid: str) -> bytes:
    """The header extension of every packet: room for a number, and what simulcast needs."""
    values = {Extension.TRANSPORT_SEQUENCE_NUMBER: b"\0\0"}
    if rid:
        values |= {Extension.MID: agreed.mid.encode(), Extension.RID: rid.encode()}
    elements = [
        (agreed.extensions[uri], value) for uri, value in values.items() if uri in agreed.extensions
    ]
    return encode_header_extensions(elements, mixed=False)
