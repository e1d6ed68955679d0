"""Invariant: no packets make a reader raise, and times increase whatever comes."""

from random import Random

import pytest

from recorder.media.track_reader import TrackReader
from recorder.values import RecordedPacket, Reference
from sfu.wire.parameters import OPUS, RED, VP9_PROFILE_2
from tests.fuzz.mutate import corpus, mutations
from tests.recorder.media.packetizer import (
    VIDEO_CODECS,
    audio_packets,
    encode_audio,
    encode_video,
    video_packets,
)

COUNT = 20_000
SEED = 11


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_junk(kind):
    rng = Random(SEED)
    codecs = (OPUS, RED) if kind == "audio" else (*VIDEO_CODECS, VP9_PROFILE_2)
    seeds = corpus("payload")
    if kind == "video":
        for codec in VIDEO_CODECS:
            seeds += [p.payload for p in video_packets(codec, encode_video(codec))[0][:3]]
    else:
        seeds += [p.payload for p in audio_packets(encode_audio(20), red=2)]
    reader = TrackReader(kind)
    codec, ssrc, index, timestamp, now = codecs[0], 1, 0, 0, 0.0
    before = float("-inf")
    frames = 0
    for payload in mutations(seeds, COUNT, rng):
        chance = rng.random()
        if chance < 0.02:
            codec = rng.choice(codecs)
        elif chance < 0.03:
            ssrc = rng.randrange(12)
        elif chance < 0.04:
            timestamp = rng.getrandbits(32)
        elif chance < 0.05:
            index = max(0, index + rng.choice((-100_000, -10, 10, 100_000)))
        elif chance < 0.1:
            time = now + rng.uniform(-20, 20)
            reader.refer(Reference(ssrc, time, rng.getrandbits(32), rng.random() < 0.5))
        index += rng.choice((1, 1, 1, 1, 1, 1, 2, -1))
        if rng.random() < 0.6:
            timestamp = (timestamp + 960) & 0xFFFFFFFF
        now += rng.expovariate(200)
        packet = RecordedPacket(
            ssrc,
            max(0, index),
            timestamp,
            rng.random() < 0.5,
            rng.random() < 0.3,
            codec,
            payload,
            rng.choice((None, None, 90)),
        )
        correction = reader.offset_correction
        reader.receive([packet], now=now)
        reader.take_key_frame_wish(now=now)
        if correction is None and reader.offset_correction is not None:
            before = float("-inf")
        out = reader.read(now=now)
        if rng.random() < 0.001:
            out += reader.flush(now=now)
        timer = reader.get_timer()
        assert timer is None or timer > now
        for frame in out:
            frames += 1
            assert frame.data
            assert frame.time > before
            before = frame.time
    assert frames > COUNT // 100
