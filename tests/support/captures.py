"""Streams that Chromium 156 sent, and what a decoder makes of parts of them.

It published its test pattern over WHIP, one codec at a time, with a `scalabilityMode` in its
`sendEncodings`; of three spatial layers its uplink estimate allowed two. The streams begin with a
key picture and end with a whole one.

A file is one packet behind the other, each in network byte order: RTP timestamp (4 bytes), sequence
number (2), marker (1), sizes of dependency descriptor (1) and payload (2), descriptor, payload.
"""

from collections.abc import Iterable
from pathlib import Path
from struct import unpack_from

import av
import numpy as np
from numpy.typing import NDArray

from sfu.wire.parameters import AV1, VP8, VP9
from sfu.wire.payload import av1, vp8, vp9
from sfu.wire.rtp import RtpPacket
from tests.support.projected import Sent, Stream

FILES = Path(__file__).parents[1] / "forward" / "projection" / "captures"
CODECS = {"av1": AV1, "vp8": VP8, "vp9": VP9}
_HEADER = 10


def capture(name: str) -> list[list[RtpPacket]]:
    """The packets of each picture, as they arrive; `name` is the file's without its suffix."""
    data = (FILES / f"{name}.bin").read_bytes()
    stream = Stream(CODECS[name.partition("_")[0]], 1)
    pictures: dict[int, list[RtpPacket]] = {}
    position = 0
    while position < len(data):
        timestamp, _, marker, described, size = unpack_from("!IHBBH", data, position)
        position += _HEADER
        value = data[position : position + described]
        payload = data[position + described : position + described + size]
        position += described + size
        packets = stream.packets(
            [payload],
            timestamp,
            marker=bool(marker),
            descriptors=[value] if value else (),
        )
        pictures.setdefault(timestamp, []).extend(stream.arrive(packets))
    return list(pictures.values())


def looks(codec: str, sent: Iterable[Sent]) -> dict[int, NDArray[np.uint8]]:
    """Timestamp → what is shown then, as a decoder shows the layers that were sent.

    Raises:
        av.FFmpegError: When the decoder reports an error.
    """
    pictures: dict[int, list[bytes]] = {}
    for one in sent:
        pictures.setdefault(one.timestamp, []).append(one.payload)
    name = {"av1": "libdav1d", "vp8": "libvpx", "vp9": "libvpx-vp9"}[codec]
    context = av.CodecContext.create(name, "r")
    context.thread_count = 1
    if codec == "av1":
        context.options = {"max_frame_delay": "1"}
    shown: dict[int, NDArray[np.uint8]] = {}
    for timestamp, payloads in pictures.items():
        packet = av.Packet(_JOIN[codec](payloads))
        packet.pts = timestamp
        for frame in context.decode(packet):
            shown[timestamp] = frame.to_ndarray(format="gray")
    return shown


def _join_vp8(payloads: list[bytes]) -> bytes:
    return b"".join(one[vp8.parse_descriptor(one).size :] for one in payloads)


def _join_vp9(payloads: list[bytes]) -> bytes:
    return b"".join(one[vp9.parse_descriptor(one).size :] for one in payloads)


def _join_av1(payloads: list[bytes]) -> bytes:
    """A temporal unit: a delimiter, and the OBUs with their sizes."""
    obus: list[bytes] = []
    for payload in payloads:
        parts = list(av1.elements(payload))
        if payload[0] & av1.CONTINUES:
            obus[-1] += parts.pop(0)
        obus += parts
    unit = b"\x12\x00"
    for obu in obus:
        head = 2 if obu[0] & 0x04 else 1
        size, length = len(obu) - head, b""
        while size > 0x7F:
            length += bytes((size & 0x7F | 0x80,))
            size >>= 7
        unit += bytes((obu[0] | 2,)) + obu[1:head] + length + bytes((size,)) + obu[head:]
    return unit


_JOIN = {"av1": _join_av1, "vp8": _join_vp8, "vp9": _join_vp9}
