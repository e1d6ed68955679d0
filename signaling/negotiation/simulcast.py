"""Simulcast (RFC 8853): which of a publisher's streams we take, and how the answer says so."""

import re
from collections.abc import Iterable, Sequence

from sfu.wire.extensions import MAX_IDENTIFICATION_SIZE
from sfu.wire.parameters import Extension
from sfu.wire.sdp import ExtMap, MediaSection, Rid
from signaling.negotiation.codecs import Format
from signaling.negotiation.extensions import received

MAX_LAYERS = 3  # what browsers send at most, and what there are good bit rates for

_IDENTIFIER = re.compile(rf"[0-9A-Za-z_-]{{1,{MAX_IDENTIFICATION_SIZE}}}")  # RFC 8851 10
# RFC 8851 5: bounds that the sender sets itself, and that we need not understand to agree to.
_BOUNDS = frozenset(
    {"max-width", "max-height", "max-fps", "max-fs", "max-br", "max-pps", "max-bpp"}
)
_BOUND = re.compile(r"[0-9]{1,10}(\.[0-9]{1,10})?")


def common_rids(
    section: MediaSection, formats: Iterable[Format], extensions: tuple[ExtMap, ...]
) -> tuple[Rid, ...]:
    """The peer's streams that we take, in its order, as we answer them; empty without simulcast.

    Of a stream that comes in alternatives we take the first that we can. A stream that says more
    than we know about itself is declined (RFC 8851 6.2.2), as is what goes beyond `MAX_LAYERS`.

    Args:
        section: A video m-line on which the peer may send.
        formats: Those that were agreed on.
        extensions: Those that were agreed on: packets have to name their stream.
    """
    if Extension.RID not in received(extensions).values():
        return ()
    payload_types = {str(each.payload_type) for each in formats}
    described: dict[str, Rid] = {}
    for rid in section.rids:
        if rid.direction == "send":
            described.setdefault(rid.id, rid)
    taken: dict[str, Rid] = {}
    for alternatives in section.simulcast:
        for identifier in alternatives:
            offered = described.get(identifier)
            answered = offered and _answered(offered, payload_types)
            if answered and identifier not in taken:
                taken[identifier] = answered
                break
    return tuple(taken.values())[:MAX_LAYERS]


def _answered(rid: Rid, payload_types: set[str]) -> Rid | None:
    """The peer's stream as we take it, restricted no less (RFC 8851 6.3); None to decline it."""
    if not _IDENTIFIER.fullmatch(rid.id):
        return None
    restrictions = []
    for name, value in rid.restrictions:
        if name == "pt":
            value = ",".join(number for number in value.split(",") if number in payload_types)
            if not value:
                return None
        elif name not in _BOUNDS or not _BOUND.fullmatch(value):
            return None
        restrictions.append((name, value))
    return Rid(rid.id, "recv", tuple(restrictions))


def simulcast_lines(rids: Sequence[Rid]) -> list[str]:
    """What an m-section of our answer says about the streams that we take."""
    if not rids:
        return []
    lines = []
    for rid in rids:
        restrictions = ";".join(f"{name}={value}" for name, value in rid.restrictions)
        lines.append(f"a=rid:{rid.id} {rid.direction} {restrictions}".rstrip())
    return [*lines, "a=simulcast:recv " + ";".join(rid.id for rid in rids)]
