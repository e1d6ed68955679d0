"""What records: it is given what comes for one recording, in a thread of its own."""

from collections.abc import Sequence
from typing import Protocol

from recorder.values import (
    ParticipantInfo,
    RecordedPacket,
    RecordingStatus,
    Reference,
    TrackInfo,
)


class RecordingWorker(Protocol):
    """A recording that runs. All calls come from its own thread, so it may take its time.

    Raises from any call:
        OSError: The disk failed; the recording ends as failed, with what was kept.
    """

    def add_participant(self, participant: ParticipantInfo, *, time: float) -> None:
        """Someone is there, comes, or is called otherwise, at this time (Unix seconds)."""

    def remove_participant(self, sid: str, *, time: float) -> None:
        """Someone leaves."""

    def add_track(self, track: TrackInfo, *, time: float) -> None:
        """A track that is to be recorded is there, or comes."""

    def remove_track(self, sid: str, *, time: float) -> None:
        """A track ends: what is still buffered of it is written."""

    def set_muted(self, sid: str, muted: bool, *, time: float) -> None:
        """A track is muted, or goes on."""

    def set_speakers(self, identities: Sequence[str], *, time: float) -> None:
        """Who speaks, the dominant speaker first."""

    def add_message(self, identity: str, topic: str, text: str, *, time: float) -> None:
        """A chat or data message with text."""

    def receive(self, sid: str, packets: Sequence[RecordedPacket], *, now: float) -> None:
        """Packets of a track."""

    def refer(self, sid: str, reference: Reference) -> None:
        """When a track's packets were captured."""

    def note_gap(self, sid: str, start: float, end: float) -> None:
        """Something of the track did not reach us between these Unix times."""

    def tick(self, *, now: float) -> None:
        """Called five times a second: write what is due, keep files safe."""

    def take_key_frame_wishes(self) -> Sequence[str]:
        """The sids of tracks of which a key frame is needed."""

    def status(self) -> RecordingStatus:
        """How it goes."""

    def stop(self, reason: str, *, now: float) -> None:
        """End: write what is buffered, close the files. `status` is "complete" or "failed" then.

        Args:
            reason: "stopped", "room_ended", "server_gone", "no space left" …
            now: Monotonic seconds.
        """
