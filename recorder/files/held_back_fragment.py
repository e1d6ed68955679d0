"""What a muxer of MP4 holds back, as a fragment that can stand in for its own.

FFmpeg writes a fragment (ISO 14496-12 8.8) when a frame comes that belongs to the next one. See
`recorder.files.held_back`, which does for Matroska what is done for MP4 here.
"""

import contextlib
import io
import struct
from collections.abc import Iterator
from typing import Any

import av
from av.error import FFmpegError
from av.packet import Packet

from recorder.files.muxer import PIECE

OPTIONS = {
    "movflags": "empty_moov+delay_moov+default_base_moof",
    "frag_duration": str(round(PIECE * 1_000_000)),  # µs
    "use_editlist": "1",
}


class HeldBackFragment:
    """Collects packets until the muxer has written them."""

    def __init__(self) -> None:
        self._first: Packet[Any] | None = None
        self._packets: list[Packet[Any]] = []

    def add(self, packet: "Packet[Any]") -> None:
        """A packet was given to the muxer."""
        self._first = self._first or packet
        self._packets.append(packet)

    def keep(self, count: int) -> None:
        """All but the last so many were written."""
        del self._packets[:-count]

    def piece(self) -> bytes:
        """All that is held back, as it would be written if the file ended here.

        It is not longer than what the muxer makes of it, which tells the length of the pause too.
        """
        if self._first is None or not self._packets:
            return b""
        # All times of a file count from its first packet.
        is_all = self._packets[0] is self._first
        packets = self._packets if is_all else [self._first, *self._packets]
        boxes = list(_boxes(_mux(packets)))
        if is_all:  # nothing is in the file that could be read without a header
            return b"".join(box for name, box in boxes if name in (b"moov", b"moof", b"mdat"))
        return b"".join([box for name, box in boxes if name in (b"moof", b"mdat")][-2:])


def _mux(packets: list["Packet[Any]"]) -> bytes:
    file = io.BytesIO()
    container = av.open(file, "w", format="mp4", options=OPTIONS)
    of_file = packets[0].stream
    stream = container.add_stream_from_template(of_file, opaque=True)
    stream.time_base = packets[0].time_base
    with contextlib.suppress(FFmpegError):  # as in a file that ends with junk
        for packet in packets:
            packet.stream = stream
            container.mux_one(packet)
        container.close()
    for packet in packets:
        packet.stream = of_file
    return file.getvalue()


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of a file (ISO 14496-12 4.2): each with its type."""
    offset = 0
    while offset + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, offset)
        if not 8 <= size <= len(data) - offset:
            return  # FFmpeg has not finished it: in a packet is junk
        yield name, data[offset : offset + size]
        offset += size
