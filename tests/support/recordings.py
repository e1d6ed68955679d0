"""What takes the place of recorder processes where a test is about how recordings are managed."""

from collections.abc import Callable

from msgspec import structs

from recorder.link.messages import RecordingOrder
from recorder.values import ENDED, RecordingStatus, State
from sfu.errors import SfuError
from sfu.room.room import Room


class PaperRecorder:
    """Takes orders, and tells what the test has it tell.

    Attributes:
        orders: By id.
        stopped: Ids, in the order of being stopped.
        refusal: Raised by `start` where there is one.
    """

    def __init__(self) -> None:
        self.orders: dict[str, RecordingOrder] = {}
        self.stopped: list[str] = []
        self.refusal: SfuError | None = None
        self.closed = False
        self._statuses: dict[str, RecordingStatus] = {}
        self._tell: Callable[[RecordingStatus], None] = lambda _: None

    def make(self, tell: Callable[[RecordingStatus], None]) -> "PaperRecorder":
        """For `RecordingManager`; there is one at most."""
        self._tell = tell
        return self

    async def start(self, room: Room, order: RecordingOrder) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.orders[order.id] = order
        self.tell(order.id, "starting")

    async def stop(self, recording_id: str, *, reason: str = "stopped") -> None:
        self.stopped.append(recording_id)
        self.tell(recording_id, "complete")

    async def close(self) -> None:
        self.closed = True
        for status in list(self._statuses.values()):
            if status.state not in ENDED:
                self.tell(status.id, "complete")

    def tell(self, recording_id: str, state: State, **fields: object) -> None:
        """The process says how it goes."""
        status = self._statuses.get(recording_id) or RecordingStatus(recording_id, state)
        status = structs.replace(status, state=state, **fields)
        self._statuses[recording_id] = status
        self._tell(status)


class NoRepairs:
    """Repairs nothing, but remembers being asked."""

    def __init__(self) -> None:
        self.asked = False

    async def run(self, root: object, told: Callable[[str], None]) -> None:
        self.asked = True
