"""What the peer's description says about its end: the transport, what it sends, what it takes."""

from collections.abc import Collection, Sequence

from sfu.errors import RemoteError
from sfu.wire.parameters import (
    DtlsRole,
    Extension,
    Kind,
    ReceiveParameters,
    SendParameters,
    TransportParameters,
)
from sfu.wire.sdp import ExtMap, MediaSection, Rid, SessionDescription
from signaling.negotiation import codecs, extensions
from signaling.negotiation.codecs import Format

_HASHES = ("sha-256", "sha-384", "sha-512")  # RFC 8122 5 has weaker ones; no browser uses them
_ANY_SIZE = 0x7FFFFFFF  # RFC 8841 6: a max-message-size of 0 is no bound


# RFC 8829 5.1.2: whatever of these an m-line says, it means DTLS-SRTP.
_RTP_PROTOCOLS = (
    "UDP/TLS/RTP/SAVPF",
    "UDP/TLS/RTP/SAVP",
    "TCP/DTLS/RTP/SAVPF",
    "TCP/DTLS/RTP/SAVP",
    "RTP/SAVPF",
    "RTP/SAVP",
)


def kind(section: MediaSection) -> Kind | None:
    """The kind of RTP media that the m-section is about; None when it is about something else."""
    if section.protocol not in _RTP_PROTOCOLS:
        return None
    if section.kind == "audio":
        return "audio"
    return "video" if section.kind == "video" else None


def failed(sentence: str) -> RemoteError:
    """The error of a description that cannot be agreed to."""
    return RemoteError(sentence, name="negotiation_failed")


def require_full_ice(described: SessionDescription) -> None:
    """Refuse an ICE-lite peer.

    Raises:
        RemoteError: Nobody would begin the connectivity checks (RFC 8445 6.1.1).
    """
    if described.ice_lite:
        raise failed("Both ends are ICE-lite agents; one of them has to be a full one.")


def transport_parameters(
    tagged: MediaSection, role: DtlsRole, data: MediaSection | None
) -> TransportParameters:
    """The peer's end of the transport, from the m-section that speaks for the BUNDLE group.

    Raises:
        RemoteError: Without ICE credentials or a fingerprint.
    """
    if tagged.ice is None:
        raise failed("The description has no ICE credentials (a=ice-ufrag and a=ice-pwd).")
    if not any(each.algorithm in _HASHES for each in tagged.fingerprints):
        raise failed("The description has no certificate fingerprint (a=fingerprint, SHA-256).")
    if data is None:
        return TransportParameters(tagged.ice, tagged.fingerprints, role)
    return TransportParameters(
        tagged.ice,
        tagged.fingerprints,
        role,
        sctp_port=data.sctp_port,
        max_message_size=data.max_message_size or _ANY_SIZE,
    )


def receive_parameters(
    section: MediaSection,
    kind: Kind,
    formats: Sequence[Format],
    agreed: tuple[ExtMap, ...],
    rids: Sequence[Rid],
) -> ReceiveParameters:
    """What the peer will send on one m-line."""
    incoming = extensions.received(agreed)
    rtx_ssrcs: dict[int, int] = {}
    secondary: set[int] = set()
    for group in section.ssrc_groups:
        if group.semantics == "FID" and len(group.ssrcs) == 2:
            rtx_ssrcs[group.ssrcs[1]] = group.ssrcs[0]
        if group.semantics in ("FID", "FEC-FR", "FEC"):
            secondary.update(group.ssrcs[1:])
    return ReceiveParameters(
        mid=section.mid,
        kind=kind,
        codecs={each.payload_type: each.codec for each in formats},
        rtx={each.rtx: each.payload_type for each in formats if each.rtx is not None},
        extensions=incoming,
        ssrcs=tuple(ssrc for ssrc in section.sources if ssrc not in secondary),
        rtx_ssrcs=rtx_ssrcs,
        rids=tuple(rid.id for rid in rids),
        nack=codecs.speaks(formats, "nack"),
        pli=codecs.speaks(formats, "nack pli"),
        fir=codecs.speaks(formats, "ccm fir"),
        transport_cc=_transport_cc(formats, incoming.values()),
        remb=codecs.speaks(formats, "goog-remb"),
        cname=next((each["cname"] for each in section.sources.values() if "cname" in each), ""),
    )


def send_parameters(
    section: MediaSection, kind: Kind, formats: Sequence[Format], agreed: tuple[ExtMap, ...]
) -> SendParameters:
    """What the peer takes on one m-line."""
    outgoing = extensions.sent(agreed)
    return SendParameters(
        mid=section.mid,
        kind=kind,
        payload_types=codecs.sendable(formats),
        rtx=codecs.rtx_payload_types(formats),
        extensions=outgoing,
        mixed=section.extmap_allow_mixed,
        nack=codecs.speaks(formats, "nack"),
        transport_cc=_transport_cc(formats, outgoing),
        remb=codecs.speaks(formats, "goog-remb"),
    )


def _transport_cc(formats: Sequence[Format], uris: Collection[str]) -> bool:
    """Transport-wide feedback is about the numbers that its header extension carries."""
    told = codecs.speaks(formats, "transport-cc")
    return told and Extension.TRANSPORT_SEQUENCE_NUMBER in uris
