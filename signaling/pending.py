"""Sessions that are being set up: few of one client at a time, so that none fills a room alone."""

from collections.abc import Hashable
from typing import Protocol

from aiohttp import web

from sfu.errors import LimitError


class Pending(Protocol):
    """What may be being set up."""

    @property
    def pending(self) -> bool:
        """Whether its transport has still to finish ICE and DTLS."""


class PendingSessions:
    """Who has how many sessions that have not connected yet."""

    def __init__(self, limit: int) -> None:
        """Nobody has any.

        Args:
            limit: Sessions of one client.
        """
        self._limit = limit
        self._sessions: dict[Hashable, set[Pending]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def check(self, client: Hashable) -> None:
        """Make sure that the client may begin one more.

        Raises:
            LimitError: "rate_limited".
        """
        waiting = {one for one in self._sessions.get(client, ()) if one.pending}
        if waiting:
            self._sessions[client] = waiting
        else:
            self._sessions.pop(client, None)
        if len(waiting) >= self._limit:
            raise LimitError(
                f"{len(waiting)} of your sessions have not connected yet: try again.",
                name="rate_limited",
            )

    def add(self, client: Hashable, session: Pending) -> None:
        """The client begins this one."""
        self._sessions.setdefault(client, set()).add(session)

    def remove(self, client: Hashable, session: Pending) -> None:
        """It has ended; nothing happens when that was known."""
        sessions = self._sessions.get(client, set())
        sessions.discard(session)
        if not sessions:
            self._sessions.pop(client, None)


PENDING = web.AppKey("pending", PendingSessions)
