"""Payload types: those of the peer that we take, and those that we offer."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sfu.wire.parameters import (
    AUDIO_CODECS,
    AV1,
    OPUS,
    RED,
    VIDEO_CODECS,
    VP8,
    VP9,
    VP9_PROFILE_2,
    Codec,
    Kind,
    h264,
)
from sfu.wire.sdp import MediaSection, RtpMap
from signaling.negotiation.h264 import DEFAULT_PROFILE_LEVEL_ID, h264_codec, h264_receivers

# RTCP feedback that we speak, in the order that browsers write it.
FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")

# Parameters that an answer repeats when the offer has them. VP8's max-fr and max-fs are not among
# them: they bound the peer's decoder, and we have none to bound.
_REPEATED = {
    "opus": ("minptime", "useinbandfec", "usedtx"),
    "H264": ("level-asymmetry-allowed", "packetization-mode", "profile-level-id"),
    "VP9": ("profile-id",),
    "AV1": ("level-idx", "profile", "tier"),
}
# The parameter that tells variants apart; its default is "0" (RFC 9628 6, AV1 RTP payload 7.2.1).
_PROFILE = {"VP9": "profile-id", "AV1": "profile"}
_PLAIN = re.compile("[0-9A-Za-z]{1,16}")
_PAYLOAD_TYPE = re.compile("[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class Format:
    """One payload type of an m-line, with what stands in the description about it.

    Attributes:
        payload_type: 0..127.
        codec: What is sent under it.
        parameters: Text of its `a=fmtp`; "" for none.
        feedback: RTCP feedback, for example "nack pli".
        rtx: Its retransmission payload type (RFC 4588); None without.
    """

    payload_type: int
    codec: Codec
    parameters: str = ""
    feedback: tuple[str, ...] = ()
    rtx: int | None = None


def common_formats(section: MediaSection) -> tuple[Format, ...]:
    """The peer's payload types that we take, in its order of preference, as we answer them."""
    payload_types = tuple(_payload_types(section))
    rtx: dict[int, int] = {}
    formats: list[Format] = []
    for payload_type in payload_types:
        rtp_map = section.rtp_maps[payload_type]
        parameters = section.parameters.get(payload_type, {})
        codec = _codec(section.kind, rtp_map, parameters)
        if codec is not None:
            told = section.feedback(payload_type)
            feedback = tuple(kind for kind in FEEDBACK if kind in told)
            formats.append(Format(payload_type, codec, _answered(codec, parameters), feedback))
        elif rtp_map.name.lower() == "rtx" and _PAYLOAD_TYPE.fullmatch(parameters.get("apt", "")):
            rtx.setdefault(int(parameters["apt"]), payload_type)
    # RFC 2198: red names the payload types of its blocks; all of them must be Opus that we took.
    opus = {str(each.payload_type) for each in formats if each.codec == OPUS}
    return tuple(
        replace(each, rtx=rtx.get(each.payload_type))
        for each in formats
        if each.codec != RED or opus.issuperset(each.parameters.split("/"))
    )


def _payload_types(section: MediaSection) -> Iterator[int]:
    for text in dict.fromkeys(section.formats):
        # RFC 5761 4: with RTCP on the same port, 64..95 would be taken for RTCP.
        if _PAYLOAD_TYPE.fullmatch(text) and not 64 <= int(text) <= 95:
            payload_type = int(text)
            if payload_type in section.rtp_maps:
                yield payload_type


def _key(codec: Codec) -> tuple[str, str, int, int]:
    return codec.kind, codec.name.lower(), codec.clock_rate, codec.channels or 1


_NAMES = {_key(codec): codec.name for codec in AUDIO_CODECS + VIDEO_CODECS}
_PLAIN_CODECS = {codec.name: codec for codec in (OPUS, RED, VP8)}


