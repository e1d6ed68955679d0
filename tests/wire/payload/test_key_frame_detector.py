import pytest

from sfu.wire.parameters import AUDIO_CODECS, VIDEO_CODECS
from sfu.wire.payload import key_frame_detector

KEY_FRAMES = {
    "VP8": bytes.fromhex("10 50"),
    "VP9": bytes.fromhex("8c 05 82"),
    "H264": bytes.fromhex("67 42"),
    "AV1": bytes.fromhex("58 0b"),
}


@pytest.mark.parametrize("codec", VIDEO_CODECS, ids=str)
def test_every_video_codec_has_its_detector(codec):
    detector = key_frame_detector(codec)
    assert [name for name, payload in KEY_FRAMES.items() if detector(payload)] == [codec.name]
    assert not detector(b"")


@pytest.mark.parametrize("codec", AUDIO_CODECS, ids=str)
def test_audio_has_no_key_frames(codec):
    detector = key_frame_detector(codec)
    assert not any(detector(payload) for payload in KEY_FRAMES.values())
