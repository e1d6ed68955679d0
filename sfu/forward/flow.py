"""Those subscribers who get a stream as it comes: nothing has to be decided for any of them."""

from collections.abc import Sequence
from typing import Protocol

from sfu.forward.lane import Lane
from sfu.forward.layout import HeaderLayout
from sfu.forward.run import Numbers, Piece, Run
from sfu.transport.srtp import SEND_WINDOW
from sfu.wire.rtp import RtpPacket


class Forwards(Protocol):
    """What the fan-out needs of a forwarder.

    Attributes:
        layout: How it wants its packets written.
        lane: Where they go.
    """

    layout: HeaderLayout
    lane: Lane

    @property
    def idle(self) -> bool:
        """Whether it sends nothing, whatever comes."""

    @property
    def following(self) -> int | None:
        """The stream whose packets it sends as they come; None while it has to look at each."""

    def enter(self, flow: "Flow") -> tuple[Numbers, int]:
        """What this flow sends is sent to this subscriber, from now on.

        Returns:
            How to number it, and the lowest index that this is right for and that can still be
            sent.
        """

    def leave(self) -> None:
        """The flow sends it no more; nothing happens when there is none."""

    def forward(self, packets: Sequence[RtpPacket], *, now: float) -> None:
        """Look at each packet, and send those that are for this subscriber."""

    def aim(self, target: tuple[int, int] | None, *, now: float) -> None:
        """Send up to this spatial and temporal layer; None for nothing."""

    def request_key_frame(self, *, now: float) -> None:
        """Ask for one of the layer that is sent."""

    def pause(self) -> None:
        """Start anew with the next key frame."""

    def restart(self) -> None:
        """As `pause`, where the timestamps of the source may jump."""


class Flow:
    """Forwarders of one layout that follow one stream.

    For each of them a run costs no more than noting that it is to be sent: what has been sent is
    counted here, once for all, and a forwarder that wants to know takes the difference since it
    entered.

    Attributes:
        ssrc: The stream.
        first: Lowest index that goes to everybody: none is so old that SRTP would refuse it.
        members: The forwarders, in the order in which they entered.
        packets: Sent to each who was here all the time.
        octets: Their payload bytes.
        highest: Highest index sent.
        key_index: Index of the key frame sent last, -1 before.
        last: The packet of the highest index; those that come late change nothing.
        last_time: When it was sent, monotonic seconds.
    """

    __slots__ = (
        "_places",
        "first",
        "highest",
        "key_index",
        "last",
        "last_time",
        "members",
        "octets",
        "packets",
        "ssrc",
    )

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.first = -1
        self.members: list[Forwards] = []
        self.packets = self.octets = 0
        self.highest = self.key_index = -1
        self.last: RtpPacket | None = None
        self.last_time = 0.0
        self._places: list[tuple[list[Piece], Lane, Numbers]] = []

    def add(self, forwarder: Forwards) -> None:
        """Send to this one too."""
        lane = forwarder.lane
        self.members.append(forwarder)
        numbers, first = forwarder.enter(self)
        self._places.append((lane.pieces, lane, numbers))
        self.first = max(self.first, first)

    def remove(self, forwarder: Forwards) -> None:
        """Send to this one no more."""
        index = self.members.index(forwarder)
        del self.members[index], self._places[index]

    def send(self, run: Run, *, now: float) -> None:
        """Send a plain run, none of it older than `first`, to everybody."""
        for pieces, lane, numbers in self._places:
            if not pieces:
                lane.waiting.append(lane)
            pieces.append((run, numbers))
        self.packets += len(run.sizes)
        self.octets += run.payload_size
        if run.highest > self.highest:
            self.highest = run.highest
            self.first = max(self.first, run.highest + 1 - SEND_WINDOW)
            self.last = run.last
            self.last_time = now
        if run.key_index > self.key_index:
            self.key_index = run.key_index
