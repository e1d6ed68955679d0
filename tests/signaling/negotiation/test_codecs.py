from collections import Counter

import pytest

from sfu.wire.parameters import (
    AUDIO_CODECS,
    AV1,
    OPUS,
    RED,
    VIDEO_CODECS,
    VP8,
    VP9,
    VP9_PROFILE_2,
    h264,
)
from sfu.wire.sdp import MediaSection, parse_sdp
from signaling.negotiation.codecs import (
    FEEDBACK,
    OFFERED,
    Format,
    common_formats,
    rtx_payload_types,
    sendable,
    speaks,
)
from tests.support.descriptions import sample


def section(kind: str, formats: str, *lines: str) -> MediaSection:
    head = f"v=0\r\nm={kind} 9 UDP/TLS/RTP/SAVPF {formats}\r\n"
    return parse_sdp(head + "".join(f"a={line}\r\n" for line in lines)).media[0]


def test_codecs_of_chrome():
    audio, video, _ = parse_sdp(sample("chrome_publish")).media
    assert common_formats(audio) == (
        Format(111, OPUS, "minptime=10;useinbandfec=1", ("transport-cc",)),
        Format(63, RED, "111/111"),
    )
    formats = common_formats(video)
    assert [(each.payload_type, each.codec, each.rtx) for each in formats] == [
        (96, VP8, 97),
        (102, h264("baseline", 1), 103),
        (104, h264("baseline", 0), 107),
        (108, h264("constrained-baseline", 1), 109),
        (114, h264("constrained-baseline", 0), 115),
        (116, h264("main", 1), 117),
        (39, h264("main", 0), 40),
        (45, AV1, 46),
        (98, VP9, 99),
        (100, VP9_PROFILE_2, 101),
    ]
    assert all(each.feedback == FEEDBACK for each in formats)


def test_names_may_have_any_case():
    formats = common_formats(section("audio", "0 7", "rtpmap:7 OPUS/48000/2", "rtpmap:0 PCMU/8000"))
    assert [(each.payload_type, each.codec) for each in formats] == [(7, OPUS)]


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [
        ("audio", "opus/48000"),
        ("audio", "opus/44100/2"),
        ("audio", "VP8/90000"),
        ("video", "opus/48000/2"),
        ("video", "H265/90000"),
        ("video", "red/90000"),
        ("video", "rtx/90000"),
    ],
)
def test_codecs_that_are_not_ours(kind, encoding):
    assert common_formats(section(kind, "100", f"rtpmap:100 {encoding}")) == ()


@pytest.mark.parametrize(
    ("encoding", "parameters", "codec"),
    [
        ("VP9", "", VP9),
        ("VP9", "profile-id=0", VP9),
        ("VP9", "profile-id=2", VP9_PROFILE_2),
        ("VP9", "profile-id=1", None),
        ("AV1", "", AV1),
        ("AV1", "level-idx=5;tier=0", AV1),
        ("AV1", "profile=1", None),
        ("H264", "", h264("constrained-baseline", 0)),
        ("H264", "packetization-mode=1;profile-level-id=640c1f", h264("constrained-high", 1)),
        ("H264", "profile-level-id=zz", None),
    ],
)
def test_variants(encoding, parameters, codec):
    lines = [f"rtpmap:100 {encoding}/90000"]
    if parameters:
        lines.append(f"fmtp:100 {parameters}")
    formats = common_formats(section("video", "100", *lines))
    assert [each.codec for each in formats] == ([codec] if codec else [])


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("", "minptime=10"),
        ("minptime=20;useinbandfec=1;usedtx=1", "minptime=20;useinbandfec=1;usedtx=1"),
        ("stereo=1", "minptime=10;stereo=1"),
        ("sprop-stereo=1;maxaveragebitrate=96000", "minptime=10;stereo=1"),
        ("useinbandfec=0;stereo=0", "useinbandfec=0;minptime=10"),
        ("minptime=ü", "minptime=10"),
    ],
)
def test_opus_parameters(offered, answered):
    lines = ["rtpmap:111 opus/48000/2"] + ([f"fmtp:111 {offered}"] if offered else [])
    assert common_formats(section("audio", "111", *lines))[0].parameters == answered


