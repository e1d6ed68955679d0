"""Which stream carries which simulcast layer."""

import pytest

from sfu.room.encodings import SILENCE_BEFORE_RETURN, Encodings
from sfu.room.media_settings import LayerInfo
from sfu.stream.inbound import InboundStream
from sfu.stream.sender_report import SenderClock
from sfu.wire.parameters import VP8
from sfu.wire.rtp import RtpPacket


def stream(ssrc: int, rid: str, size: tuple[int, int] = (0, 0)) -> InboundStream:
    made = InboundStream(
        ssrc=ssrc,
        kind="video",
        codecs={96: VP8},
        nack=True,
        cache_size=64,
        sender_clock=SenderClock(wall_offset=0.0),
        rid=rid,
    )
    if all(size):
        width, height = (pixels.to_bytes(2, "little") for pixels in size)
        key_frame = b"\x10\x00\x00\x00\x9d\x01\x2a" + width + height
        made.receive(RtpPacket(96, 1, 0, ssrc, key_frame), now=0.0)
    return made


def fill(encodings: Encodings, *streams: InboundStream) -> None:
    for number, made in enumerate(streams):
        encodings.add(made)
        encodings.arrived(made, 0, 100.0 + number / 100)


def rids(encodings: Encodings) -> list[str]:
    return [encoding.rid for encoding in encodings.ordered]


@pytest.mark.parametrize(
    ("layers", "streams", "expected"),
    [
        ((), [("f", (0, 0)), ("q", (0, 0)), ("h", (0, 0))], ["q", "h", "f"]),
        ((), [("a", (640, 360)), ("b", (320, 180)), ("c", (1280, 720))], ["b", "a", "c"]),
        (
            (LayerInfo("z", 320, 180), LayerInfo("y", 640, 360)),
            [("y", (0, 0)), ("z", (0, 0))],
            ["z", "y"],
        ),
        # What comes is believed before what was announced.
        (
            (LayerInfo("z", 1280, 720), LayerInfo("y", 640, 360)),
            [("y", (640, 360)), ("z", (320, 180))],
            ["z", "y"],
        ),
    ],
)
def test_layers_are_ordered_by_size_or_name(
    layers: tuple[LayerInfo, ...],
    streams: list[tuple[str, tuple[int, int]]],
    expected: list[str],
) -> None:
    encodings = Encodings(layers)
    fill(encodings, *(stream(ssrc, rid, size) for ssrc, (rid, size) in enumerate(streams, 1)))
    encodings.sort()
    assert rids(encodings) == expected


def test_the_next_lower_layer_stands_in_for_one_that_does_not_come() -> None:
    encodings = Encodings(())
    fill(encodings, stream(1, "q"), stream(2, "h"), stream(3, "f"))
    assert [encodings.ssrc_of(spatial) for spatial in (0, 1, 2, 7)] == [1, 2, 3, 3]
    assert encodings.remove(3)
    assert encodings.ssrc_of(2) == 2
    assert encodings.remove(1)
    assert encodings.ssrc_of(0) == 2
    assert encodings.remove(2)
    assert encodings.ssrc_of(0) is None


def test_the_newest_stream_of_a_layer_carries_it_until_it_falls_silent() -> None:
    encodings = Encodings(())
    old, new = stream(1, "q"), stream(2, "q")
    fill(encodings, old)
    encodings.add(new)
    assert encodings.arrived(new, 0, 101.0) == (True, True)
    assert encodings.arrived(old, 0, 101.1) == (False, False)
    assert encodings.ssrc_of(0) == 2
    assert encodings.arrived(old, 0, 101.1 + SILENCE_BEFORE_RETURN) == (True, True)
    assert encodings.ssrc_of(0) == 1


def stalled(encodings: Encodings) -> list[str]:
    return [encoding.rid for encoding in encodings.ordered if encoding.stalled]


@pytest.mark.parametrize("frame_rate", [1.0, 1.5])
def test_no_layer_of_a_still_screen_has_stalled(frame_rate: float) -> None:
    """Each frame is some packets of either layer, now of the one first and now of the other."""
    encodings = Encodings(())
    small, large = stream(1, "h"), stream(2, "f")
    fill(encodings, small, large)
    for number in range(1, 12):
        for turn in range(8):
            now = 100 + number / frame_rate + 0.05 * turn
            made = (small, large)[(turn // 4 + number // 3) % 2]
            encodings.arrived(made, number, now)
            encodings.watch(now)
            assert not stalled(encodings)


def test_a_layer_whose_camera_encoder_stops_is_noticed_soon_and_comes_back_at_once() -> None:
    encodings = Encodings(())
    small, large = stream(1, "h"), stream(2, "f")
    fill(encodings, small, large)
    noticed = 0.0
    for number in range(1, 60):
        now = 101 + number / 30
        encodings.arrived(small, number, now)
        if number <= 15 or number == 59:
            encodings.arrived(large, number, now)
        if encodings.watch(now) and not noticed:
            noticed = now - (101 + 15 / 30)
            assert stalled(encodings) == ["f"]
        elif number < 59:
            assert stalled(encodings) == (["f"] if noticed else [])
    assert 0.6 <= noticed <= 0.8
    assert not stalled(encodings)
