"""What the parts of the recorder hand to each other.

    RecordedPacket, Reference        what a tap in the server sends of a track
    EncodedFrame, Gap                what a track's reader makes of them
    ParticipantInfo, TrackInfo       who and what is recorded
    RecordingRequest                 what somebody asked for
    RecordingStatus                  how it goes

Times are Unix seconds on the server's clock, which never steps (`sfu.stream.sender_report`), unless
they are called `now`: those are monotonic.
"""

from dataclasses import dataclass
from typing import Literal

import msgspec

from sfu.room.permissions import Source
from sfu.wire.parameters import Codec, Kind

Mode = Literal["tracks", "composite"]
Layout = Literal["grid", "speaker", "screen", "audio"]
Format = Literal["mkv", "webm", "mp4"]
State = Literal["starting", "active", "finishing", "complete", "failed"]
OutputState = Literal["connecting", "active", "reconnecting", "ended", "failed"]
Storage = Literal["local", "s3"]

ENDED: tuple[State, ...] = ("complete", "failed")


@dataclass(frozen=True, slots=True)
class RecordedPacket:
    """One RTP packet, as far as a recording needs it.

    Attributes:
        ssrc: 32 bits.
        index: Unwrapped sequence number.
        timestamp: RTP timestamp, 32 bits.
        marker: The header's bit: for video the last packet of a frame.
        key_frame: Whether a key frame begins here.
        codec: What the payload is.
        payload: Without padding; empty where there was nothing else.
        rotation: Degrees by which to turn the picture clockwise (3GPP TS 26.114 7.4.5), None where
            the packet does not say.
    """

    ssrc: int
    index: int
    timestamp: int
    marker: bool
    key_frame: bool
    codec: Codec
    payload: bytes
    rotation: int | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """The same moment of capture on two clocks.

    Attributes:
        ssrc: The stream.
        time: Unix seconds.
        timestamp: RTP timestamp.
        reported: Whether a sender report said so; else it is a guess from arrivals.
    """

    ssrc: int
    time: float
    timestamp: int
    reported: bool


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One frame as it was encoded: a picture with all its layers, or a packet of sound.

    Attributes:
        data: VP8, VP9: the frame (superframe); H.264: Annex B; AV1: a temporal unit in the
            low-overhead format; Opus: the packet.
        time: When it was captured, Unix seconds; increases from frame to frame.
        codec: What `data` is.
        key_frame: Always true for sound.
        duration: Seconds of sound; 0 for pictures, which last until the next.
        width: Pixels, known of key frames, else 0.
        height: Pixels, known of key frames, else 0.
        extradata: Of key frames, what a container's header needs: H.264 parameter sets in Annex B,
            AV1 sequence header OBU, OpusHead (RFC 7845 5.1); else empty.
        rotation: Degrees by which to turn the picture clockwise.
        discontinuity: Whether something before it was lost.
    """

    data: bytes
    time: float
    codec: Codec
    key_frame: bool
    duration: float = 0.0
    width: int = 0
    height: int = 0
    extradata: bytes = b""
    rotation: int = 0
    discontinuity: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """A time of which a track has nothing though something was sent, Unix seconds."""

    start: float
    end: float


class ParticipantInfo(msgspec.Struct, frozen=True):
    """Who is recorded."""

    sid: str
    identity: str
    name: str = ""


class TrackInfo(msgspec.Struct, frozen=True):
    """What is recorded.

    Attributes:
        sid: "TR_…".
        participant: The publisher's sid.
        identity: The publisher's.
        kind: "audio" or "video".
        source: "camera", "microphone", "screen_share", "screen_share_audio" or "unknown".
        name: Chosen by its publisher.
        muted: Whether it is muted now.
    """

    sid: str
    participant: str
    identity: str
    kind: Kind
    source: Source
    name: str = ""
    muted: bool = False


class RecordingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody asked for; the defaults record every track as it is sent.

    Attributes:
        mode: "tracks": each by itself, untouched; "composite": one picture and one mix.
        format: Of the files; None for Matroska ("tracks") or MP4 ("composite").
        identities: Whose tracks; None for everybody's.
        tracks: Which tracks, by sid; None for all.
        layout: Of a composite.
        width: Of a composite, pixels.
        height: Of a composite, pixels.
        fps: Of a composite, frames per second.
        background: Of a composite, "#rrggbb".
        file: Whether a composite is written to a file too.
        hls: Whether a composite is served as HLS too.
        outputs: Addresses that a composite is pushed to: rtmp://, rtmps:// or srt://.
        storage: Where the files are kept; None for the server's setting.
        template: Of the files' names; None for the server's setting.
    """

    mode: Mode = "tracks"
    format: Format | None = None
    identities: tuple[str, ...] | None = None
    tracks: tuple[str, ...] | None = None
    layout: Layout = "grid"
    width: int = 1280
    height: int = 720
    fps: int = 30
    background: str = "#16181d"
    file: bool = True
    hls: bool = False
    outputs: tuple[str, ...] = ()
    storage: Storage | None = None
    template: str | None = None

    def __repr__(self) -> str:
        """What was asked for, for logs: without outputs, whose addresses have keys in them."""
        fields = [f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__]
        fields[self.__struct_fields__.index("outputs")] = f"outputs=<{len(self.outputs)}>"
        return f"{type(self).__name__}({', '.join(fields)})"


class OutputStatus(msgspec.Struct, frozen=True):
    """How it goes with one output of a composite.

    Attributes:
        url: Without what may be secret in it (user, password, stream key).
        state: "connecting", "active", "reconnecting", "ended" or "failed".
        retries: How often it was connected again.
        dropped: Frames that it was too slow for.
        error: The last one, in words; empty without one.
    """

    url: str
    state: OutputState = "connecting"
    retries: int = 0
    dropped: int = 0
    error: str = ""


class RecordingStatus(msgspec.Struct, frozen=True):
    """How it goes with a recording.

    Attributes:
        id: "RC_…".
        state: "starting", "active", "finishing", "complete" or "failed".
        bytes: Written until now.
        duration: Seconds since it began; of an ended one, of its whole time.
        gaps: Times of which a track misses something.
        dropped: Frames that were left out because the disk or the encoder was too slow.
        tracks: That have been recorded.
        warning: What will be a problem soon, in words; empty when all is well.
        error: The last one, in words; with what was kept, where it failed.
        outputs: Of a composite.
    """

    id: str
    state: State
    bytes: int = 0
    duration: float = 0.0
    gaps: int = 0
    dropped: int = 0
    tracks: int = 0
    warning: str = ""
    error: str = ""
    outputs: tuple[OutputStatus, ...] = ()
