"""Messages that wait until one client can take them: few, or the client is given up."""

import asyncio
from collections import deque
from collections.abc import Callable

from signaling.messages import Data, Event, encode

MAX_SIZE = 4 << 20  # characters; more than a full room's worth of news, little enough for 1000s
MAX_MESSAGES = 4096


class Outgoing:
    """A bounded queue from the session, which never waits, to the connection, which does.

    Attributes:
        size: Characters that wait.
    """

    def __init__(self, on_overflow: Callable[[], None]) -> None:
        """An empty queue.

        Args:
            on_overflow: Called, once, when the bound is passed; nothing is taken after that.
        """
        self.size = 0
        self._texts: deque[str] = deque()
        self._ready = asyncio.Event()
        self._ended = False
        self._on_overflow = on_overflow

    def put(self, message: Event) -> None:
        """Send `message` after all others; one that finds nothing waiting may have any size."""
        if self._ended:
            return
        if isinstance(message, Data) and not message.reliable and self.size > MAX_SIZE // 2:
            return  # what may be lost is lost where it would be late
        if self.size > MAX_SIZE or len(self._texts) >= MAX_MESSAGES:
            self._texts.clear()
            self.end()
            self._on_overflow()
            return
        text = encode(message)
        self._texts.append(text)
        self.size += len(text)
        self._ready.set()

    def end(self) -> None:
        """Take no more; what waits is still given out."""
        self._ended = True
        self._ready.set()

    async def get(self) -> str | None:
        """The next message; None after the last."""
        while not self._texts:
            if self._ended:
                return None
            self._ready.clear()
            await self._ready.wait()
        text = self._texts.popleft()
        self.size -= len(text)
        return text
