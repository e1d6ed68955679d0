import pytest

from sfu.wire.parameters import AV1, VP8, VP9, Codec, Extension, h264
from sfu.wire.sdp import ExtMap, MediaSection, parse_sdp
from signaling.negotiation.codecs import Format
from signaling.negotiation.extensions import (
    OFFERED_IDS,
    common_extensions,
    offered_extensions,
    received,
    sent,
    without_needless,
)
from tests.support.descriptions import sample


def section(*extensions: ExtMap) -> MediaSection:
    return MediaSection("video", extensions=extensions)


def test_extensions_of_chrome_keep_their_ids():
    audio, video = parse_sdp(sample("chrome_simulcast")).media[::-1]
    assert set(received(common_extensions(audio, "audio")).values()) == {
        Extension.AUDIO_LEVEL,
        Extension.ABS_SEND_TIME,
        Extension.TRANSPORT_SEQUENCE_NUMBER,
        Extension.MID,
    }
    offered = {each.id: each.uri for each in video.extensions}
    agreed = received(common_extensions(video, "video"))
    assert agreed.items() <= offered.items()
    assert Extension.DEPENDENCY_DESCRIPTOR in agreed.values()
    assert Extension.RID in agreed.values()


def test_audio_and_video_have_their_own():
    level = section(ExtMap(1, Extension.AUDIO_LEVEL))
    assert common_extensions(level, "video") == ()
    assert common_extensions(level, "audio") == (ExtMap(1, Extension.AUDIO_LEVEL),)


def test_directions_are_answered_in_reverse():
    agreed = common_extensions(
        section(
            ExtMap(1, Extension.MID),
            ExtMap(2, Extension.ABS_SEND_TIME, "sendonly"),
            ExtMap(3, Extension.PLAYOUT_DELAY, "recvonly"),
            ExtMap(4, Extension.VIDEO_ORIENTATION, "inactive"),
        ),
        "video",
    )
    assert agreed == (
        ExtMap(1, Extension.MID),
        ExtMap(2, Extension.ABS_SEND_TIME, "recvonly"),
        ExtMap(3, Extension.PLAYOUT_DELAY, "sendonly"),
    )
    assert received(agreed) == {1: Extension.MID, 2: Extension.ABS_SEND_TIME}
    assert sent(agreed) == {Extension.MID: 1, Extension.PLAYOUT_DELAY: 3}


def test_rids_are_never_sent():
    agreed = common_extensions(section(ExtMap(10, Extension.RID)), "video")
    assert received(agreed) == {10: Extension.RID}
    assert sent(agreed) == {}


@pytest.mark.parametrize(
    ("preferred", "described"),
    [(VP8, False), (VP9, False), (AV1, True), (h264("constrained-baseline", 1), True)],
)
def test_publishers_describe_frames_where_their_payloads_do_not(preferred: Codec, described: bool):
    extensions = (ExtMap(4, Extension.MID), ExtMap(9, Extension.DEPENDENCY_DESCRIPTOR))
    formats = [Format(96, preferred), Format(45, AV1)]
    kept = without_needless(extensions, formats)
    assert kept == (extensions if described else extensions[:1])


def test_ids_that_cannot_be_used_are_left_out():
    agreed = common_extensions(
        section(
            ExtMap(4096, Extension.MID),
            ExtMap(2, Extension.ABS_SEND_TIME),
            ExtMap(2, Extension.PLAYOUT_DELAY),
            ExtMap(3, Extension.ABS_SEND_TIME),
            ExtMap(255, Extension.RID),
        ),
        "video",
    )
    assert agreed == (ExtMap(2, Extension.ABS_SEND_TIME), ExtMap(255, Extension.RID))


def test_offered_ids_fit_one_byte_headers_and_mean_one_thing():
    assert len(set(OFFERED_IDS.values())) == len(OFFERED_IDS)
    assert all(1 <= number <= 14 for number in OFFERED_IDS.values())
    both = {each.id: each.uri for each in offered_extensions("audio")}
    both |= {each.id: each.uri for each in offered_extensions("video")}
    assert both == {number: uri for uri, number in OFFERED_IDS.items()}
