"""What may be asked of a recorder."""

import pytest

from recorder.requests import MAX_LISTED, MAX_OUTPUTS, check, is_wanted
from recorder.values import RecordingRequest
from sfu.config import Config
from sfu.errors import LimitError, RemoteError

CONFIG = Config()


@pytest.mark.parametrize(
    "request_",
    [
        RecordingRequest(),
        RecordingRequest(format="webm", identities=("ann",), tracks=("TR_1",)),
        RecordingRequest(template="{recording}/{identity}.mkv"),
        RecordingRequest(mode="composite", layout="audio", file=False, hls=True),
        RecordingRequest(mode="composite", width=3840, height=2160, fps=60, background="#FFffFF"),
        RecordingRequest(
            mode="composite",
            format="mp4",
            outputs=(
                "rtmp://host/app/key?a=b",
                "rtmps://host:444/x/y",
                "srt://[::1]:9000?latency=9",
            ),
        ),
    ],
)
def test_what_can_be_recorded(request_: RecordingRequest) -> None:
    check(request_, CONFIG)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"mode": "composite", "format": "mkv"}, "mp4 or webm"),
        ({"storage": "s3"}, "s3_bucket is empty"),
        ({"template": "../{recording}/x"}, "template"),
        ({"template": "{identity}"}, "no folder with {recording}"),
        ({"identities": ()}, "leave it out"),
        ({"tracks": ()}, "leave it out"),
        ({"hls": True}, "for the mode composite alone"),
        ({"layout": "speaker"}, "for the mode composite alone"),
        ({"mode": "composite", "width": 1281}, "even number from 64 to 3840"),
        ({"mode": "composite", "height": 0}, "even number from 64 to 3840"),
        ({"mode": "composite", "width": 3840, "height": 3840}, "width times height"),
        ({"mode": "composite", "fps": 0}, "1 to 60"),
        ({"mode": "composite", "fps": 61}, "1 to 60"),
        ({"mode": "composite", "background": "blue"}, "#16181d"),
        ({"mode": "composite", "file": False}, "hls or outputs"),
        ({"mode": "composite", "outputs": ("http://host/x",)}, "rtmp://, rtmps:// or srt://"),
        ({"mode": "composite", "outputs": ("rtmp:///x",)}, "must name a host"),
        ({"mode": "composite", "outputs": ("rtmp://host:x/",)}, "malformed"),
        ({"mode": "composite", "outputs": ("rtmp://host/a b",)}, "characters"),
        ({"mode": "composite", "outputs": ("rtmp://host/a\n",)}, "characters"),
        ({"mode": "composite", "outputs": ("srt://a:1?" + "x" * 3000,)}, "2048 characters"),
        ({"mode": "composite", "format": "webm", "outputs": ("srt://a:1",)}, "must be mp4"),
        ({"mode": "composite", "outputs": ("srt://host",)}, "must name a port"),
        ({"mode": "composite", "outputs": ("srt://a:1", "srt://a:1")}, "twice"),
    ],
)
def test_what_cannot_is_refused_with_what_would_be_right(
    fields: dict[str, object], sentence: str
) -> None:
    with pytest.raises(RemoteError) as refused:
        check(RecordingRequest(**fields), CONFIG)  # type: ignore[arg-type]
    assert refused.value.name == "bad_request"
    assert sentence in refused.value.message


@pytest.mark.parametrize(
    "request_",
    [
        RecordingRequest(tracks=("TR_1",) * (MAX_LISTED + 1)),
        RecordingRequest(identities=("x" * 257,)),
        RecordingRequest(mode="composite", outputs=("srt://a:1",) * (MAX_OUTPUTS + 1)),
    ],
)
def test_what_is_too_long(request_: RecordingRequest) -> None:
    with pytest.raises(LimitError) as refused:
        check(request_, CONFIG)
    assert refused.value.name == "too_large"


def test_stream_keys_are_not_repeated() -> None:
    for url in ("http://host/secret", "rtmp://host:x/secret", "srt://secret", "rtmp://secret \n"):
        with pytest.raises(RemoteError) as refused:
            check(RecordingRequest(mode="composite", outputs=(url,)), CONFIG)
        assert "secret" not in refused.value.message


def test_s3_with_a_bucket() -> None:
    check(RecordingRequest(storage="s3"), Config(s3_bucket="recordings"))


@pytest.mark.parametrize(
    ("room", "wanted"),
    [("lecture-1", True), ("lecture-", True), ("my lecture-1", False), ("[a]", True), ("a", False)],
)
def test_rooms_by_pattern(room: str, wanted: bool) -> None:
    assert is_wanted(room, Config(record_rooms=("lecture-*", "[a]"))) is wanted


def test_logs_do_not_show_what_is_secret_in_outputs() -> None:
    request = RecordingRequest(mode="composite", outputs=("rtmp://host/app/key", "srt://a:1"))
    assert "key" not in repr(request)
    assert "mode='composite'" in repr(request)
    assert "outputs=<2>" in repr(request)
