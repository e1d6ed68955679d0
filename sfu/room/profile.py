"""What a participant says of itself, which everyone in the room is told: it is bounded."""

from collections.abc import Mapping

from sfu.config import Config
from sfu.errors import LimitError


def merge_attributes(
    present: Mapping[str, str], changes: Mapping[str, str], config: Config
) -> dict[str, str]:
    """The attributes after a change.

    Args:
        present: Those before.
        changes: Merged into them; an empty value deletes its key.
        config: `max_attributes`.

    Raises:
        LimitError: "too_large".
    """
    merged = {key: value for key, value in {**present, **changes}.items() if value}
    if len(merged) > config.max_attributes:
        raise LimitError(
            f"a participant can have {config.max_attributes} attributes at most", name="too_large"
        )
    return merged


def check_size(name: str, metadata: str, attributes: Mapping[str, str], config: Config) -> None:
    """Refuse what is too large to be told to everyone in the room.

    Raises:
        LimitError: "too_large".
    """
    limit = config.max_metadata_size
    total = sum(len(key.encode()) + len(value.encode()) for key, value in attributes.items())
    if len(metadata.encode()) > limit or total > limit or len(name.encode()) > limit:
        raise LimitError(
            f"metadata and attributes can have {limit} bytes at most each", name="too_large"
        )
