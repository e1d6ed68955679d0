"""What is to be sent over a link, and how much that may become."""

import itertools
from collections.abc import Callable, Sequence

from recorder.link.framing import JSON, message
from recorder.link.messages import CodecIs, ToRecorder, encode
from sfu.wire.parameters import Codec, Kind

# A recorder that does not keep up costs memory here: video is dropped first.
HOPELESS = 64 << 20  # bytes; media is dropped long since, and the recorder hangs
LIMITS: dict[Kind, int] = {"video": 8 << 20, "audio": 12 << 20}  # bytes


class LinkBuffer:
    """Collects messages for one recorder process; whoever owns the socket takes them.

    Attributes:
        size: Bytes that wait, and have not been taken.
        unsent: Bytes that were taken and did not fit into the socket yet, told by its owner.
        on_pending: Called when something waits where nothing did.
        on_stuck: Called with each message that is dropped because far too much waits.
    """

    def __init__(
        self, on_pending: Callable[[], None], on_stuck: Callable[[], None] = lambda: None
    ) -> None:
        self.size = 0
        self.unsent = 0
        self.on_pending = on_pending
        self.on_stuck = on_stuck
        self._parts: list[bytes] = []
        self._codecs: dict[Codec, int] = {}
        self._handles = itertools.count()

    def tell(self, said: ToRecorder) -> None:
        """Append a message, also where media is dropped: these are few."""
        if self.size + self.unsent > HOPELESS:
            self.on_stuck()
            return
        data = message(JSON, encode(said))
        self.append((data,), len(data))

    def append(self, parts: Sequence[bytes], size: int) -> None:
        """Append whole messages, in any number of parts that have so many bytes together."""
        if not self._parts:
            self.on_pending()
        self._parts += parts
        self.size += size

    def is_full(self, kind: Kind) -> bool:
        """Whether media of this kind is to be dropped."""
        return self.size + self.unsent > LIMITS[kind]

    def has_room(self, kind: Kind) -> bool:
        """Whether media of this kind that was dropped may go on."""
        return self.size + self.unsent < LIMITS[kind] // 2

    def handle(self) -> int:
        """A new name for a track of a recording."""
        return next(self._handles)

    def codec(self, codec: Codec) -> int:
        """The number of a codec, which the other end has been told."""
        number = self._codecs.get(codec)
        if number is None:
            number = self._codecs[codec] = len(self._codecs)
            self.tell(
                CodecIs(
                    number,
                    codec.kind,
                    codec.name,
                    codec.clock_rate,
                    codec.channels,
                    codec.parameters,
                )
            )
        return number

    def take(self) -> bytes:
        """All that waits."""
        data = b"".join(self._parts)
        self._parts = []
        self.size = 0
        return data