@pytest.mark.parametrize(
    ("encoding", "offered", "answered"),
    [
        ("VP8", "max-fs=12288;max-fr=60", ""),
        ("VP9", "profile-id=2;max-fs=12288", "profile-id=2"),
        ("AV1", "level-idx=5;profile=0;tier=0", "level-idx=5;profile=0;tier=0"),
        ("H264", "x=y", "profile-level-id=42e01f"),
        (
            "H264",
            "profile-level-id=42e034;packetization-mode=1;level-asymmetry-allowed=1",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034",
        ),
    ],
)
def test_video_parameters(encoding, offered, answered):
    lines = [f"rtpmap:100 {encoding}/90000", f"fmtp:100 {offered}"]
    assert common_formats(section("video", "100", *lines))[0].parameters == answered


@pytest.mark.parametrize(
    ("parameters", "taken"),
    [("111/111", True), ("111", True), ("111/112", False), ("0/0", False), ("", False)],
)
def test_red_stands_only_on_opus_that_was_taken(parameters, taken):
    lines = ["rtpmap:111 opus/48000/2", "rtpmap:63 red/48000/2", "rtpmap:0 PCMU/8000"]
    lines += [f"fmtp:63 {parameters}"] if parameters else []
    formats = common_formats(section("audio", "63 111 0", *lines))
    assert [each.codec for each in formats] == ([RED, OPUS] if taken else [OPUS])


def test_payload_types_that_cannot_be_are_skipped():
    lines = [f"rtpmap:{number} VP8/90000" for number in (0, 63, 64, 95, 96, 127)]
    formats = common_formats(section("video", "0 63 64 95 96 127 96 90000 x 100", *lines))
    assert [each.payload_type for each in formats] == [0, 63, 96, 127]


def test_retransmission_is_kept_for_kept_codecs_only():
    lines = ["rtpmap:96 VP8/90000", "rtpmap:97 rtx/90000", "fmtp:97 apt=96"]
    lines += ["rtpmap:98 H265/90000", "rtpmap:99 rtx/90000", "fmtp:99 apt=98"]
    lines += ["rtpmap:100 VP9/90000", "rtpmap:101 rtx/90000", "fmtp:101 apt=x"]
    formats = common_formats(section("video", "96 97 98 99 100 101", *lines))
    assert rtx_payload_types(formats) == {96: 97}


def test_feedback_that_is_not_ours_is_not_confirmed():
    lines = ["rtpmap:96 VP8/90000", "rtcp-fb:96 nack rpsi", "rtcp-fb:* nack pli", "rtcp-fb:96 ack"]
    formats = common_formats(section("video", "96", *lines))
    assert formats[0].feedback == ("nack pli",)
    assert speaks(formats, "nack pli")
    assert not speaks(formats, "nack")


def test_receivers_take_exactly_their_codecs():
    assert sendable([Format(100, VP8), Format(101, VP8), Format(102, VP9)]) == {VP8: 100, VP9: 102}
    assert sendable([Format(63, RED), Format(111, OPUS)]) == {RED: 63, OPUS: 111}
    assert sendable([]) == {}


def test_receivers_of_h264_take_what_they_can_decode():
    taken = sendable([Format(100, h264("high", 1)), Format(102, h264("constrained-baseline", 1))])
    assert taken[h264("high", 0)] == 100
    assert taken[h264("main", 1)] == 100
    assert taken[h264("constrained-high", 1)] == 100
    assert taken[h264("constrained-baseline", 0)] == 102
    assert taken[h264("baseline", 1)] == 102
    only_mode_0 = sendable([Format(104, h264("main", 0))])
    assert only_mode_0[h264("constrained-baseline", 0)] == 104
    assert h264("constrained-baseline", 1) not in only_mode_0
    assert h264("high", 0) not in only_mode_0


def test_offered_payload_types_mean_one_thing_and_are_not_rtcp():
    numbers = Counter(
        number
        for formats in OFFERED.values()
        for each in formats
        for number in (each.payload_type, each.rtx)
        if number is not None
    )
    assert set(numbers.values()) == {1}
    assert all(35 <= number <= 63 or 96 <= number <= 127 for number in numbers)


def test_all_codecs_are_offered():
    assert {each.codec for each in OFFERED["audio"]} == set(AUDIO_CODECS)
    assert {each.codec for each in OFFERED["video"]} == set(VIDEO_CODECS)
