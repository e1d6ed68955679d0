"""One encoding over good paths: what every story of a bad path is measured against."""

from tests.scenarios import stories
from tests.support.scenario import tell


def test_one_layer_over_a_wide_path_is_shown_whole() -> None:
    figures = tell(stories.plain())
    video = figures.video
    assert video.first_frame() < 0.5
    assert video.share("f", 1) == 1
    assert video.changes() == 0
    assert not video.freezes(0.2)
    assert video.decodable() > 0.995
    assert not video.receiver.corrupt
    assert 29 < video.fps(1) < 31
    assert figures.bottleneck.queue_delay(95) < 0.1
    assert figures.audio_loss() == 0
