"""Writing our side of a session description: the parts that offers and answers share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sfu.wire.parameters import Codec, Fingerprint, IceParameters
from sfu.wire.sdp import Direction, ExtMap
from signaling.negotiation.candidates import IceCandidate
from signaling.negotiation.codecs import Format

DATA_CHANNEL_PROTOCOLS = ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP")
DATA_CHANNEL_FORMAT = "webrtc-datachannel"
SCTP_PORT = 5000
MAX_MESSAGE_SIZE = 262_144  # bytes of a data-channel message; what browsers say too


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """Our end of a transport, as the peer must know it.

    We are an ICE-lite agent: all candidates are known at once and never change.
    """

    ice: IceParameters
    fingerprints: tuple[Fingerprint, ...]
    candidates: tuple[IceCandidate, ...]


@dataclass(frozen=True, slots=True)
class SendSlot:
    """What we send on one m-line.

    Attributes:
        stream_id: First half of `a=msid`: what plays together.
        track_id: Second half.
        ssrc: Of the media.
        rtx_ssrc: Of its retransmissions; told only where the peer takes them. None without.
        cname: RTCP canonical name.
    """

    stream_id: str
    track_id: str
    ssrc: int
    rtx_ssrc: int | None = None
    cname: str = ""


def session_lines(
    *, session_id: int, session_version: int, bundle: Iterable[str], mixed: bool
) -> list[str]:
    """The lines above the first m-line."""
    lines = [
        "v=0",
        f"o=- {session_id} {session_version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        " ".join(("a=group:BUNDLE", *bundle)),
        "a=msid-semantic:WMS *",
    ]
    if mixed:
        lines.append("a=extmap-allow-mixed")
    return lines


def transport_lines(local: LocalTransport, *, setup: str, candidates: bool) -> list[str]:
    """ICE and DTLS lines of one m-section.

    All m-sections carry the credentials, though BUNDLE asks for them in the first alone (RFC 9143
    7.1.3): aiortc wants them in each, rejected ones too. All living ones carry the candidates: of
    the m-sections that share a transport already, aiortc reads those of the last.
    """
    lines = [
        f"a=ice-ufrag:{local.ice.username_fragment}",
        f"a=ice-pwd:{local.ice.password}",
        "a=ice-options:ice2",
    ]
    lines += [f"a=fingerprint:{each.algorithm} {each.value}" for each in local.fingerprints]
    lines.append(f"a=setup:{setup}")
    if candidates:
        lines += [f"a={candidate.to_sdp()}" for candidate in local.candidates]
        lines.append("a=end-of-candidates")
    return lines


def media_line(
    kind: str, port: int, protocol: str, formats: Iterable[int | str], mid: str
) -> list[str]:
    """The m-line and what stands right under it."""
    lines = [" ".join((f"m={kind} {port} {protocol}", *map(str, formats))), "c=IN IP4 0.0.0.0"]
    return [*lines, f"a=mid:{mid}"] if mid else lines


def rtp_lines(
    *,
    direction: Direction,
    formats: Sequence[Format],
    extensions: Iterable[ExtMap],
    reduced_size: bool,
    mixed: bool,
    slot: SendSlot | None,
) -> list[str]:
    """All that an audio or video m-section says about RTP."""
    lines = [f"a={direction}", "a=rtcp-mux"]
    if reduced_size:
        lines.append("a=rtcp-rsize")
    if mixed:
        lines.append("a=extmap-allow-mixed")
    for extension in extensions:
        way = "" if extension.direction == "sendrecv" else f"/{extension.direction}"
        lines.append(f"a=extmap:{extension.id}{way} {extension.uri}")
    for each in formats:
        lines += _format_lines(each)
    if slot is not None:
        lines += _source_lines(slot, rtx=any(each.rtx is not None for each in formats))
    return lines


def payload_types(formats: Iterable[Format]) -> list[int]:
    """Payload types for the m-line: each before its retransmissions."""
    numbers: list[int] = []
    for each in formats:
        numbers.append(each.payload_type)
        if each.rtx is not None:
            numbers.append(each.rtx)
    return numbers


def _encoding(codec: Codec) -> str:
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    return f"{codec.name}/{codec.clock_rate}{channels}"


def _format_lines(each: Format) -> list[str]:
    number = each.payload_type
    lines = [f"a=rtpmap:{number} {_encoding(each.codec)}"]
    lines += [f"a=rtcp-fb:{number} {feedback}" for feedback in each.feedback]
    if each.parameters:
        lines.append(f"a=fmtp:{number} {each.parameters}")
    if each.rtx is not None:
        lines.append(f"a=rtpmap:{each.rtx} rtx/{each.codec.clock_rate}")
        lines.append(f"a=fmtp:{each.rtx} apt={number}")
    return lines


def _source_lines(slot: SendSlot, *, rtx: bool) -> list[str]:
    msid = f"{slot.stream_id or '-'} {slot.track_id}"
    lines = [f"a=msid:{msid}"]
    ssrcs = [slot.ssrc]
    if rtx and slot.rtx_ssrc is not None:
        ssrcs.append(slot.rtx_ssrc)
        lines.append(f"a=ssrc-group:FID {slot.ssrc} {slot.rtx_ssrc}")
    for ssrc in ssrcs:
        lines += [f"a=ssrc:{ssrc} cname:{slot.cname or '-'}", f"a=ssrc:{ssrc} msid:{msid}"]
    return lines


def data_channel_lines() -> list[str]:
    """What a data-channel m-section says about SCTP (RFC 8841)."""
    return [f"a=sctp-port:{SCTP_PORT}", f"a=max-message-size:{MAX_MESSAGE_SIZE}"]


def text(lines: Iterable[str]) -> str:
    """Lines as a description: each ends in CRLF (RFC 8866 5)."""
    return "".join(f"{line}\r\n" for line in lines)
