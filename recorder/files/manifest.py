"""`manifest.json`: what a recording is, beside its files.

It is documented in PROTOCOL.md, "Recordings: manifest.json". Times in it are seconds from the
recording's start, but those that end in `_at`: Unix seconds on the server's clock. Readers ignore
fields that they do not know; `version` grows when one changes its meaning.
"""

from pathlib import PurePosixPath
from typing import Literal

import msgspec

from recorder.values import ENDED, Format, Layout, Mode, State
from sfu.room.permissions import Source
from sfu.wire.parameters import Kind


class Span(msgspec.Struct):
    """A time: a stay, a mute, a gap.

    Attributes:
        start: Seconds from the recording's start.
        end: Likewise; None while it lasts.
    """

    start: float
    end: float | None = None


class Participant(msgspec.Struct):
    """Somebody who was in the room meanwhile.

    Attributes:
        sid: Of this stay of theirs in the room.
        identity: Who.
        name: As shown to people.
        present: From joining (0 if they were there already) to leaving.
    """

    sid: str
    identity: str
    name: str
    present: Span


class Segment(msgspec.Struct):
    """One file: a track, or a part of it, or a composite.

    Attributes:
        file: Its name, relative to the manifest's folder, with "/".
        format: "mkv", "webm" or "mp4".
        codecs: What is in it, named as in RTP: "VP8", "opus" …
        start: Seconds from the recording's start that are time 0 in the file.
        duration: Seconds.
        bytes: Its size.
        sha256: Of its content; empty while it is being written.
        width: Pixels at its beginning, before it is turned; 0 without picture.
        height: Likewise.
        rotation: Degrees by which to turn the picture clockwise; the file says it too.
    """

    file: str
    format: Format
    codecs: list[str]
    start: float
    duration: float = 0.0
    bytes: int = 0
    sha256: str = ""
    width: int = 0
    height: int = 0
    rotation: int = 0

    def __post_init__(self) -> None:
        path = PurePosixPath(self.file)
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise ValueError(f"{self.file!r} is no file in the recording's folder")


class Track(msgspec.Struct):
    """A track that was recorded.

    Attributes:
        sid: "TR_…".
        participant: Its publisher's sid.
        identity: Its publisher's.
        kind: "audio" or "video".
        source: "camera", "microphone", "screen_share", "screen_share_audio" or "unknown".
        name: Chosen by its publisher.
        published: When it was there.
        mutes: When it was muted.
        gaps: When something of it was sent that we do not have.
        segments: Its files, by their start; empty if nothing ever came.
    """

    sid: str
    participant: str
    identity: str
    kind: Kind
    source: Source
    name: str
    published: Span
    mutes: list[Span] = []
    gaps: list[Span] = []
    segments: list[Segment] = []


class Speakers(msgspec.Struct):
    """Who spoke from this time on.

    Attributes:
        time: Seconds from the recording's start.
        identities: The dominant speaker first; empty for silence.
    """

    time: float
    identities: list[str]


class Message(msgspec.Struct):
    """A chat or data message with text.

    Attributes:
        time: Seconds from the recording's start.
        identity: Who sent it.
        topic: As it was sent.
        text: Likewise, cut where it is longer than 4,096 characters.
    """

    time: float
    identity: str
    topic: str
    text: str


class Composite(msgspec.Struct):
    """One picture and one mix of all.

    Attributes:
        layout: "grid", "speaker", "screen" or "audio".
        width: Pixels.
        height: Pixels.
        fps: Frames per second.
        segments: Its files, by their start.
    """

    layout: Layout
    width: int
    height: int
    fps: int
    segments: list[Segment] = []


class Manifest(msgspec.Struct, kw_only=True):
    """A recording.

    Attributes:
        version: 1.
        id: "RC_…".
        room: Its name.
        mode: "tracks" or "composite".
        state: "starting", "active", "finishing", "complete" or "failed".
        started_at: Unix seconds.
        started: The same moment, ISO 8601 in UTC.
        ended_at: Unix seconds; None while it runs.
        ended: Likewise.
        duration: Seconds, when it has ended.
        end_reason: "stopped", "room_ended", "server_gone", "no space left" …; empty while it runs.
        started_by: Whose wish it was: an identity, or empty for the server itself.
        recovered: Whether it was found unfinished, and repaired.
        errors: What went wrong, in words, in this order.
        left_out: Entries that were left out of the lists because they became too long.
        participants: By their joining.
        tracks: By their beginning.
        composite: With the mode "composite".
        speakers: By time.
        messages: By time.
    """

    version: Literal[1] = 1
    id: str
    room: str
    mode: Mode
    started_at: float
    started: str
    started_by: str = ""
    state: State = "starting"
    ended_at: float | None = None
    ended: str | None = None
    duration: float | None = None
    end_reason: str = ""
    recovered: bool = False
    errors: list[str] = []
    left_out: int = 0
    participants: list[Participant] = []
    tracks: list[Track] = []
    composite: Composite | None = None
    speakers: list[Speakers] = []
    messages: list[Message] = []

    @property
    def has_ended(self) -> bool:
        """Whether nothing will be written any more."""
        return self.state in ENDED

    def segment_lists(self) -> list[list[Segment]]:
        """The lists that hold the files: one for each track, and that of a composite."""
        lists = [track.segments for track in self.tracks]
        return [*lists, self.composite.segments] if self.composite else lists

    def kept(self) -> str:
        """How much there is, in words."""
        segments = self.segments()
        seconds = max((one.start + one.duration for one in segments), default=0.0)
        return f"{len(segments)} files, {seconds:.0f} s"

    def segments(self) -> list[Segment]:
        """All files."""
        return [segment for segments in self.segment_lists() for segment in segments]
