"""H.264 profiles as negotiation sees them (RFC 6184 8.1, table 5)."""

import re
from collections.abc import Iterator

from sfu.wire.parameters import Codec, h264

# What libwebrtc assumes without the parameter; RFC 6184 would have 42000A, which no one sends.
DEFAULT_PROFILE_LEVEL_ID = "42e01f"

# profile_idc, constraint flags, level_idc. FFmpeg writes its own flag for "constrained", 0x200, as
# if it were the second of these bytes.
_PROFILE_LEVEL_ID = re.compile("([0-9a-f]{2})(200|[0-9a-f]{2})([0-9a-f]{2})")
_CONSTRAINT_SET_0 = 0x80
_CONSTRAINT_SET_1 = 0x40
_CONSTRAINT_SETS_4_AND_5 = 0x0C

# Stream profile → receivers that can decode it, best first. The encoders of WebRTC that say
# "baseline" use none of what is not constrained baseline (FMO, ASO), and Chrome puts it first.
_DECODABLE_AS = {
    "constrained-baseline": (
        "constrained-baseline",
        "baseline",
        "main",
        "constrained-high",
        "high",
    ),
    "baseline": ("baseline", "constrained-baseline", "main", "constrained-high", "high"),
    "main": ("main", "high"),
    "constrained-high": ("constrained-high", "high"),
    "high": ("high",),
}


def h264_profile(profile_level_id: str) -> str | None:
    """Name of the profile in a profile-level-id; None for one that we do not know."""
    match = _PROFILE_LEVEL_ID.fullmatch(profile_level_id.lower())
    if match is None:
        return None
    profile_idc = int(match[1], 16)
    constraints = _CONSTRAINT_SET_1 if match[2] == "200" else int(match[2], 16)
    set_0, set_1 = constraints & _CONSTRAINT_SET_0, constraints & _CONSTRAINT_SET_1
    if profile_idc == 0x42:
        return "constrained-baseline" if set_1 else "baseline"
    if profile_idc == 0x4D:
        return "constrained-baseline" if set_0 else "main"
    if profile_idc == 0x58 and set_0:
        return "constrained-baseline" if set_1 else "baseline"
    if profile_idc == 0x64:
        constrained = constraints & _CONSTRAINT_SETS_4_AND_5 == _CONSTRAINT_SETS_4_AND_5
        return "constrained-high" if constrained else "high"
    return None


def h264_codec(parameters: dict[str, str]) -> Codec | None:
    """The variant that these format parameters describe; None for one that we do not know."""
    profile = h264_profile(parameters.get("profile-level-id", DEFAULT_PROFILE_LEVEL_ID))
    mode = parameters.get("packetization-mode", "0")
    if profile is None or mode not in ("0", "1"):  # mode 2 interleaves; nobody offers it
        return None
    return h264(profile, int(mode))


def h264_receivers(stream: Codec) -> Iterator[Codec]:
    """Variants whose receivers can take this stream, best first; the stream's own comes first.

    A receiver of packetization mode 1 takes all that mode 0 may send (RFC 6184 6.3), not the other
    way round.
    """
    parameters = dict(stream.parameters)
    modes = (0, 1) if parameters["packetization-mode"] == "0" else (1,)
    for profile in _DECODABLE_AS[parameters["profile"]]:
        for mode in modes:
            yield h264(profile, mode)
