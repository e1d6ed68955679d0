"""What browsers call the codecs of a stream (RFC 6381), from what its encoder tells."""

from typing import Any, cast

from recorder.compose.encoded import EncodedStreams

NAMES = {"vp9": "vp09.00.41.08", "aac": "mp4a.40.2", "opus": "opus"}  # VP9: profile 0, up to 4K


def codec_names(streams: EncodedStreams) -> str:
    """For example "avc1.64001F,mp4a.40.2"."""
    names = []
    for name in streams.codecs:
        if name == "h264":
            assert streams.video is not None
            names.append(_avc(cast(Any, streams.video.codec_context).extradata))
        else:
            names.append(NAMES[name])
    return ",".join(names)


def _avc(extradata: bytes) -> str:
    """Profile, constraints and level are the bytes after the header of the SPS."""
    at = extradata.index(b"\0\0\1") + 3  # start codes of Annex B
    return f"avc1.{extradata[at + 1 : at + 4].hex().upper()}"
