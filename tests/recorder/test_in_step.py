"""A flash and a beep at each whole second, recorded as a pair of tracks, with loss and skew."""

from pathlib import Path
from random import Random

import numpy as np
import pytest

from recorder.files.manifest import Manifest
from recorder.folders import folder_of
from sfu.wire.parameters import VP8
from tests.recorder.flash_and_beep import beeps, flashes, when_it_beeps, when_it_flashes
from tests.recorder.link.orders import order
from tests.recorder.media.packetizer import FPS, audio_packets, video_packets
from tests.recorder.playing import DELAY, SID, START, Playing

SECONDS = 20
PER_SECOND = {"video": FPS, "audio": 50}


def record(root: Path, *, skew: float, loss: float) -> tuple[Playing, Manifest, set[int]]:
    """Record the clip; the seconds of which neither the flash's nor the beep's edge was lost."""
    playing = Playing(order(root))
    video = video_packets(VP8, flashes(SECONDS))
    audio = [[packet] for packet in audio_packets(beeps(SECONDS))]
    sent = [("video", number, unit) for number, unit in enumerate(video)]
    sent += [("audio", number, unit) for number, unit in enumerate(audio)]
    rng = Random(1)
    whole = set(range(SECONDS))
    for kind in SID:
        playing.add(kind)

    def captured(kind: str, number: int) -> float:
        return START + 0.5 + number / PER_SECOND[kind] / (1 + skew)

    for kind, number, unit in sorted(sent, key=lambda one: captured(*one[:2])):
        moment = captured(kind, number)
        if number % PER_SECOND[kind] == 0:  # a sender report each second
            playing.refer(unit[0], moment, kind=kind)
        kept = [packet for packet in unit if rng.random() >= loss]
        if len(kept) < len(unit):
            # The first of them, and what a decoder of sound needs to be in full swing.
            for edge in range(number - (4 if kind == "audio" else 0), number + 1):
                if edge % PER_SECOND[kind] in (0, PER_SECOND[kind] - 1):
                    whole.discard((edge + 1) // PER_SECOND[kind])
        playing.run_to(moment + DELAY)
        if kept:
            playing.recording.receive(SID[kind], kept, now=moment + DELAY)
    return playing, playing.stop(), whole


@pytest.mark.parametrize("skew", [-2e-3, 2e-3])
@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_a_pair_of_tracks_is_in_step(tmp_path: Path, skew: float, loss: float) -> None:
    playing, manifest, whole = record(tmp_path, skew=skew, loss=loss)
    found = {}
    for track in manifest.tracks:
        (segment,) = track.segments
        path = folder_of(playing.order) / segment.file
        times = when_it_flashes(path) if track.kind == "video" else when_it_beeps(path)
        found[track.kind] = segment.start + times
        assert bool(track.gaps) == bool(loss)
    expected = 0.5 + np.arange(SECONDS) / (1 + skew)
    assert len(whole) == SECONDS if not loss else len(whole) >= SECONDS / 3
    offsets = []
    for second in whole:
        flash, beep = (times[np.abs(times - expected[second]).argmin()] for times in found.values())
        assert flash == pytest.approx(expected[second], abs=0.02)
        assert beep == pytest.approx(expected[second], abs=0.02)
        offsets.append(abs(flash - beep))
    print(f"offset: median {np.median(offsets) * 1000:.1f} ms, at most {max(offsets) * 1000:.1f}")
    assert max(offsets) <= 0.02
