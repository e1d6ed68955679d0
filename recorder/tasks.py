"""Work that goes on by itself, and that somebody waits for in the end."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine

Task = asyncio.Task[None]


class Tasks:
    """Tasks of one event loop; what they raise is logged by the loop."""

    def __init__(self) -> None:
        self._running: set[Task] = set()

    def spawn(self, work: Coroutine[object, object, None]) -> Task:
        """Begin something."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def spawn_after(self, before: Task | None, work: Callable[[], Awaitable[None]]) -> Task:
        """Begin something when another task is done, however that ends."""

        async def wait() -> None:
            if before is not None:
                await asyncio.wait([before])
            await work()

        return self.spawn(wait())

    async def join(self) -> None:
        """Wait until all are done."""
        while self._running:
            await asyncio.wait(self._running)


async def cancel(task: Task | None) -> None:
    """End a task that would go on for ever."""
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
