"""What a participant may do."""

from dataclasses import dataclass
from typing import Literal, get_args

Source = Literal["camera", "microphone", "screen_share", "screen_share_audio", "unknown"]
SOURCES: tuple[Source, ...] = get_args(Source)


@dataclass(frozen=True, slots=True)
class Permissions:
    """The rights of one participant, enforced on the server for commands and for media.

    Attributes:
        can_publish: May send media.
        can_subscribe: May receive media.
        can_publish_data: May send data messages.
        can_publish_sources: The sources that may be published, None for all.
        can_update_own_metadata: May change its own name, metadata and attributes.
        hidden: Nobody else sees this participant; it publishes nothing.
        recorder: Is there to record the room.
        can_record: May start and stop recordings of the room.
    """

    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_publish_sources: frozenset[Source] | None = None
    can_update_own_metadata: bool = False
    hidden: bool = False
    recorder: bool = False
    can_record: bool = False

    def may_publish(self, source: Source) -> bool:
        """Whether media of this source may be published."""
        if not self.can_publish or self.hidden:
            return False
        return self.can_publish_sources is None or source in self.can_publish_sources
