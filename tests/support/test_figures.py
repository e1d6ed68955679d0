"""What is concluded from what was shown, with known answers."""

import pytest

from tests.support.bottleneck import Bottleneck
from tests.support.capacity import Capacity
from tests.support.figures import VideoFigures, overlap
from tests.support.link import VirtualTime
from tests.support.simulcast_sender import LAYERS
from tests.support.video_receiver import Shown, VideoReceiver


def figures(*parts: tuple[float, float, int], end: float = 30.0) -> VideoFigures:
    """A picture every 0.1 s from `start` up to `end` on the layer with this number."""
    receiver = VideoReceiver(VirtualTime(), ssrc=1, rtx_ssrc=None)
    for start, stop, layer in parts:
        for i in range(round(10 * (stop - start))):
            time = 500 + start + i / 10
            receiver.shown.append(Shown(time, layer, 0, (1, 1), 0.05, i == 0))
    return VideoFigures(receiver, LAYERS, epoch=500.0, end=end)


def test_time_is_shared_among_the_layers_that_were_on_the_screen() -> None:
    video = figures((1, 11, 0), (11, 21, 2), (21, 30, 1))
    assert video.first_frame() == 1
    assert [rid for _, _, rid in video.spans()] == ["q", "f", "h"]
    assert video.share("f") == pytest.approx(1 / 3, abs=0.01)
    assert video.share("f", 10, 20) == pytest.approx(0.9, abs=0.01)
    assert video.changes() == 2
    assert video.changes(12, 20) == 0
    assert video.changes(20, 30) == 1
    assert video.reached("f", 5) == pytest.approx(6)
    assert video.reached("q", 5) == 0
    assert video.reached("q", 15) == float("inf")
    assert video.fps(2, 10) == pytest.approx(10, abs=0.2)


def test_gaps_are_freezes_unless_the_pause_was_told() -> None:
    video = figures((0, 10, 0), (12, 20, 0), (25, 30, 0))
    assert [(round(when, 1), round(s, 1)) for when, s in video.freezes(0.2)] == [
        (9.9, 2.1),
        (19.9, 5.1),
    ]
    assert video.freeze_ratio() == pytest.approx(7.2 / 30, abs=0.01)
    assert [s for _, s in video.freezes(0.2, 21, 30)] == [pytest.approx(5.1)]
    video.paused.append((20, 24.8, "bandwidth"))
    assert [s for _, s in video.freezes(0.25)] == [pytest.approx(2.1), pytest.approx(0.3)]
    assert video.changes() == 1
    assert video.paused_share() == pytest.approx(4.8 / 30)
    assert video.paused_share(22, 30) == pytest.approx(2.8 / 8)
    assert [(round(a), round(b)) for a, b, _ in video.spans(15)] == [(15, 20), (25, 30)]


def test_a_picture_that_never_comes_back_is_a_freeze() -> None:
    assert [s for _, s in figures((0, 10, 0)).freezes()] == [pytest.approx(20.1)]


def test_use_compares_with_the_best_layer_that_has_room() -> None:
    path = Bottleneck(
        VirtualTime(), lambda *_: None, seed=1, capacity=Capacity(((0, 3e6), (10, 700_000)))
    )
    video = figures((0, 5, 1), (5, 10, 2), (10, 20, 1), end=20)
    assert video.use(path, 0, 10, audio=True) == pytest.approx((500 + 1700) / 3400, abs=0.01)
    assert video.use(path, 10, 20, audio=True) == pytest.approx(1, abs=0.01)


def test_overlap_adds_up() -> None:
    assert overlap((1, 5), [(0, 2), (3, 4), (6, 7)]) == 2
