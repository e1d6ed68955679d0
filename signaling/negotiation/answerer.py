"""The peer offers, we answer: publishers, WHIP and WHEP (RFC 8829 5.3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sfu.config import Config
from sfu.errors import RemoteError
from sfu.wire.parameters import (
    DtlsRole,
    Kind,
    ReceiveParameters,
    SendParameters,
    TransportParameters,
)
from sfu.wire.sdp import Direction, ExtMap, MediaSection, Rid, SessionDescription, parse_sdp
from signaling.negotiation import description, peer
from signaling.negotiation.codecs import Format, common_formats
from signaling.negotiation.description import LocalTransport, SendSlot
from signaling.negotiation.extensions import common_extensions, without_needless
from signaling.negotiation.simulcast import common_rids, simulcast_lines

Slots = Mapping[str, SendSlot] | Callable[[MediaSection], SendSlot | None]

# The offer's setup → ours, and the DTLS role that we take with it (RFC 5763 5). With a choice we
# wait: the client is the one that knows when the path works.
_SETUP: dict[str, tuple[str, DtlsRole]] = {
    "actpass": ("passive", "server"),
    "active": ("passive", "server"),
    "": ("passive", "server"),  # RFC 4145 4: an offer without setup is active
    "passive": ("active", "client"),
}
_DIRECTION: dict[tuple[bool, bool], Direction] = {
    (True, True): "sendrecv",
    (True, False): "sendonly",
    (False, True): "recvonly",
    (False, False): "inactive",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What was agreed on.

    Attributes:
        sdp: Our answer.
        transport: The peer's end.
        receive: The m-lines on which the peer will send.
        send: The m-lines on which we will send: those that got a slot.
        data_channel: Whether data channels were accepted.
    """

    sdp: str
    transport: TransportParameters
    receive: tuple[ReceiveParameters, ...] = ()
    send: tuple[SendParameters, ...] = ()
    data_channel: bool = False


@dataclass(frozen=True, slots=True)
class _Media:
    """An audio or video m-line that we accept."""

    section: MediaSection
    kind: Kind
    formats: tuple[Format, ...]
    extensions: tuple[ExtMap, ...]
    rids: tuple[Rid, ...]
    receive: bool
    slot: SendSlot | None


def answer(
    offer: SessionDescription | str,
    local: LocalTransport,
    *,
    receive: bool,
    slots: Slots,
    data: bool,
    config: Config,
    session_id: int = 1,
) -> Answer:
    """Answer an offer: each of its m-lines in its place, accepted or rejected.

    Nothing is remembered between offers: an m-line that the peer recycled is one like any other.

    Args:
        offer: The peer's description.
        local: Our end of the transport.
        receive: Whether the peer may publish.
        slots: What to send on each m-line on which the peer wants to receive: by mid, or asked for
            in the order of the m-lines, only for lines whose codecs we share.
        data: Whether to accept data channels.
        config: For its bounds.
        session_id: Our id in the `o=` line; its version follows the offer's.

    Raises:
        ParseError: The offer is malformed.
        RemoteError: "negotiation_failed" when it lacks what WebRTC needs (BUNDLE, rtcp-mux, ICE
            credentials, a fingerprint); "codec_unsupported" when no m-line could be accepted.
    """
    if isinstance(offer, str):
        offer = parse_sdp(
            offer, max_size=config.max_sdp_size, max_media_sections=config.max_media_sections
        )
    peer.require_full_ice(offer)
    bundled = _bundled(offer)
    tagged = next(iter(bundled.values()))
    if tagged.setup not in _SETUP:
        raise peer.failed("The offer puts the connection on hold (a=setup:holdconn).")
    setup, role = _SETUP[tagged.setup]

    media: dict[str, _Media] = {}
    channel: MediaSection | None = None
    lookup = slots if callable(slots) else lambda section: slots.get(section.mid)
    for section in (each for each in offer.media if each.mid in bundled):
        agreed = _media(section, receive=receive, slots=lookup)
        if agreed is not None:
            media[section.mid] = agreed
        elif data and channel is None and _is_data_channel(section):
            channel = section
    accepted = [mid for mid in bundled if mid in media or bundled[mid] is channel]
    if not accepted:
        raise RemoteError("The offer has no media that we support.", name="codec_unsupported")

    lines = description.session_lines(
        session_id=session_id,
        session_version=offer.version,
        bundle=accepted,
        mixed=offer.mixed,
    )
    for section in offer.media:
        on = section.mid in accepted
        # RFC 9143 6: a bundle-only line has port 0 in the offer, not in the answer.
        lines += description.media_line(
            section.kind, 9 if on else 0, section.protocol, _formats(section, media), section.mid
        )
        lines += description.transport_lines(local, setup=setup, candidates=on)
        if on and section is channel:
            lines += description.data_channel_lines()
        elif on:
            lines += _rtp_lines(media[section.mid], mixed=not offer.mixed)
        else:
            # The transport lines and rtcp-mux mean nothing here; aiortc insists on them.
            lines += ["a=inactive", "a=rtcp-mux"]
    return Answer(
        description.text(lines),
        peer.transport_parameters(tagged, role, channel),
        tuple(
            peer.receive_parameters(
                each.section, each.kind, each.formats, each.extensions, each.rids
            )
            for each in media.values()
            if each.receive
        ),
        tuple(
            peer.send_parameters(each.section, each.kind, each.formats, each.extensions)
            for each in media.values()
            if each.slot is not None
        ),
        channel is not None,
    )


