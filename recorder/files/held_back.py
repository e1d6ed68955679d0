"""What a muxer of Matroska holds back, as a cluster that can stand in for its own.

FFmpeg writes a cluster when a frame comes that belongs to the next one. Where a track pauses,
because it is muted or a screen stands still, its last frames would be in memory alone for as long
as that takes. So they are laid behind the file, where the muxer writes them again when the track
goes on.
"""

import re
import struct
from collections.abc import Callable, Sequence
from typing import Any

from av.packet import Packet

from recorder.files.description import OPUS_RATE, StreamInfo

CLUSTER, TIMESTAMP, SIMPLE_BLOCK = 0x1F43B675, 0xE7, 0xA3  # RFC 9559 5.1.3
KEY_FRAME = 0x80  # a flag of a block (10.2)
MAX_OFFSET = 2**15 - 1  # ms from the time of a cluster to that of a block in it: 16 bits, signed
START_CODE = re.compile(b"\0?\0\0\1")
TEMPORAL_DELIMITER = b"\x12\0"  # an OBU (AV1 5.6)

_Frame = tuple[int, bytes, bool]  # its time in ms, its data, whether it is a key frame


class HeldBack:
    """Collects frames until the muxer has written them.

    Args:
        stream: What the frames are: Matroska has some in another form than `EncodedFrame`, and
            tells the times of sound from before what decoders skip.
    """

    def __init__(self, stream: StreamInfo) -> None:
        self._change = CHANGES.get(stream.codec.name)
        self._delay = int(stream.pre_skip * 1000 / OPUS_RATE + 0.5)  # ms, rounded as FFmpeg does
        self._frames: list[_Frame] = []

    def add(self, packet: "Packet[Any]") -> None:
        """A packet was given to the muxer."""
        assert packet.pts is not None
        time = round(packet.pts * packet.time_base * 1000) + self._delay
        self._frames.append((time, bytes(packet), packet.is_keyframe))

    def keep(self, count: int) -> None:
        """All but the last so many were written."""
        del self._frames[:-count]

    def piece(self) -> bytes:
        """All that is held back, as clusters; not longer than what the muxer makes of it."""
        clusters: list[list[_Frame]] = []
        for frame in self._frames:
            # The muxer begins another after less: a pause may lie between two frames.
            if not clusters or frame[0] - clusters[-1][0][0] > MAX_OFFSET:
                clusters.append([])
            clusters[-1].append(frame)
        return b"".join([self._cluster(frames) for frames in clusters])

    def _cluster(self, frames: Sequence[_Frame]) -> bytes:
        start = frames[0][0]
        body = _element(TIMESTAMP, start.to_bytes((start.bit_length() + 7) // 8 or 1, "big"))
        for time, data, key_frame in frames:
            head = struct.pack(">BhB", 0x81, time - start, KEY_FRAME if key_frame else 0)
            body += _element(SIMPLE_BLOCK, head + (self._change(data) if self._change else data))
        return _element(CLUSTER, body)


def _sized(data: bytes) -> bytes:
    """NAL units with their lengths before them (ISO 14496-15 5.3.4.2), of such with start codes."""
    units = [unit.rstrip(b"\0") for unit in START_CODE.split(data)]
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units if unit)


def _undelimited(data: bytes) -> bytes:
    """A temporal unit of AV1 without the delimiter that it may begin with."""
    return data.removeprefix(TEMPORAL_DELIMITER)


CHANGES: dict[str, Callable[[bytes], bytes]] = {"H264": _sized, "AV1": _undelimited}


def _element(identifier: int, body: bytes) -> bytes:
    """An EBML element (RFC 8794) whose length takes as few bytes as it can."""
    size = len(body)
    width = next(width for width in range(1, 9) if size < (1 << 7 * width) - 1)
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return name + (size | 1 << 7 * width).to_bytes(width, "big") + body
