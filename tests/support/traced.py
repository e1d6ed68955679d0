"""Stories whose subscriber is traced."""

from sfu.room.trace import Trace
from tests.support.scenario import Scenario
from tests.support.story import Story


class TracedScenario(Scenario):
    """A scenario that records what the server decides on for its subscriber.

    Attributes:
        pieces: What the trace has handed on.
    """

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        self.pieces: list[bytes] = []
        peer = self.client.peer
        assert peer is not None
        reception = self.member.participant.reception
        reception.trace = Trace(self._take, {"room": "room"}, now=self.time.now)
        reception.use(peer.subscriber.bandwidth)  # with the trace, this time

    def _take(self, data: bytes) -> bool:
        self.pieces.append(data)
        return True

    def record(self) -> bytes:
        """Tell the story to its end; returns the whole trace."""
        self.run()
        self.member.participant.leave(now=self.time.now)
        return b"".join(self.pieces)
