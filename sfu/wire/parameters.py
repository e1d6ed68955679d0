"""What two ends agree on, as values: codecs, header extensions, ICE, DTLS and RTP parameters.

SDP is one way to write these down (`sfu.wire.sdp`); nothing below signaling knows of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["audio", "video"]
DtlsRole = Literal["client", "server"]


@dataclass(frozen=True, slots=True)
class Codec:
    """One way to encode media, told apart as far as a decoder must tell it apart.

    Two streams of equal `Codec` can be forwarded to each other's receivers. What does not matter
    for that (H.264 level, Opus in-band FEC or DTX) is not in here but in the negotiation.

    Attributes:
        kind: "audio" or "video".
        name: Encoding name as registered, upper or mixed case as its RFC writes it: "opus", "red",
            "VP8", "VP9", "H264", "AV1".
        clock_rate: RTP clock in Hz.
        channels: Number of audio channels, 0 for video.
        parameters: The format parameters that tell variants apart, sorted by name.
    """

    kind: Kind
    name: str
    clock_rate: int
    channels: int = 0
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def mime_type(self) -> str:
        """For example "video/VP8"."""
        return f"{self.kind}/{self.name}"


OPUS = Codec("audio", "opus", 48000, 2)
RED = Codec("audio", "red", 48000, 2)
VP8 = Codec("video", "VP8", 90000)
VP9 = Codec("video", "VP9", 90000, parameters=(("profile-id", "0"),))
VP9_PROFILE_2 = Codec("video", "VP9", 90000, parameters=(("profile-id", "2"),))
AV1 = Codec("video", "AV1", 90000, parameters=(("profile", "0"),))


def h264(profile: str, packetization_mode: int) -> Codec:
    """The H.264 variant with this profile name and packetization mode (RFC 6184 8.1).

    Args:
        profile: "constrained-baseline", "baseline", "main", "constrained-high" or "high".
        packetization_mode: 0 or 1.
    """
    return Codec(
        "video",
        "H264",
        90000,
        parameters=(("packetization-mode", str(packetization_mode)), ("profile", profile)),
    )


H264_PROFILES = ("constrained-baseline", "baseline", "main", "constrained-high", "high")
VIDEO_CODECS: tuple[Codec, ...] = (
    VP8,
    VP9,
    VP9_PROFILE_2,
    *(h264(profile, mode) for profile in H264_PROFILES for mode in (1, 0)),
    AV1,
)
AUDIO_CODECS: tuple[Codec, ...] = (OPUS, RED)


class Extension:
    """URIs of the RTP header extensions that we know (RFC 8285 names an extension by its URI)."""

    MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
    RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
    AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    TRANSPORT_SEQUENCE_NUMBER = (
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    )
    VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
    PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
    DEPENDENCY_DESCRIPTOR = (
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
    )


@dataclass(frozen=True, slots=True)
class IceParameters:
    """ICE user name fragment and password of one side (RFC 8445 5.3)."""

    username_fragment: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Hash of a certificate (RFC 8122): algorithm in lower case, value as "AB:CD:…"."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class TransportParameters:
    """What the peer told about its end of the transport.

    Attributes:
        ice: Its user name fragment and password.
        fingerprints: Of its certificate; at least one of an algorithm that we know must match,
            and all of those that we know.
        dtls_role: The role that *we* take.
        sctp_port: Its SCTP port where data channels were negotiated (RFC 8841), else None.
        max_message_size: The largest data-channel message that it takes, bytes.
    """

    ice: IceParameters
    fingerprints: tuple[Fingerprint, ...]
    dtls_role: DtlsRole
    sctp_port: int | None = None
    max_message_size: int = 65536


@dataclass(frozen=True, slots=True)
class ReceiveParameters:
    """One m-line on which the peer sends to us.

    Attributes:
        mid: Its identification (RFC 8843).
        kind: "audio" or "video".
        codecs: Payload type → codec, without retransmission formats.
        rtx: Retransmission payload type → the payload type that it repairs (RFC 4588).
        extensions: Header extension id → URI.
        ssrcs: SSRCs told in the description, primaries only; may be empty.
        rtx_ssrcs: Retransmission SSRC → primary SSRC, from ssrc-group FID.
        rids: Simulcast RIDs accepted, in the peer's order; empty without simulcast.
        nack: Whether the peer answers generic NACKs.
        pli: Whether it answers PLI.
        fir: Whether it answers FIR.
        transport_cc: Whether it wants transport-wide feedback.
        remb: Whether it wants REMB.
        cname: RTCP canonical name where told.
    """

    mid: str
    kind: Kind
    codecs: Mapping[int, Codec]
    rtx: Mapping[int, int] = field(default_factory=dict)
    extensions: Mapping[int, str] = field(default_factory=dict)
    ssrcs: tuple[int, ...] = ()
    rtx_ssrcs: Mapping[int, int] = field(default_factory=dict)
    rids: tuple[str, ...] = ()
    nack: bool = False
    pli: bool = False
    fir: bool = False
    transport_cc: bool = False
    remb: bool = False
    cname: str = ""


@dataclass(frozen=True, slots=True)
class SendParameters:
    """One m-line on which we send to the peer.

    Attributes:
        mid: Its identification.
        kind: "audio" or "video".
        payload_types: Codec → payload type, for every codec that the peer can take, including those
            that it can take under another's payload type (H.264 constrained baseline as main).
        rtx: Payload type → retransmission payload type.
        extensions: Header extension URI → id.
        mixed: Whether two-byte header extensions may be sent (RFC 8285 extmap-allow-mixed).
        nack: Whether the peer sends generic NACKs.
        transport_cc: Whether it sends transport-wide feedback.
        remb: Whether it sends REMB.
    """

    mid: str
    kind: Kind
    payload_types: Mapping[Codec, int]
    rtx: Mapping[int, int] = field(default_factory=dict)
    extensions: Mapping[str, int] = field(default_factory=dict)
    mixed: bool = False
    nack: bool = False
    transport_cc: bool = False
    remb: bool = False
