"""RTP header extensions (RFC 8285): those of the peer that we take, and those that we offer."""

from collections.abc import Sequence

from sfu.wire.parameters import Extension, Kind
from sfu.wire.sdp import Direction, ExtMap, MediaSection
from signaling.negotiation.codecs import Format

# What we read from publishers, and repair or make for subscribers.
SUPPORTED: dict[Kind, tuple[str, ...]] = {
    "audio": (
        Extension.MID,
        Extension.AUDIO_LEVEL,
        Extension.ABS_SEND_TIME,
        Extension.TRANSPORT_SEQUENCE_NUMBER,
    ),
    "video": (
        Extension.MID,
        Extension.RID,
        Extension.REPAIRED_RID,
        Extension.ABS_SEND_TIME,
        Extension.TRANSPORT_SEQUENCE_NUMBER,
        Extension.VIDEO_ORIENTATION,
        Extension.PLAYOUT_DELAY,
        Extension.DEPENDENCY_DESCRIPTOR,
    ),
}
# RIDs are for what comes in: a subscriber gets one layer on one SSRC.
_NOT_SENT = (Extension.RID, Extension.REPAIRED_RID)
# Codecs whose own payload descriptors tell pictures and layers.
_SELF_DESCRIBING = ("VP8", "VP9")

# URI → id in all our offers. BUNDLE wants one meaning per id; these are Chrome's, below 15 so that
# one-byte headers do.
OFFERED_IDS = {
    Extension.AUDIO_LEVEL: 1,
    Extension.ABS_SEND_TIME: 2,
    Extension.TRANSPORT_SEQUENCE_NUMBER: 3,
    Extension.MID: 4,
    Extension.PLAYOUT_DELAY: 5,
    Extension.DEPENDENCY_DESCRIPTOR: 9,
    Extension.VIDEO_ORIENTATION: 13,
}

_REVERSE: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}


def common_extensions(section: MediaSection, kind: Kind) -> tuple[ExtMap, ...]:
    """The peer's header extensions that we take, with its ids, as we answer them."""
    supported = SUPPORTED[kind]
    taken: dict[str, ExtMap] = {}
    ids: set[int] = set()
    for each in section.extensions:
        # RFC 8285 5: ids of 4096 and up only reserve a place in an offer that has too many.
        if each.uri in supported and each.uri not in taken and each.id < 256:
            if each.direction == "inactive" or each.id in ids:
                continue
            ids.add(each.id)
            taken[each.uri] = ExtMap(each.id, each.uri, _REVERSE[each.direction])
    return tuple(taken.values())


def without_needless(
    extensions: tuple[ExtMap, ...], formats: Sequence[Format]
) -> tuple[ExtMap, ...]:
    """What to answer to a publisher that prefers the first of these formats.

    Where dependency descriptors are agreed on, Chromium leaves picture ids and layers out of VP8's
    payload, and there is a descriptor to rewrite for each subscriber in place of two numbers.
    """
    if not formats or formats[0].codec.name not in _SELF_DESCRIBING:
        return extensions
    return tuple(each for each in extensions if each.uri != Extension.DEPENDENCY_DESCRIPTOR)


def received(extensions: tuple[ExtMap, ...]) -> dict[int, str]:
    """Id → URI of what the peer may send, from an answer of ours."""
    return {each.id: each.uri for each in extensions if each.direction != "sendonly"}


def sent(extensions: tuple[ExtMap, ...]) -> dict[str, int]:
    """URI → id of what we may send, from an answer of ours."""
    return {
        each.uri: each.id
        for each in extensions
        if each.direction != "recvonly" and each.uri not in _NOT_SENT
    }


def offered_extensions(kind: Kind) -> tuple[ExtMap, ...]:
    """What stands in our offers for one kind of media."""
    return tuple(
        ExtMap(number, uri) for uri, number in OFFERED_IDS.items() if uri in SUPPORTED[kind]
    )
