"""Packets and keys to measure with."""

import os
from collections.abc import Iterator, Mapping, Sequence

from sfu.stream.inbound import InboundStream
from sfu.stream.sender_report import SenderClock
from sfu.transport.srtp import PROFILES, SrtpSession
from sfu.wire.ntp import to_ntp
from sfu.wire.parameters import Codec
from sfu.wire.rtcp import SenderReport
from sfu.wire.rtp import RtpPacket, build_rtp, parse_rtp

SIZE = 1100  # bytes of RTP before protection, as encoders make video
FRAME = 8  # packets; a frame of 2 Mbit/s at 30 fps
SSRC = 1
PACKET_RATE = 1000  # packets/s of arrival times


def keys() -> tuple[SrtpSession, SrtpSession]:
    """Two ends of one SRTP session, with the profile that browsers and we prefer."""
    profile = PROFILES[0]
    one, other = (os.urandom(profile.key_length + profile.salt_length) for _ in range(2))
    return (
        SrtpSession(profile, local_key=one, remote_key=other),
        SrtpSession(profile, local_key=other, remote_key=one),
    )


def rtp(
    number: int,
    *,
    payload: bytes = b"",
    extensions: Mapping[int, bytes] | None = None,
    ssrc: int = SSRC,
) -> bytes:
    """Packet `number` of a stream of frames; of `SIZE` bytes where it has no other payload."""
    return build_rtp(
        payload_type=96,
        sequence_number=number & 0xFFFF,
        timestamp=number // FRAME * 3000 & 0xFFFFFFFF,
        ssrc=ssrc,
        payload=payload or bytes(SIZE - 12),
        marker=number % FRAME == FRAME - 1,
        extensions=extensions or {},
    )


def parsed(payload: bytes, numbers: Sequence[int]) -> list[RtpPacket]:
    """Packets with these numbers, as the parser makes them."""
    return [
        parse_rtp(rtp(number, payload=payload), arrival=100 + number / PACKET_RATE)
        for number in numbers
    ]


def stream(codec: Codec) -> InboundStream:
    """A stream that has met its sender's clock."""
    made = InboundStream(
        ssrc=SSRC,
        kind=codec.kind,
        codecs={96: codec},
        nack=True,
        cache_size=1024,
        sender_clock=SenderClock(wall_offset=1.7e9),
    )
    made.receive_sender_report(SenderReport(SSRC, to_ntp(1.7e9), 0, 0, 0), now=99.0)
    return made


def received(codec: Codec, payload: bytes) -> Iterator[list[RtpPacket]]:
    """Frame after frame of one stream, as the fan-out gets them."""
    source = stream(codec)
    number = 0
    while True:
        packets = parsed(payload, range(number, number + FRAME))
        number += FRAME
        for packet in packets:
            source.receive(packet, now=packet.arrival)
        yield packets
