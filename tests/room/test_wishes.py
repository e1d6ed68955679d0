from sfu.room.media_settings import TrackSettings
from sfu.room.media_status import LayerStatus
from sfu.room.wishes import priority_of, useful_layers

WIDTHS = (240, 480, 960)


def layers(*bitrates: tuple[int, ...]) -> list[LayerStatus]:
    """For each spatial layer, what its temporal layers take in kbit/s."""
    return [
        LayerStatus(spatial, temporal, "", WIDTHS[spatial], WIDTHS[spatial] * 9 // 16, 1000 * rate)
        for spatial, rates in enumerate(bitrates)
        for temporal, rate in enumerate(rates)
    ]


LADDER = layers((30, 45, 80), (66, 100, 160), (149, 250, 440))


def chosen(settings: TrackSettings, among: list[LayerStatus] = LADDER) -> list[tuple[int, int]]:
    return [(layer.spatial, layer.temporal) for layer in useful_layers(among, settings)]


def test_everything_is_wanted_of_what_is_shown_at_an_unknown_size() -> None:
    # (0, 2) and (1, 2) cost more than the next picture size does.
    assert chosen(TrackSettings()) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]


def test_the_smallest_that_fills_the_size_comes_at_its_full_rate() -> None:
    assert chosen(TrackSettings(width=240, height=135)) == [(0, 0), (0, 1), (0, 2)]
    assert chosen(TrackSettings(width=480, height=270))[-1] == (1, 2)
    assert chosen(TrackSettings(width=500, height=280))[-1] == (1, 2), "a little upscaling"
    assert chosen(TrackSettings(width=4000, height=3000))[-1] == (2, 2)


def test_frame_rate_is_bounded_by_temporal_layers() -> None:
    assert chosen(TrackSettings(fps=15))[-1] == (2, 1)
    assert chosen(TrackSettings(fps=7))[-1] == (2, 0)
    assert chosen(TrackSettings(temporal=0)) == [(0, 0), (1, 0), (2, 0)]


def test_layers_are_named_explicitly() -> None:
    assert chosen(TrackSettings(layer=1, width=10, height=10))[-1] == (1, 2)
    assert chosen(TrackSettings(layer=7))[-1] == (2, 2)
    assert chosen(TrackSettings(layer=0), LADDER[3:]) == [(1, 0), (1, 1), (1, 2)], "is not there"


def test_one_layer_is_wanted_whatever_it_costs() -> None:
    for settings in (TrackSettings(), TrackSettings(width=1, height=1), TrackSettings(temporal=0)):
        assert chosen(settings, layers((0,))) == [(0, 0)]


def test_priority_is_the_subscribers_or_the_sources() -> None:
    assert priority_of("camera", TrackSettings(priority=7)) == 7
    assert priority_of("screen_share", TrackSettings()) > priority_of("camera", TrackSettings())