def _bundled(offer: SessionDescription) -> dict[str, MediaSection]:
    """Mid → living m-section of the BUNDLE group, the one that speaks for the group first."""
    if offer.bundle is None:
        raise peer.failed("The offer does not bundle its media on one transport (a=group:BUNDLE).")
    sections = {each.mid: each for each in offer.media if each.mid and not each.rejected}
    bundled = {mid: sections[mid] for mid in offer.bundle if mid in sections}
    if not bundled:
        raise peer.failed("The offer has no m-line that is on and bundled.")
    return bundled


def _media(
    section: MediaSection, *, receive: bool, slots: Callable[[MediaSection], SendSlot | None]
) -> _Media | None:
    kind = peer.kind(section)
    if kind is None:
        return None
    if not section.rtcp_mux:
        raise peer.failed("The offer does not multiplex RTP and RTCP (a=rtcp-mux).")
    formats = common_formats(section)
    if not formats:
        return None
    slot = slots(section) if section.direction in ("recvonly", "sendrecv") else None
    receive = receive and section.direction in ("sendonly", "sendrecv")
    extensions = common_extensions(section, kind)
    if slot is None:
        extensions = without_needless(extensions, formats)
    rids = common_rids(section, formats, extensions) if receive else ()
    return _Media(section, kind, formats, extensions, rids, receive, slot)


def _is_data_channel(section: MediaSection) -> bool:
    return (
        section.kind == "application"
        and section.protocol in description.DATA_CHANNEL_PROTOCOLS
        and section.formats == (description.DATA_CHANNEL_FORMAT,)
        and section.sctp_port is not None
    )


def _formats(section: MediaSection, media: Mapping[str, _Media]) -> list[str]:
    agreed = media.get(section.mid)
    if agreed is None:
        return list(section.formats)
    return [str(payload_type) for payload_type in description.payload_types(agreed.formats)]


def _rtp_lines(agreed: _Media, *, mixed: bool) -> list[str]:
    section = agreed.section
    lines = description.rtp_lines(
        direction=_DIRECTION[agreed.slot is not None, agreed.receive],
        formats=agreed.formats,
        extensions=agreed.extensions,
        reduced_size=section.rtcp_reduced_size,
        mixed=mixed and section.extmap_allow_mixed,
        slot=agreed.slot,
    )
    return lines + simulcast_lines(agreed.rids)