def _codec(kind: str, rtp_map: RtpMap, parameters: dict[str, str]) -> Codec | None:
    """The codec that an rtpmap and an fmtp describe; None when it is none of ours."""
    key = (kind, rtp_map.name.lower(), rtp_map.clock_rate, rtp_map.channels)
    name = _NAMES.get(key)
    if name is None:
        return None
    if name == "H264":
        return h264_codec(parameters)
    if name in _PROFILE:
        profile = (_PROFILE[name], parameters.get(_PROFILE[name], "0"))
        codec = Codec("video", name, rtp_map.clock_rate, parameters=(profile,))
        return codec if codec in VIDEO_CODECS else None
    return _PLAIN_CODECS[name]


def _answered(codec: Codec, offered: dict[str, str]) -> str:
    """Format parameters of our answer: the offer's, as far as they are ours to confirm."""
    if codec == RED:
        return next((name for name, value in offered.items() if not value), "")
    repeated = {
        name: offered[name]
        for name in _REPEATED.get(codec.name, ())
        if _PLAIN.fullmatch(offered.get(name, ""))
    }
    if codec == OPUS:
        repeated.setdefault("minptime", "10")
        # Ours say what we like to receive: what the peer says that it likes to send.
        if "1" in (offered.get("stereo"), offered.get("sprop-stereo")):
            repeated["stereo"] = "1"
    elif codec.name == "H264":
        # We decode nothing, so any level is ours: the offered one stands (RFC 6184 8.2.2).
        repeated.setdefault("profile-level-id", DEFAULT_PROFILE_LEVEL_ID)
    return ";".join(f"{name}={value}" for name, value in repeated.items())


def sendable(formats: Iterable[Format]) -> dict[Codec, int]:
    """Codec → payload type, for every stream that a receiver with these formats can take."""
    exact: dict[Codec, int] = {}
    for each in formats:
        exact.setdefault(each.codec, each.payload_type)
    payload_types = {codec: exact[codec] for codec in exact if codec.name != "H264"}
    for codec in VIDEO_CODECS if len(payload_types) < len(exact) else ():
        if codec.name == "H264":
            best = next((each for each in h264_receivers(codec) if each in exact), None)
            if best is not None:
                payload_types[codec] = exact[best]
    return payload_types


def rtx_payload_types(formats: Iterable[Format]) -> dict[int, int]:
    """Payload type → retransmission payload type."""
    return {each.payload_type: each.rtx for each in formats if each.rtx is not None}


def speaks(formats: Iterable[Format], feedback: str) -> bool:
    """Whether a kind of RTCP feedback was agreed on for any of the formats."""
    return any(feedback in each.feedback for each in formats)


def _audio(payload_type: int, codec: Codec, parameters: str) -> Format:
    return Format(payload_type, codec, parameters, ("transport-cc", "nack"))


def _video(payload_type: int, codec: Codec, parameters: str = "", *, rtx: int) -> Format:
    return Format(payload_type, codec, parameters, FEEDBACK, rtx)


def _h264(payload_type: int, profile_level_id: str, profile: str, mode: int) -> Format:
    parameters = (
        f"level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={profile_level_id}"
    )
    return _video(payload_type, h264(profile, mode), parameters, rtx=payload_type + 1)


# What we offer to receivers, most wanted first. BUNDLE: each payload type means one thing in all
# m-lines. The numbers are those that Chrome uses where it has one.
OFFERED: dict[Kind, tuple[Format, ...]] = {
    "audio": (
        _audio(111, OPUS, "minptime=10;useinbandfec=1"),
        _audio(63, RED, "111/111"),
    ),
    "video": (
        _video(96, VP8, rtx=97),
        _video(98, VP9, "profile-id=0", rtx=99),
        _video(100, VP9_PROFILE_2, "profile-id=2", rtx=101),
        _h264(102, "42001f", "baseline", 1),
        _h264(104, "42001f", "baseline", 0),
        _h264(106, "42e01f", "constrained-baseline", 1),
        _h264(108, "42e01f", "constrained-baseline", 0),
        _h264(112, "64001f", "high", 1),
        _h264(114, "64001f", "high", 0),
        _h264(116, "640c1f", "constrained-high", 1),
        _h264(118, "640c1f", "constrained-high", 0),
        _h264(120, "4d001f", "main", 1),
        _h264(122, "4d001f", "main", 0),
        _video(45, AV1, "level-idx=5;profile=0;tier=0", rtx=46),
    ),
}
