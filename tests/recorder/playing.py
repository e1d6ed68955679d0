"""A track recording that is fed in virtual time.

`python -m tests.recorder.playing ROOT` begins one and ends in its midst without a word.
"""

import os
import sys
from pathlib import Path

from recorder.files.manifest import Manifest
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.folders import folder_of
from recorder.link.messages import RecordingOrder
from recorder.track_recording import TrackRecording
from recorder.values import ParticipantInfo, RecordedPacket, Reference, TrackInfo
from sfu.wire.parameters import VP8
from tests.recorder.link.orders import UNIX, order
from tests.recorder.media.packetizer import (
    FPS,
    audio_packets,
    encode_audio,
    encode_video,
    video_packets,
)

START = 1000.0  # monotonic, of the recording
DELAY = 0.04  # s from capture to us
SID = {"video": "TR_v", "audio": "TR_a"}


def info(kind, **fields):
    source = {"video": "camera", "audio": "microphone"}[kind]
    return TrackInfo(SID[kind], "PA_ann", "ann", kind, source, **fields)


class Playing:
    """A recording that is fed in virtual time.

    Attributes:
        now: Monotonic seconds.
        wishes: Sids of which key frames were asked for.
    """

    def __init__(self, order: RecordingOrder, *, resume: bool = False, now: float = START) -> None:
        self.order = order
        self.now = now
        self.recording = TrackRecording(order, wall_offset=UNIX, resume=resume)
        self.wishes: list[str] = []
        self.recording.add_participant(ParticipantInfo("PA_ann", "ann", "Ann"), time=UNIX + now)

    def add(self, kind: str, **fields) -> None:
        self.recording.add_track(info(kind, **fields), time=UNIX + self.now)

    def refer(self, packet: RecordedPacket, captured: float, *, kind: str = "video") -> None:
        """This packet was captured then, says its sender."""
        reference = Reference(packet.ssrc, UNIX + captured, packet.timestamp, True)
        self.recording.refer(SID[kind], reference)

    def play(self, *media: tuple[str, float, float, list]) -> None:
        """(kind, when the first was captured, seconds between two, lists of packets or packets)."""
        arrivals = []
        for kind, captured, interval, units in media:
            for number, unit in enumerate(units):
                sent = unit if isinstance(unit, list) else [unit]
                if sent:
                    arrivals.append((captured + number * interval + DELAY, kind, sent))
        for arrival, kind, sent in sorted(arrivals, key=lambda one: one[0]):
            self.run_to(arrival)
            self.recording.receive(SID[kind], sent, now=arrival)

    def run_to(self, when: float) -> None:
        while self.now + 0.2 <= when + 1e-6:
            self.now += 0.2
            self.recording.tick(now=self.now)
            self.wishes += self.recording.take_key_frame_wishes()

    def stop(self, reason: str = "stopped") -> Manifest:
        self.run_to(self.now + 1.0)
        self.recording.stop(reason, now=self.now)
        return ManifestFile(folder_of(self.order) / FILE_NAME).load()


def main() -> None:
    playing = Playing(order(Path(sys.argv[1])))
    playing.add("video")
    playing.add("audio")
    video, audio = video_packets(VP8, encode_video(VP8, 60)), audio_packets(encode_audio(100))
    playing.refer(video[0][0], START)
    playing.refer(audio[0], START, kind="audio")
    playing.play(("video", START, 1 / FPS, video), ("audio", START, 0.02, audio))
    os._exit(0)


if __name__ == "__main__":
    main()
