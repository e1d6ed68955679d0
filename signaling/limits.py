"""Bounds on what one client may ask for: how often, and how much."""

import re
from collections.abc import Mapping

from sfu.config import Config
from sfu.errors import LimitError, RemoteError

# Unicode's category Cc: C0, DEL and C1. Names end up in terminals, logs and lists of one line.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class TokenBucket:
    """Lets `rate` units a second pass, after a burst."""

    __slots__ = ("_level", "_rate", "_updated", "burst")

    def __init__(self, *, rate: float, burst: float, now: float) -> None:
        """The bucket is full at first.

        Args:
            rate: Units a second.
            burst: Units that can pass at once.
            now: Monotonic seconds.
        """
        self.burst = burst
        self._rate = rate
        self._level = burst
        self._updated = now

    def take(self, units: float = 1.0, *, now: float) -> bool:
        """Let `units` pass; False, and nothing is taken, when that is too much now."""
        elapsed = max(0.0, now - self._updated)
        self._level = min(self.burst, self._level + elapsed * self._rate)
        self._updated = now
        if units > self._level:
            return False
        self._level -= units
        return True


def check_names(config: Config, **names: str) -> None:
    """Refuse names that are too long to be shown to everyone in the room, or cannot be shown.

    Args:
        config: `max_name_size` counts.
        **names: What is named → its name.

    Raises:
        LimitError: "too_large".
        RemoteError: "bad_request": there are control characters in it.
    """
    for what, text in names.items():
        if CONTROL.search(text):
            raise RemoteError(f"The {what} may not have control characters.")
        if len(text) > config.max_name_size:
            raise LimitError(
                f"The {what} may have {config.max_name_size} characters at most.", name="too_large"
            )


def check_attributes(config: Config, attributes: Mapping[str, str]) -> None:
    """Refuse more attributes than a participant may have.

    Raises:
        LimitError: "too_large".
    """
    if len(attributes) > config.max_attributes:
        raise LimitError(
            f"A participant may have {config.max_attributes} attributes at most.", name="too_large"
        )
