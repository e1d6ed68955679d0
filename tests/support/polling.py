"""Wait for real things without sleeping longer than they take."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

INTERVAL = 0.02  # s


async def until(
    condition: Callable[[], Any],
    what: str,
    *,
    deadline: float = 15.0,
    interval: float = INTERVAL,
) -> Any:
    """The first true value of `condition()`, which may be async.

    Raises:
        TimeoutError: It was not true within `deadline` seconds; says `what` was waited for.
    """
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"not within {deadline} s: {what} (last: {value!r})")
        await asyncio.sleep(interval)
