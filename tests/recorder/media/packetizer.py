"""Real bitstreams by FFmpeg, and the RTP packets that a browser would make of them."""

from dataclasses import replace
from fractions import Fraction
from functools import cache

import av
import numpy as np

from recorder.values import RecordedPacket
from sfu.wire.parameters import AV1, OPUS, RED, VP8, VP9, Codec, h264
from tests.support.media import SAMPLE_RATE, video_frame
from tests.support.scheduling import usual_scheduling

H264 = h264("constrained-baseline", 1)
VIDEO_CODECS = (VP8, VP9, H264, AV1)
FPS = 30
TICKS = 90000 // FPS
MTU = 1100  # bytes of a payload, small so that there are many packets

_ENCODERS = {
    "VP8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "VP9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "H264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}),
    "AV1": ("libsvtav1", {"preset": "10", "crf": "40", "svtav1-params": "pred-struct=1"}),
}


@cache
@usual_scheduling()
def encode_video(
    codec: Codec, count: int = 30, width: int = 320, height: int = 240, gop: int = 10
) -> tuple[tuple[bytes, bool], ...]:
    """(Frame, whether it is a key frame) of a picture that moves and is noisy."""
    name, options = _ENCODERS[codec.name]
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FPS), Fraction(FPS)
    encoder.bit_rate = 0 if "crf" in options else 1_000_000
    encoder.gop_size, encoder.max_b_frames = gop, 0
    encoder.thread_count = 1  # libvpx's threads would spin
    encoder.options = options
    noise = np.random.default_rng(1).integers(0, 255, (height, width), dtype=np.uint8)
    packets = []
    for number in range(count):
        frame = video_frame(np.roll(noise, 3 * number, axis=1))
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    assert len(packets) == count
    return tuple((bytes(packet), packet.is_keyframe) for packet in packets)


@cache
def encode_audio(
    count: int = 100,
    frequency: float = 440.0,
    milliseconds: float = 20,
    application: str = "voip",
) -> tuple[bytes, ...]:
    """Opus packets of a tone."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "stereo", "flt"
    encoder.bit_rate = 32_000
    encoder.options = {"frame_duration": str(milliseconds), "application": application}
    size = round(SAMPLE_RATE / 1000 * milliseconds)
    packets = []
    for number in range(count):
        at = np.arange(number * size, (number + 1) * size) / SAMPLE_RATE
        samples = np.repeat(0.3 * np.sin(2 * np.pi * frequency * at), 2).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="stereo")
        frame.sample_rate, frame.pts = SAMPLE_RATE, number * size
        packets += encoder.encode(frame)
    return tuple(bytes(packet) for packet in packets)[:count]


def nal_units(data: bytes) -> list[bytes]:
    """The NAL units of a byte stream (ITU-T H.264 annex B)."""
    return [unit.rstrip(b"\0") for unit in data.split(b"\0\0\1") if unit.strip(b"\0")]


def obus(unit: bytes) -> list[bytes]:
    """The OBUs of a temporal unit, each with its size."""
    found, position = [], 0
    while position < len(unit):
        assert unit[position] & 2, "OBUs have sizes"
        start = position + (2 if unit[position] & 4 else 1)
        size = shift = 0
        while True:
            byte = unit[start]
            start += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        found.append(unit[position : start + size])
        position = start + size
    return found


def payloads(codec: Codec, frame: bytes, key: bool) -> list[bytes]:
    """The payloads of a frame's packets."""
    return {"VP8": _vp8, "VP9": _vp9, "H264": _h264, "AV1": _av1}[codec.name](frame, key)


def _chunks(data: bytes) -> list[bytes]:
    return [data[at : at + MTU] for at in range(0, len(data), MTU)]


def _vp8(frame: bytes, key: bool) -> list[bytes]:
    parts = _chunks(frame)
    return [
        b"%c\x80\x80\x01%b" % (0x90 if not number else 0x80, part)
        for number, part in enumerate(parts)
    ]


def _vp9(frame: bytes, key: bool) -> list[bytes]:
    return vp9_layer(frame, key)


