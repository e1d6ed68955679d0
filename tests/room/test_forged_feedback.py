"""Feedback that cannot be true, and claims that are not: they cost nobody else anything."""

from collections.abc import Callable

import pytest

from sfu.room.bandwidth import MAXIMUM, MINIMUM
from sfu.wire.parameters import VP8
from sfu.wire.rtcp import ReceiverEstimatedMaximumBitrate, RtcpPacket
from sfu.wire.twcc import DELTA_MAX, MAX_STATUSES, TICK, TransportFeedback
from tests.support.virtual_room import Member, Sender, VirtualClient, VirtualServer

FRAME = 1 / 30  # s
TRANSPORT_SEQUENCE = 3  # id of the extension in what the virtual client receives


class Call:
    """Alice sends 500 kb/s; Bob tells lies, and Cat receives the same."""

    def __init__(self) -> None:
        self.server = VirtualServer()
        alice = self.server.join("alice")
        self.members = [self.server.join(identity) for identity in ("bob", "cat")]
        alice.publish(("v", "video", {96: VP8}), rtx={97: 96})
        assert alice.publisher
        self.sender = Sender(
            alice.publisher, mid="v", ssrc=1, delta_frame=b"\x10\x01\x00\x00" + bytes(1000)
        )
        self.bob, self.cat = (member.receive(rtx={96: 97}) for member in self.members)
        self._told = 0
        self.run(1)

    def run(self, seconds: float, each: Callable[[], None] = lambda: None) -> None:
        for _ in range(round(seconds / FRAME)):
            self.sender.frame(2)
            each()
            self._tell_truth()
            self.server.time.run(FRAME)

    def _tell_truth(self) -> None:
        """Cat's client reports what has come since the frame before."""
        new = self.cat.received[self._told :]
        self._told += len(new)
        if new:
            base = int.from_bytes(new[0].extensions[TRANSPORT_SEQUENCE])
            reference = int(self.server.time.now / 0.064)
            first = round((new[0].arrival - reference * 0.064) / TICK)
            deltas = (first, *[0] * (len(new) - 1))
            self.cat.send_rtcp((TransportFeedback(1, 1, base, reference, 0, deltas),))

    def tell(self, *packets: RtcpPacket) -> None:
        """What Bob says."""
        self.bob.send_rtcp(packets)

    def estimate(self, member: Member) -> int:
        estimate = member.participant.media(now=self.server.time.now).estimate
        assert estimate is not None
        return estimate

    def feedback(
        self, *, jump: int = 0, deltas: tuple[int | None, ...] = (0,), count: int = 0
    ) -> TransportFeedback:
        """About the last packet that came; true where nothing else is said."""
        last = self.bob.received[-1].extensions[TRANSPORT_SEQUENCE]
        reference = round(self.server.time.now / 0.064)
        base = (int.from_bytes(last) + jump) & 0xFFFF
        return TransportFeedback(1, 1, base, reference, count & 0xFF, deltas)


def refused(client: VirtualClient) -> int:
    assert client.peer
    return client.peer.drops().get("transport_feedback", 0)


@pytest.mark.parametrize(
    ("jump", "deltas"),
    [
        (20_000, (0,)),
        (0, (0,) * 500),
        (-20_000, (0, *(None,) * (MAX_STATUSES - 2), 0)),
        (-3, (0, DELTA_MAX, DELTA_MAX, DELTA_MAX)),
        (0, ()),
    ],
    ids=["not sent", "more than sent", "forgotten", "hours between", "nothing"],
)
def test_feedback_that_cannot_be_is_counted_and_changes_nothing(
    jump: int, deltas: tuple[int | None, ...]
) -> None:
    call = Call()
    liar, other = call.members
    before = call.estimate(liar), call.estimate(other)
    arrived = len(call.bob.received), len(call.cat.received)
    call.run(1, lambda: call.tell(call.feedback(jump=jump, deltas=deltas)))
    assert refused(call.bob) == 30
    assert call.server.endpoint.drops()["transport_feedback"] == 30
    assert call.estimate(liar) <= before[0]
    assert call.estimate(other) >= before[1]
    assert len(call.bob.received) >= arrived[0] + 58
    assert len(call.cat.received) >= arrived[1] + 58

    call.run(0.5, lambda: call.tell(call.feedback()))
    assert refused(call.bob) == 30, "what is true is taken from a liar too"


def test_a_remb_that_lies_is_the_liar_s_own_trouble() -> None:
    call = Call()
    liar, other = call.members
    honest = call.estimate(other)

    call.run(3, lambda: call.tell(ReceiverEstimatedMaximumBitrate(1, 1, (1,))))
    assert call.estimate(liar) == MINIMUM
    (track,) = liar.participant.media(now=call.server.time.now).tracks
    assert track.cause == "bandwidth", track
    arrived = len(call.cat.received)

    call.run(10, lambda: call.tell(ReceiverEstimatedMaximumBitrate(1, 2**62, (1,))))
    assert call.estimate(liar) <= MAXIMUM
    assert call.bob.received[-1].arrival == pytest.approx(call.server.time.now, abs=0.1)
    assert len(call.cat.received) >= arrived + 590
    assert call.estimate(other) >= honest
    sent = sum(packet.size for packet in call.bob.received if packet.arrival > 10) * 8
    assert sent < 3 * 500_000 * 2, "it is not believed beyond what was tried"
