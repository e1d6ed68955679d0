"""Lets one negotiation through in each turn of the event loop, so that media is read in between."""

import asyncio
from collections import deque

from aiohttp import web


class Turnstile:
    """Where work of about a millisecond queues, first come, first served.

    A turn of the loop asks its selector what is ready, and then runs all of it. A hundred offers
    that arrive at once would be a hundred milliseconds in which no socket is read; that they let
    each other run (`sleep(0)`) changes nothing, since all of them go on together in the next turn.
    Here one goes on, and the next not before the loop has asked its selector again and has run what
    was ready.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False  # behind whoever went through last

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def wait(self) -> None:
        """Return when it is the caller's turn: all that it does until it waits for something."""
        if self._closed:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self._open()  # it was the caller's turn already
                raise
        self._closed = True
        # Called in the next turn of the loop; whom it wakes goes on in the turn after that. What
        # the selector finds at the beginning of a turn runs in that turn.
        asyncio.get_running_loop().call_soon(self._open)

    def _open(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.cancelled():
                turn.set_result(None)
                return
        self._closed = False


TURNSTILE = web.AppKey("turnstile", Turnstile)