def vp9_layer(frame: bytes, key: bool, spatial: int = 0, layered: bool = False) -> list[bytes]:
    """Packets of one spatial layer."""
    parts = _chunks(frame)
    result = []
    for number, part in enumerate(parts):
        first = 0x80 | (0 if key else 0x40) | (0x20 if layered else 0)
        first |= (0x08 if not number else 0) | (0x04 if number == len(parts) - 1 else 0)
        layer = bytes((spatial << 1 | (spatial > 0), 0)) if layered else b""
        result.append(bytes((first, 0x80, 1)) + layer + part)
    return result


def _h264(frame: bytes, key: bool) -> list[bytes]:
    result: list[bytes] = []
    small: list[bytes] = []

    def flush() -> None:
        if len(small) == 1:
            result.append(small[0])
        elif small:
            sized = b"".join(len(unit).to_bytes(2, "big") + unit for unit in small)
            result.append(b"\x78" + sized)
        small.clear()

    for unit in nal_units(frame):
        if len(unit) <= 200:
            small.append(unit)
            continue
        flush()
        if len(unit) <= MTU:
            result.append(unit)
            continue
        parts = _chunks(unit[1:])
        for number, part in enumerate(parts):
            flags = (0x80 if not number else 0) | (0x40 if number == len(parts) - 1 else 0)
            head = bytes((unit[0] & 0xE0 | 28, flags | unit[0] & 0x1F))
            result.append(head + part)
    flush()
    return result


def _av1(frame: bytes, key: bool) -> list[bytes]:
    units = [obu for obu in obus(frame) if obu[0] >> 3 & 15 != 2]
    elements = []
    for obu in units:
        start = 2 if obu[0] & 4 else 1
        end = start
        while obu[end] & 0x80:
            end += 1
        elements.append(bytes((obu[0] & ~2,)) + obu[1:start] + obu[end + 1 :])
    # Each OBU in packets of its own, but for the small ones, which lead with their lengths (W 0).
    result, continued = [], False
    small = [e for e in elements[:-1] if len(e) < 100]
    assert len(small) == len(elements) - 1
    parts = _chunks(elements[-1])
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        head = (0x80 if continued else 0) | (0 if last else 0x40)
        head |= 0x08 if key and not number else 0
        if not number:
            body = b"".join(bytes((len(e),)) + e for e in small)
            if small:
                size = len(part)
                body += bytes((size & 0x7F | 0x80, size >> 7)) + part
            else:
                head, body = head | 0x10, part
        else:
            head, body = head | 0x10, part
        result.append(bytes((head,)) + body)
        continued = not last
    return result


def video_packets(
    codec: Codec,
    frames: tuple[tuple[bytes, bool], ...],
    *,
    ssrc: int = 1,
    index: int = 70_000,
    timestamp: int = 0xFFFF0000,
) -> list[list[RecordedPacket]]:
    """The packets of each frame, `FPS` frames a second."""
    result = []
    for number, (frame, key) in enumerate(frames):
        parts = payloads(codec, frame, key)
        packets = []
        for position, part in enumerate(parts):
            packet = RecordedPacket(
                ssrc,
                index,
                (timestamp + number * TICKS) & 0xFFFFFFFF,
                position == len(parts) - 1,
                key and not position,
                codec,
                part,
            )
            packets.append(packet)
            index += 1
        result.append(packets)
    return result


def audio_packets(
    frames: tuple[bytes, ...],
    *,
    ssrc: int = 2,
    index: int = 70_000,
    timestamp: int = 0xFFFFF000,
    red: int = 0,
) -> list[RecordedPacket]:
    """One packet for each Opus packet, with so many earlier ones as redundancy (RFC 2198)."""
    packets = []
    for number, frame in enumerate(frames):
        packet = RecordedPacket(
            ssrc,
            index + number,
            (timestamp + number * 960) & 0xFFFFFFFF,
            not number,
            False,
            OPUS,
            frame,
        )
        if red:
            headers = bodies = b""
            for back in range(min(red, number), 0, -1):
                block = frames[number - back]
                field = 960 * back << 10 | len(block)
                headers += b"\xef" + field.to_bytes(3, "big")
                bodies += block
            packet = replace(packet, codec=RED, payload=headers + b"\x6f" + bodies + frame)
        packets.append(packet)
    return packets
