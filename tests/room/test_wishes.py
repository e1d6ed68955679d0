from dataclasses import replace

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


def chosen(
    settings: TrackSettings, among: list[LayerStatus] = LADDER, source: str = "camera"
) -> list[tuple[int, int]]:
    useful = useful_layers(among, settings, source=source)
    return [(layer.spatial, layer.temporal) for layer in useful]


def at(fps: float, among: list[LayerStatus] = LADDER) -> list[LayerStatus]:
    """As measured of a source with so many frames a second."""
    top = max(layer.temporal for layer in among)
    return [replace(layer, fps=fps / 2 ** (top - layer.temporal)) for layer in among]


# A screen: twice as large as it is, with few frames and with many.
SCREEN = [
    LayerStatus(0, 0, "l", 1920, 1080, 200_000, 5.0),
    LayerStatus(1, 0, "h", 1920, 1080, 1_500_000, 30.0),
]


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


def test_the_frame_rate_is_that_of_the_source() -> None:
    fifteen = TrackSettings(fps=15)
    assert chosen(fifteen, at(60))[-1] == (2, 0)
    assert chosen(fifteen, at(30))[-1] == (2, 1)
    assert chosen(fifteen, at(29))[-1] == (2, 1), "sources are not exact"
    assert chosen(fifteen, at(15))[-1] == (2, 2)
    assert chosen(fifteen, at(10))[-1] == (2, 2), "there is no more"
    assert chosen(TrackSettings(fps=5), at(24))[-1] == (2, 0)


def test_streams_with_fewer_temporal_layers_have_their_own() -> None:
    mixed = [*layers((30,)), *at(30, LADDER[3:])]
    assert chosen(TrackSettings(fps=15), [replace(mixed[0], fps=30), *mixed[1:]])[-1] == (2, 1)
    assert (0, 0) in chosen(TrackSettings(fps=15), mixed)


def test_a_face_is_rather_small_than_jerky() -> None:
    assert chosen(TrackSettings(), at(30)) == [
        *((0, temporal) for temporal in range(3)),
        *((1, temporal) for temporal in (1, 2)),
        *((2, temporal) for temporal in (1, 2)),
    ]
    slow = at(10, layers((30,), (66, 100)))
    assert chosen(TrackSettings(), slow)[-1] == (1, 1), "its source has no more"


def test_a_screen_is_rather_jerky_than_small() -> None:
    assert chosen(TrackSettings(), at(30), "screen_share") == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)
    ]  # fmt: skip


def test_few_frames_that_are_wished_for_do_not_jerk() -> None:
    assert chosen(TrackSettings(fps=5), at(30))[-1] == (2, 0)
    assert chosen(TrackSettings(temporal=0), at(30))[-1] == (2, 0)


def test_of_one_size_at_two_frame_rates_the_fuller_one_is_wanted() -> None:
    for settings in (
        TrackSettings(),
        TrackSettings(width=1920, height=1080),
        TrackSettings(width=9),
    ):
        assert chosen(settings, SCREEN, "screen_share") == [(0, 0), (1, 0)]
    assert chosen(TrackSettings(fps=5), SCREEN, "screen_share") == [(0, 0)]
    assert chosen(TrackSettings(fps=15), SCREEN, "screen_share") == [(0, 0), (1, 0)]
