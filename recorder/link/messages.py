"""What the server and a recorder process say to each other, besides media, as JSON.

    server → recorder   StartRecording, StopRecording, ParticipantCame, ParticipantGone, TrackCame,
                        TrackGone, TrackMuted, SpeakersAre, TextSent, MediaMissed, CodecIs
    recorder → server   StatusIs, KeyFrameWanted

Times are Unix seconds on the server's clock. `recording` is the id of the recording that a message
is about.
"""

import msgspec

from recorder.values import ParticipantInfo, RecordingRequest, RecordingStatus, TrackInfo
from sfu.errors import ParseError
from sfu.wire.parameters import Codec, Kind


class RecordingOrder(msgspec.Struct, frozen=True):
    """A recording that is to be made; the same for its whole life, however often it is resumed.

    Attributes:
        id: "RC_…".
        room: Name of the room.
        request: What was asked for.
        root: Folder of all recordings, absolute.
        template: Of the files' names under it, where the request has none.
        free_space: Bytes that must stay free on that disk.
        started_by: Identity of who started it; empty for the server itself.
        started_at: Unix seconds.
        room_sid: "RM_…".
    """

    id: str
    room: str
    request: RecordingRequest
    root: str
    template: str
    free_space: int
    started_by: str
    started_at: float
    room_sid: str = ""


class _Message(msgspec.Struct, frozen=True, tag=True):
    """One message."""


class StartRecording(_Message, frozen=True):
    """Record.

    Attributes:
        order: What.
        wall_offset: Unix seconds less monotonic seconds, which all processes of a machine share.
        resume: Whether an earlier process has begun it: go on in new files.
    """

    order: RecordingOrder
    wall_offset: float
    resume: bool = False


class StopRecording(_Message, frozen=True):
    """Finish; `reason` as in `RecordingWorker.stop`."""

    recording: str
    reason: str


class ParticipantCame(_Message, frozen=True):
    """Someone is there, comes, or is called otherwise."""

    recording: str
    participant: ParticipantInfo
    time: float


class ParticipantGone(_Message, frozen=True):
    """Someone leaves."""

    recording: str
    sid: str
    time: float


class TrackCame(_Message, frozen=True):
    """A track is recorded from now on.

    Attributes:
        recording: By which.
        handle: Names the two in what follows of media.
        track: The track.
        time: When.
    """

    recording: str
    handle: int
    track: TrackInfo
    time: float


class TrackGone(_Message, frozen=True):
    """A track ends: its handle means nothing any more."""

    recording: str
    handle: int
    time: float


class TrackMuted(_Message, frozen=True):
    """A track is muted, or goes on."""

    recording: str
    sid: str
    muted: bool
    time: float


class SpeakersAre(_Message, frozen=True):
    """Who speaks, the dominant speaker first."""

    recording: str
    identities: tuple[str, ...]
    time: float


class TextSent(_Message, frozen=True):
    """A data message to everyone that is text."""

    recording: str
    identity: str
    topic: str
    text: str
    time: float


class MediaMissed(_Message, frozen=True):
    """What came of a track between these times did not get through the link."""

    recording: str
    handle: int
    start: float
    end: float


class CodecIs(_Message, frozen=True):
    """What a codec's number stands for in packets that follow."""

    handle: int
    kind: Kind
    name: str
    clock_rate: int
    channels: int
    parameters: tuple[tuple[str, str], ...]

    @property
    def codec(self) -> Codec:
        """As the rest of the program has it."""
        return Codec(self.kind, self.name, self.clock_rate, self.channels, self.parameters)


class StatusIs(_Message, frozen=True):
    """How it goes with a recording."""

    status: RecordingStatus


class KeyFrameWanted(_Message, frozen=True):
    """Ask for a key frame of this track."""

    recording: str
    track: str


ToRecorder = (
    StartRecording
    | StopRecording
    | ParticipantCame
    | ParticipantGone
    | TrackCame
    | TrackGone
    | TrackMuted
    | SpeakersAre
    | TextSent
    | MediaMissed
    | CodecIs
)
ToServer = StatusIs | KeyFrameWanted

_encoder = msgspec.json.Encoder()
_to_recorder: msgspec.json.Decoder[ToRecorder] = msgspec.json.Decoder(ToRecorder)
_to_server: msgspec.json.Decoder[ToServer] = msgspec.json.Decoder(ToServer)


def encode(message: ToRecorder | ToServer) -> bytes:
    """The JSON of a message."""
    return _encoder.encode(message)


def decode_to_recorder(data: bytes | memoryview) -> ToRecorder:
    """What the server says.

    Raises:
        ParseError: It is none of its messages.
    """
    try:
        return _to_recorder.decode(data)
    except msgspec.MsgspecError as error:
        raise ParseError(f"The server sent what is no message: {error}") from error


def decode_to_server(data: bytes | memoryview) -> ToServer:
    """What a recorder process says.

    Raises:
        ParseError: It is none of its messages.
    """
    try:
        return _to_server.decode(data)
    except msgspec.MsgspecError as error:
        raise ParseError(f"The recorder sent what is no message: {error}") from error
