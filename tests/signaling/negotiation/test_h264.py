import pytest

from sfu.wire.parameters import H264_PROFILES, h264
from signaling.negotiation.h264 import h264_codec, h264_profile, h264_receivers


@pytest.mark.parametrize(
    ("profile_level_id", "profile"),
    [
        ("42e01f", "constrained-baseline"),
        ("42E01F", "constrained-baseline"),
        ("42c016", "constrained-baseline"),  # x264
        ("4d801f", "constrained-baseline"),
        ("58c01f", "constrained-baseline"),
        ("42001f", "baseline"),
        ("58801f", "baseline"),
        ("4d001f", "main"),
        ("4d4028", "main"),  # x264
        ("64001f", "high"),
        ("640c1f", "constrained-high"),
        ("422001f", "constrained-baseline"),  # FFmpeg's whip muxer for "constrained"
        ("f4001f", None),  # high 4:4:4 predictive
        ("58001f", None),  # extended
        ("6e001f", None),  # high 10
        ("42e01", None),
        ("42e01g", None),
        ("42e01f0", None),
        ("", None),
    ],
)
def test_profiles(profile_level_id, profile):
    assert h264_profile(profile_level_id) == profile


def test_parameters_that_are_not_there_have_defaults():
    assert h264_codec({}) == h264("constrained-baseline", 0)
    assert h264_codec({"packetization-mode": "1"}) == h264("constrained-baseline", 1)


@pytest.mark.parametrize(
    "parameters", [{"packetization-mode": "2"}, {"profile-level-id": "f4001f"}]
)
def test_variants_that_we_do_not_know(parameters):
    assert h264_codec(parameters) is None


@pytest.mark.parametrize("profile", H264_PROFILES)
@pytest.mark.parametrize("mode", [0, 1])
def test_own_variant_is_the_best_receiver(profile, mode):
    assert next(h264_receivers(h264(profile, mode))) == h264(profile, mode)


def test_streams_go_to_receivers_that_decode_more():
    receivers = list(h264_receivers(h264("constrained-baseline", 1)))
    assert receivers == [
        h264(profile, 1)
        for profile in ("constrained-baseline", "baseline", "main", "constrained-high", "high")
    ]
    assert h264("main", 1) not in h264_receivers(h264("high", 1))
    assert h264("constrained-baseline", 1) not in h264_receivers(h264("main", 1))


def test_mode_0_goes_to_mode_1_but_not_the_other_way_round():
    assert list(h264_receivers(h264("high", 0))) == [h264("high", 0), h264("high", 1)]
    assert list(h264_receivers(h264("high", 1))) == [h264("high", 1)]
