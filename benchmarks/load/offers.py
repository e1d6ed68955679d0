"""Session descriptions that the tester writes: its offers, and its answers to others'."""

from collections.abc import Iterable, Sequence

from benchmarks.load.description import Line, LocalEnd, agreed_line, kind
from sfu.wire.parameters import Extension
from sfu.wire.sdp import SessionDescription

_PAYLOAD_TYPES = {"opus": 111, "vp8": 96, "h264": 102}
_RTX = {"vp8": 97, "h264": 103}
_H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
_ENCODINGS = {"opus": "opus/48000/2", "vp8": "VP8/90000", "h264": "H264/90000"}
_PARAMETERS = {"opus": "minptime=10;useinbandfec=1", "h264": _H264}
_TRANSPORT_ID, _MID_ID, _RID_ID = 3, 4, 10


def offer(lines: Iterable[Line], local: LocalEnd, *, transport_feedback: bool = False) -> str:
    """Write an offer.

    Args:
        lines: Its m-lines.
        local: Our end of the transport.
        transport_feedback: Whether to ask for transport-wide numbers, and to report on them.
    """
    lines = tuple(lines)
    text = _session(local, [line.mid for line in lines], "actpass")
    for line in lines:
        formats: list[int] = []
        for codec in line.codecs:
            formats += [_PAYLOAD_TYPES[codec], *_rtx_of(codec)]
        text += _media(kind(line.codecs[0]), formats, line.mid, line.direction)
        for codec in line.codecs:
            rtx = _RTX.get(codec)
            text += _format(codec, _PAYLOAD_TYPES[codec], rtx, reports=transport_feedback)
        if transport_feedback:
            text.append(f"a=extmap:{_TRANSPORT_ID} {Extension.TRANSPORT_SEQUENCE_NUMBER}")
        text += _sources(line)
    return _joined(text)


def answer(
    described: SessionDescription, local: LocalEnd, *, transport_feedback: bool = False
) -> str:
    """Answer an offer of the server: receive all that it sends in codecs that we know.

    Args:
        described: The offer.
        local: Our end of the transport.
        transport_feedback: Whether to report on transport-wide numbers, where they are offered.
    """
    living = [section for section in described.media if not section.rejected]
    text = _session(local, [section.mid for section in living], "active")
    for section in described.media:
        if section.kind == "application":
            text += [f"m=application 0 {section.protocol} {' '.join(section.formats)}"]
            text += ["c=IN IP4 0.0.0.0", f"a=mid:{section.mid}", "a=inactive"]
            continue
        told = agreed_line(section)
        sends = section.direction in ("sendonly", "sendrecv") and bool(told.payload_types)
        formats = []
        for payload_type in told.payload_types.values():
            formats.append(payload_type)
            if payload_type in told.rtx:
                formats.append(told.rtx[payload_type])
        if not formats:
            formats = [int(each) for each in section.formats if each.isdigit()][:1]
        text += _media(section.kind, formats, section.mid, "recvonly" if sends else "inactive")
        if section.rejected:
            text[-_MEDIA_LINES] = text[-_MEDIA_LINES].replace(" 9 ", " 0 ", 1)
        for codec, payload_type in told.payload_types.items():
            rtx = told.rtx.get(payload_type)
            text += _format(codec, payload_type, rtx, reports=transport_feedback)
        number = told.extensions.get(Extension.TRANSPORT_SEQUENCE_NUMBER)
        if transport_feedback and number:
            text.append(f"a=extmap:{number} {Extension.TRANSPORT_SEQUENCE_NUMBER}")
    return _joined(text)


def _session(local: LocalEnd, mids: Sequence[str], setup: str) -> list[str]:
    return [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(mids)}",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS *",
        f"a=ice-ufrag:{local.ice.username_fragment}",
        f"a=ice-pwd:{local.ice.password}",
        f"a=fingerprint:{local.fingerprint.algorithm} {local.fingerprint.value}",
        f"a=setup:{setup}",
    ]


_MEDIA_LINES = 6


def _media(kind: str, formats: Sequence[int], mid: str, direction: str) -> list[str]:
    return [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, formats))}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{mid}",
        f"a={direction}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
    ]


def _rtx_of(codec: str) -> list[int]:
    return [_RTX[codec]] if codec in _RTX else []


def _format(codec: str, payload_type: int, rtx: int | None, *, reports: bool) -> list[str]:
    lines = [f"a=rtpmap:{payload_type} {_ENCODINGS[codec]}"]
    if codec in _PARAMETERS:
        lines.append(f"a=fmtp:{payload_type} {_PARAMETERS[codec]}")
    if kind(codec) == "video":
        lines += [f"a=rtcp-fb:{payload_type} {each}" for each in ("nack", "nack pli", "ccm fir")]
    if reports:
        lines.append(f"a=rtcp-fb:{payload_type} transport-cc")
    if rtx is not None:
        lines += [f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={payload_type}"]
    return lines


def _sources(line: Line) -> list[str]:
    if line.direction != "sendonly":
        return []
    lines = [f"a=msid:{line.cname or '-'} {line.cname}-{line.mid}"]
    if line.rids:
        lines += [f"a=extmap:{_MID_ID} {Extension.MID}", f"a=extmap:{_RID_ID} {Extension.RID}"]
        lines += [f"a=rid:{rid} send" for rid in line.rids]
        return [*lines, f"a=simulcast:send {';'.join(line.rids)}"]
    if line.rtx_ssrc:
        lines.append(f"a=ssrc-group:FID {line.ssrc} {line.rtx_ssrc}")
    ssrcs = [line.ssrc, line.rtx_ssrc] if line.rtx_ssrc else [line.ssrc]
    return lines + [f"a=ssrc:{ssrc} cname:{line.cname}" for ssrc in ssrcs]


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
