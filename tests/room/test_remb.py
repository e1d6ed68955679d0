"""The bound that is told to publishers without transport-wide feedback."""

from sfu.wire.parameters import VP8
from sfu.wire.rtcp import ReceiverEstimatedMaximumBitrate
from tests.support.virtual_room import Sender, VirtualServer


def rates(*, transport_cc: bool, loss: float = 0.0, seconds: int = 10) -> list[int]:
    """What a publisher of 550 kb/s, before loss, is told."""
    server = VirtualServer()
    alice = server.join("alice")
    alice.publish(("v", "video", {96: VP8}), rtx={97: 96}, transport_cc=transport_cc)
    client = alice.publisher
    assert client
    client.up.loss = loss
    sender = Sender(
        client, mid="v", ssrc=5, rtx=(97, 6), delta_frame=b"\x10\x01\x00\x00" + bytes(1000)
    )
    for _ in range(seconds * 30):
        sender.frame(packets=2)
        sender.packet(b"\x00" + bytes(1000))
        server.time.run(1 / 30)
    told = [p for p in client.rtcp if isinstance(p, ReceiverEstimatedMaximumBitrate)]
    assert all(p.ssrcs == (5,) for p in told)
    return [p.bitrate for p in told]


def test_it_is_told_once_a_second() -> None:
    told = rates(transport_cc=False)
    assert 8 <= len(told) <= 11
    assert told == sorted(told)
    assert told[-1] >= 990_000


def test_loss_lowers_it() -> None:
    assert rates(transport_cc=False, loss=0.2)[-1] < 500_000


def test_it_is_not_told_to_those_who_have_transport_wide_feedback() -> None:
    assert rates(transport_cc=True) == []
