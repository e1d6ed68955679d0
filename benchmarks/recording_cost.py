"""What recording costs while a call runs: `python -m benchmarks.recording_cost [--tracks 10]`.

Tracks of 2 Mbit/s are sent for a while to a recorder process, as a server does it, and the same to
one subscriber, with and without encryption. Prints CPU time for each Mbit/s, of the server and
of the recorder.
"""

import argparse
import asyncio
import resource
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.micro.packets import FRAME, SIZE, stream
from benchmarks.micro.sending import LAYOUTS, Source, connected
from recorder.link.messages import (
    RecordingOrder,
    StartRecording,
    StatusIs,
    StopRecording,
    ToServer,
    TrackCame,
)
from recorder.link.process import RecorderProcess
from recorder.link.tap import TrackTap
from recorder.values import ENDED, RecordingRequest, TrackInfo
from sfu.config import Config
from sfu.net import mmsg
from sfu.net.datagrams import UdpCounters
from sfu.transport.outbox import Outbox
from sfu.wire.parameters import VP8, Codec
from sfu.wire.rtp import RtpPacket, build_rtp, parse_rtp

FPS = 30
KEY_FRAMES = 60  # frames from one to the next
KEY_FRAME = b"\x10\x10\x02\x00\x9d\x01\x2a\x00\x05\xd0\x02"  # VP8 payload descriptor, then 1280x720
DELTA_FRAME = b"\x10\x11\x02\x00"
WALL_OFFSET = time.time() - time.monotonic()
MBIT_PER_TRACK = FRAME * SIZE * 8 * FPS / 1e6


class Clip(Source):
    """A track of one stream, whose sender reports."""

    def __init__(self) -> None:
        self._stream = stream(VP8)
        self.begun = time.monotonic()

    def captured(self, ssrc: int, timestamp: int, codec: Codec, *, now: float) -> float:  # type: ignore[override]  # noqa: ARG002
        """Exactly as its timestamp says."""
        return WALL_OFFSET + self.begun + timestamp / codec.clock_rate

    def frame(self, number: int) -> list[RtpPacket]:
        """The packets of a frame, as the fan-out gets them."""
        packets = []
        for position in range(FRAME):
            head = b"\x00" if position else (DELTA_FRAME if number % KEY_FRAMES else KEY_FRAME)
            data = build_rtp(
                payload_type=96,
                sequence_number=(number * FRAME + position) & 0xFFFF,
                timestamp=number * 3000,
                ssrc=1,
                payload=head + bytes(SIZE - 12 - len(head)),
                marker=position == FRAME - 1,
            )
            packet = parse_rtp(data, arrival=0.0)
            self._stream.receive(packet, now=0.0)
            packets.append(packet)
        return packets


async def pace(
    frames: list[list[RtpPacket]], send: Callable[[list[RtpPacket], float], None]
) -> float:
    """CPU seconds of this process for sending the frames when their time has come."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    before = time.process_time()
    for number, frame in enumerate(frames):
        await asyncio.sleep(max(0.0, start + number / FPS - loop.time()))
        send(frame, loop.time())
    return time.process_time() - before


async def record(clip: Clip, frames: list[list[RtpPacket]], tracks: int) -> tuple[float, float]:
    """CPU seconds of the server's process and of the recorder's, for recording so many tracks."""
    ended = asyncio.Event()

    def hear(said: ToServer) -> None:
        if isinstance(said, StatusIs) and said.status.state in ENDED:
            print(f"   {said.status}")
            ended.set()

    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = RecorderProcess(hear, ended.set)
    with tempfile.TemporaryDirectory() as root:
        order = RecordingOrder(
            "RC_1",
            "room",
            RecordingRequest(),
            str(Path(root)),
            Config().recording_template,
            0,
            "",
            time.time(),
        )
        process.link.tell(StartRecording(order, WALL_OFFSET))
        taps = [
            TrackTap(clip, process.link, "RC_1", wall_offset=WALL_OFFSET) for _ in range(tracks)
        ]
        for number, tap in enumerate(taps):
            info = TrackInfo(f"TR_{number}", "PA_1", f"p{number}", "video", "camera")
            process.link.tell(TrackCame("RC_1", tap.handle, info, time.time()))
        await asyncio.sleep(1.0)  # it starts
        clip.begun = time.monotonic()

        def send(frame: list[RtpPacket], now: float) -> None:
            for tap in taps:
                tap.receive_packets(frame, now=now)

        spent = await pace(frames, send)
        process.link.tell(StopRecording("RC_1", "stopped"))
        await ended.wait()
        await process.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    return spent, used


async def forward(frames: list[list[RtpPacket]], tracks: int, *, encrypt: bool) -> float:
    """CPU seconds for sending so many tracks to one subscriber."""
    outbox = Outbox()
    local, remote = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with local, remote:
        remote.bind(("127.0.0.1", 0))
        fanouts, dispatcher = connected(
            outbox,
            LAYOUTS["transport-wide number"],
            tracks=tracks,
            subscribers=1,
            encrypt=encrypt,
            host="127.0.0.1",
            port=remote.getsockname()[1],
            now=time.monotonic(),
        )
        local.setblocking(False)
        sender = mmsg.BatchSender(local, UdpCounters())

        def send(frame: list[RtpPacket], now: float) -> None:
            for fanout in fanouts:
                fanout.forward(frame, (), now=now)
            dispatcher.flush(now=now)
            sender.send(outbox, outbox.runs)
            outbox.clear()

        return await pace(frames, send)


async def measure(tracks: int, seconds: float) -> None:
    """Print what there is to know."""
    clip = Clip()
    frames = [clip.frame(number) for number in range(round(seconds * FPS))]
    megabits = tracks * MBIT_PER_TRACK
    print(f"{tracks} tracks of {MBIT_PER_TRACK:.2f} Mbit/s for {seconds:.0f} s; CPU per Mbit/s:")
    idle = await pace(frames, lambda *_: None)
    _, started = await record(clip, [], 0)

    def show(what: str, spent: float) -> None:
        print(f"{what:48} {100 * spent / seconds / megabits:8.4f} % of a core")

    server, recorder = await record(clip, frames, tracks)
    show("server, to the recorder", server - idle)
    show("recorder", recorder - started)
    show(
        "server, to one subscriber, not encrypted",
        await forward(frames, tracks, encrypt=False) - idle,
    )
    show(
        "server, to one subscriber, AES-128-GCM", await forward(frames, tracks, encrypt=True) - idle
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    asyncio.run(measure(options.tracks, options.seconds))


if __name__ == "__main__":
    main()
