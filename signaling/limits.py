"""Bounds on what one client may ask for: how often, and how much."""

from collections.abc import Mapping

from sfu.config import Config
from sfu.errors import LimitError


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
    """Refuse names that are too long to be shown to everyone in the room.

    Args:
        config: `max_name_size` counts.
        **names: What is named → its name.

    Raises:
        LimitError: "too_large".
    """
    for what, text in names.items():
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
