"""Who hears of recordings: everyone in the room, and what listens at the server."""

from collections.abc import Callable

from recorder.recording import Listener, Recording, RecordingEvent
from sfu.room.events import RoomRecording
from sfu.room.room import Room


class Announcer:
    """Tells what is worth telling.

    Args:
        clock: Unix seconds on the server's clock.

    Attributes:
        listeners: Each is called when the state of a recording changes, or when there is a new
            error or warning. They must not raise.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.listeners: list[Listener] = []
        self._clock = clock

    def begin(self, room: Room, recording: Recording) -> None:
        """There is a new recording."""
        self._tell_room(room, recording)
        self.tell(recording)

    def change(self, room: Room, old: Recording, new: Recording) -> None:
        """A recording was like this, and is like that."""
        before, now = old.status, new.status
        if (before.state, before.error) != (now.state, now.error):
            self._tell_room(room, new)
            self.tell(new)
        elif before.warning != now.warning:
            self.tell(new)

    def tell(self, recording: Recording) -> None:
        """The listeners hear of a recording, whose room may be gone."""
        event = RecordingEvent(recording, at=self._clock())
        for listener in self.listeners:
            listener(event)

    def _tell_room(self, room: Room, recording: Recording) -> None:
        room.tell_recording(
            RoomRecording(
                id=recording.id,
                mode=recording.mode,
                state=recording.state,
                started_by=recording.started_by,
                started_at=recording.started_at,
                error=recording.status.error,
            )
        )
