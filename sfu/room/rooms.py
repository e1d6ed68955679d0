"""All rooms of one worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sfu.config import Config
from sfu.errors import LimitError, LocalError
from sfu.room.endpoint import Endpoint
from sfu.room.room import Room
from sfu.room.trace import Trace
from sfu.timers import Timer

if TYPE_CHECKING:
    from sfu.room.participant import Participant


class Rooms:
    """Opens rooms when they are needed, and closes those that stay empty.

    Attributes:
        config: Limits and times.
        endpoint: The peers of all rooms.
        trace_sink: Takes the sid of a new participant, and returns what takes the bytes of its
            trace (see `Trace`), or None; None where nothing is traced.
        on_opened: Called with each new room, before anyone is in it.
    """

    def __init__(self, config: Config, endpoint: Endpoint) -> None:
        self.config = config
        self.endpoint = endpoint
        self.trace_sink: Callable[[str], Callable[[bytes], bool] | None] | None = None
        self.on_opened: Callable[[Room], None] = lambda _: None
        self._rooms: dict[str, Room] = {}
        self._empty_timers: dict[str, Timer] = {}

    def __iter__(self) -> Iterator[Room]:
        return iter(list(self._rooms.values()))

    def __len__(self) -> int:
        return len(self._rooms)

    def get(self, name: str) -> Room | None:
        """The room of this name, None when nobody opened it."""
        return self._rooms.get(name)

    def open(self, name: str, *, now: float) -> Room:
        """The room of this name, a new one if need be.

        Raises:
            LocalError: "bad_request": the name is empty or too long.
            LimitError: "server_full".
        """
        room = self._rooms.get(name)
        if room is not None:
            return room
        if not 0 < len(name) <= self.config.max_name_size:
            raise LocalError(f"a room name has 1 to {self.config.max_name_size} characters")
        if len(self._rooms) >= self.config.max_rooms:
            raise LimitError("the server has as many rooms as it takes", name="server_full")
        room = self._rooms[name] = Room(rooms=self, name=name, now=now)
        self.emptied(room, now=now)
        self.on_opened(room)
        return room

    def delete(self, name: str, *, reason: str = "room_deleted", now: float) -> None:
        """Close a room; everyone in it is told why.

        Raises:
            LocalError: "room_not_found".
        """
        room = self._rooms.pop(name, None)
        if room is None:
            raise LocalError(f"there is no room {name!r}", name="room_not_found")
        self.occupied(room)
        room.close(reason=reason, now=now)

    def close(self, *, reason: str = "server_shutdown", now: float) -> None:
        """Close all rooms."""
        for name in list(self._rooms):
            self.delete(name, reason=reason, now=now)

    def emptied(self, room: Room, *, now: float) -> None:
        """Nobody is in the room: it closes unless someone comes soon."""
        if not room.closed:
            self._empty_timers[room.sid] = self.endpoint.timers.call_at(
                now + self.config.empty_timeout,
                lambda now: self.delete(room.name, now=now),
            )

    def occupied(self, room: Room) -> None:
        """Someone comes, or the room is closed: it need not close by itself."""
        timer = self._empty_timers.pop(room.sid, None)
        if timer:
            timer.cancel()

    def trace(self, participant: Participant, *, now: float) -> Trace | None:
        """The trace of a new participant, where there is to be one."""
        write = self.trace_sink(participant.sid) if self.trace_sink is not None else None
        if write is None:
            return None
        about = {
            "room": participant.room.name,
            "participant": participant.sid,
            "identity": participant.identity,
            "wall": self.endpoint.wall_offset,
        }
        return Trace(write, about, now=now)
