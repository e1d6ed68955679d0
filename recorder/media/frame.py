"""Frames on their way from packets to their time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from recorder.values import RecordedPacket
from sfu.wire.parameters import Codec


@dataclass(frozen=True, slots=True)
class Picture:
    """What the packets of one picture were put together to.

    Attributes:
        data: As in `EncodedFrame`.
        key_frame: Whether a decoder can begin here.
        extradata: As in `EncodedFrame`; of key frames.
    """

    data: bytes
    key_frame: bool
    extradata: bytes = b""


class Depacketizer(Protocol):
    """Puts the packets of pictures of one codec together."""

    def read(self, packets: Sequence[RecordedPacket]) -> Picture | None:
        """The picture of these packets, all that have its timestamp, in their order.

        Returns:
            None where they hold nothing to be shown, but perhaps what later pictures need.

        Raises:
            ParseError: They are not a whole picture.
        """


@dataclass(frozen=True, slots=True)
class Unit:
    """A whole frame that still has an RTP timestamp instead of a time.

    Attributes:
        data: As in `EncodedFrame`, like all that is not told here.
        ssrc: Of its stream.
        timestamp: 32 bits.
        arrival: When the first of it came, monotonic seconds.
        codec: What `data` is.
        key_frame: Always true for sound.
        duration: Seconds of sound, else 0.
        width: Pixels or 0.
        height: Pixels or 0.
        extradata: Of key frames.
        rotation: Degrees.
        discontinuity: Whether something before it was lost.
    """

    data: bytes
    ssrc: int
    timestamp: int
    arrival: float
    codec: Codec
    key_frame: bool
    duration: float
    width: int
    height: int
    extradata: bytes
    rotation: int
    discontinuity: bool
