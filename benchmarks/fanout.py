"""CPU time of the real server per forwarded packet: publishers × WHEP viewers.

    python -m benchmarks.fanout [--publishers N] [--viewers N] [--packets N] [--seconds S] ...

Starts `aiosfu serve --dev` on one core, loads it from another over loopback, and reads its CPU time
from /proc. The path is the whole one: DTLS-SRTP (AES-128-GCM), retransmission cache, statistics,
sender reports.
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from benchmarks.lean_client import LeanClient
from sfu.wire.rtp import build_rtp

FPS = 30
PACKET_SIZE = 1100  # bytes of RTP before protection
KEY_FRAME = b"\x10\x00\x00\x00\x9d\x01\x2a"  # VP8: descriptor and the start of a key frame
DELTA_FRAME = b"\x10\x01\x00\x00\x00\x00\x00"
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Publisher:
    """Sends frames of equal packets at a steady rate; key frames when asked."""

    def __init__(self, client: LeanClient, number: int, packets: int) -> None:
        self.client = client
        self.sent = 0
        self._ssrc = 1000 + number
        self._packets = packets
        self._timestamp = 0
        self._answered = 0
        self._rest = os.urandom(PACKET_SIZE - 12 - len(KEY_FRAME))

    def frame(self) -> None:
        """Send one frame."""
        wanted = self.client.key_frames_wanted
        key = wanted != self._answered or self.sent == 0
        self._answered = wanted
        packets = []
        for i in range(self._packets):
            start = (KEY_FRAME if key else DELTA_FRAME) if i == 0 else b"\x00" * len(KEY_FRAME)
            packets.append(
                build_rtp(
                    payload_type=96,
                    sequence_number=self.sent & 0xFFFF,
                    timestamp=self._timestamp,
                    ssrc=self._ssrc,
                    payload=start + self._rest,
                    marker=i == self._packets - 1,
                )
            )
            self.sent += 1
        self._timestamp = (self._timestamp + 90000 // FPS) & 0xFFFFFFFF
        self.client.send(packets)


async def load(url: str, pid: int, options: argparse.Namespace) -> tuple[float, float, float]:
    """Run one load; returns (µs per forwarded packet, packets/s, share lost)."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        publishers = []
        viewers: list[LeanClient] = []
        for number in range(options.publishers):
            client = LeanClient(f"{url}/whip/bench", publishes=True)
            await client.start(http)
            publishers.append(Publisher(client, number, options.packets))
        for _ in range(options.viewers):
            viewer = LeanClient(f"{url}/whep/bench", publishes=False)
            await viewer.start(http)
            viewers.append(viewer)

        async def play(seconds: float) -> None:
            start = time.perf_counter()
            for number in range(int(seconds * FPS)):
                for publisher in publishers:
                    publisher.frame()
                delay = start + (number + 1) / FPS - time.perf_counter()
                await asyncio.sleep(max(0, delay))

        await play(1.5)  # until everyone has a key frame
        before = sum(v.packets for v in viewers), sum(v.expected for v in viewers)
        cpu, wall = cpu_seconds(pid), time.perf_counter()
        await play(options.seconds)
        cpu, wall = cpu_seconds(pid) - cpu, time.perf_counter() - wall
        await asyncio.sleep(0.2)
        got = sum(v.packets for v in viewers) - before[0]
        expected = sum(v.expected for v in viewers) - before[1]
        for client in (*viewers, *(p.client for p in publishers)):
            client.close()
        return cpu / expected * 1e6, expected / wall, 1 - got / expected


def run(options: argparse.Namespace) -> tuple[float, float, float]:
    """Start a server, load it, stop it."""
    aiosfu = str(Path(sys.executable).with_name("aiosfu"))
    command = [aiosfu, "serve", "--dev", "--max-participants", "2000", "--log-level", "error"]
    command += ["--http-port", "0", "--udp-port", "0", "--tcp-port", "0"]
    cores = sorted(os.sched_getaffinity(0))
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores[:1]),
    )
    try:
        assert server.stdout is not None
        for line in server.stdout:
            found = re.search(r"http://[\d.]+:\d+", line)
            if found:
                break
        else:
            raise SystemExit("the server did not start")
        os.sched_setaffinity(0, cores[1:] or cores)
        return asyncio.run(load(found[0], server.pid, options))
    finally:
        server.terminate()
        server.wait(10)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print its medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publishers", type=int, default=1)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--packets", type=int, default=8, help="packets of a frame")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(arguments)
    results = []
    for _ in range(options.runs):
        results.append(run(options))
        print("{:6.2f} µs a packet, {:8.0f} packets/s, {:.3%} lost".format(*results[-1]))
    print(
        f"{options.publishers} × {options.viewers}, {options.packets} packets a frame: median "
        f"{statistics.median(r[0] for r in results):.2f} µs of CPU per forwarded packet"
    )


if __name__ == "__main__":
    main()
