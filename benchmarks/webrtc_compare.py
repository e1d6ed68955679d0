"""Two pages of Chromium directly, and the same through aiosfu, over the same narrow path.

    python -m benchmarks.webrtc_compare [--seconds 25] [--runs 1]

From the repository only: the browser and the bottleneck are those of the tests. The path to the
receiver takes 3 Mb/s, then 600 kb/s, then 2 Mb/s, with 20 ms each way and 0.3 s of queue. The
picture is a pattern that moves, with some that does not fit, at 960x540 and 15 frames/s in VP8:
an encoder can fill whatever rate it is given. Directly the sender has one encoding, through aiosfu
three, of 150, 500 and 1,700 kb/s.
"""

import argparse
import asyncio
import re
import socket
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.table import table
from tests.support.capacity import Capacity
from tests.support.chromium import Chromium, Tab, running_chromium
from tests.support.layers_page import Page
from tests.support.server import running_server, server_process
from tests.support.udp_bottleneck import UdpBottleneck, udp_bottleneck

CAPACITIES = (3_000_000, 600_000, 2_000_000)  # bit/s
PATH = {"delay": 0.02, "queue": 0.3}  # s
SIZE = (960, 540)  # pixels; of less, Chromium sends no three layers
FRAME_RATE = 15  # frames/s
HIGHEST = 1_700_000  # bit/s, of one encoding
LAYERS = [
    {"rid": "q", "scaleResolutionDownBy": 4, "maxBitrate": 150_000, "scalabilityMode": "L1T3"},
    {"rid": "h", "scaleResolutionDownBy": 2, "maxBitrate": 500_000, "scalabilityMode": "L1T3"},
    {"rid": "f", "scaleResolutionDownBy": 1, "maxBitrate": HIGHEST, "scalabilityMode": "L1T3"},
]
WINDOW = 2.0  # s over which the rate is looked at; a shorter one would see the frames
SETTLED = 0.25  # share by which the rate may differ from what it is in the end

PATTERN = """
({ width, height, frameRate }) => {
  const make = (width, height) =>
    Object.assign(document.createElement("canvas"), { width, height });
  const pattern = make(width + 256, height + 256);
  const grain = pattern.getContext("2d");
  for (let x = 0; x < pattern.width; x += 40) {
    for (let y = 0; y < pattern.height; y += 40) {
      grain.fillStyle = `hsl(${Math.random() * 360} 60% ${30 + Math.random() * 40}%)`;
      grain.fillRect(x, y, 40, 40);
    }
  }
  const canvas = make(width, height);
  const context = canvas.getContext("2d");
  let time = 0;
  setInterval(() => {
    time += 1 / frameRate;
    context.drawImage(pattern, 128 * Math.cos(time / 2) - 128, 128 * Math.sin(time / 2) - 128);
    for (let count = 0; count < 8; count += 1) {
      const [x, y] = [Math.random() * width, Math.random() * height];
      context.drawImage(pattern, x, y, 48, 48, width - x, height - y, 48, 48);
    }
  }, 1000 / frameRate);
  navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(frameRate);
}
"""

# Descriptions are exchanged whole, so that a relay can be put in.
DIRECT = """
() => {
  const connection = (window.direct = new RTCPeerConnection());
  connection.ontrack = ({ track }) => {
    const element = document.createElement("video");
    element.autoplay = element.muted = true;
    element.srcObject = new MediaStream([track]);
    document.body.append(element);
  };
  window.described = async () => {
    await connection.setLocalDescription();
    while (connection.iceGatheringState !== "complete") {
      await new Promise((resolve) => { connection.onicegatheringstatechange = resolve; });
    }
    return connection.localDescription.sdp;
  };
}
"""
OFFER = """
async (maxBitrate) => {
  const [track] = (await navigator.mediaDevices.getUserMedia({ video: true })).getVideoTracks();
  const sendEncodings = [{ maxBitrate }];
  const transceiver = direct.addTransceiver(track, { direction: "sendonly", sendEncodings });
  const { codecs } = RTCRtpSender.getCapabilities("video");
  transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => (
    ["video/VP8", "video/rtx"].includes(mimeType))));
  return await described();
}
"""
ANSWER = """
async (sdp) => {
  await direct.setRemoteDescription({ type: "offer", sdp });
  return await described();
}
"""
ACCEPT = "(sdp) => direct.setRemoteDescription({ type: 'answer', sdp })"

WATCH = """
() => {
  window.samples = [];
  setInterval(async () => {
    const [video] = await statistics("inbound-rtp");
    if (!video) return;
    samples.push([performance.now() / 1000, video.bytesReceived, video.framesDecoded ?? 0,
      video.freezeCount ?? 0, video.totalFreezesDuration ?? 0, video.frameWidth ?? 0]);
  }, 200);
}
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the receiver's statistics said at one time, in seconds, bytes and pixels."""

    time: float
    octets: int
    decoded: int
    freezes: int
    frozen: float
    width: int


@dataclass(frozen=True, slots=True)
class Phase:
    """How the picture did at one capacity.

    Attributes:
        rate: Bit/s of media in its second half.
        frame_rate: Frames/s in its second half.
        width: Pixels at its end.
        freezes: As the browser counts them.
        frozen: Seconds of them.
        pause: Longest time without a decoded frame, seconds.
        settled: Seconds until the rate was what it is in the second half, for good.
    """

    rate: float
    frame_rate: float
    width: int
    freezes: int
    frozen: float
    pause: float
    settled: float


def measure(samples: Sequence[Sample]) -> Phase:
    """The figures of one phase, from its samples."""
    first, last = samples[0], samples[-1]
    half = len(samples) // 2
    middle = samples[half]
    elapsed = last.time - middle.time
    rate = 8 * (last.octets - middle.octets) / elapsed
    settled = pause = 0.0
    begin, shown = 0, first
    for number, sample in enumerate(samples):
        if sample.decoded != shown.decoded:
            shown = sample
        pause = max(pause, sample.time - shown.time)
        while sample.time - samples[begin].time > WINDOW:
            begin += 1
        window = sample.time - samples[begin].time
        if window > 0 and number < half:
            recent = 8 * (sample.octets - samples[begin].octets) / window
            if abs(recent - rate) > SETTLED * rate:
                settled = sample.time - first.time
    return Phase(
        rate=rate,
        frame_rate=(last.decoded - middle.decoded) / elapsed,
        width=last.width,
        freezes=last.freezes - first.freezes,
        frozen=last.frozen - first.frozen,
        pause=pause,
        settled=settled,
    )


async def story(viewer: Tab, path: UdpBottleneck, way: str, seconds: float) -> list[Phase]:
    """Play all capacities, and measure each."""
    await viewer.decodes(1)
    await viewer.evaluate(WATCH)
    phases = []
    narrow = getattr(path, way)
    for capacity in CAPACITIES:
        narrow.capacity = Capacity.constant(capacity)
        path.begin()
        await viewer.evaluate("() => { samples.length = 0; }")
        await asyncio.sleep(seconds)
        phases.append(measure([Sample(*each) for each in await viewer.evaluate("samples")]))
    return phases


async def patterned(tab: Tab) -> None:
    """What this page takes for a camera is the pattern."""
    video = {"width": SIZE[0], "height": SIZE[1], "frameRate": FRAME_RATE}
    await tab.evaluate(PATTERN, video)


async def directly(chromium: Chromium, seconds: float) -> list[Phase]:
    """The sender's packets go to the relay, which passes them on to the receiver."""
    async with (
        running_server() as pages,
        udp_bottleneck("127.0.0.1", 9, up=PATH, down=PATH) as path,
    ):
        sender, viewer = [await chromium.open(f"{pages.url}/blank") for _ in range(2)]
        await patterned(sender)
        for tab in (sender, viewer):
            await tab.evaluate(DIRECT)
        offer = re.sub(r"a=candidate:.*\r\n", "", await sender.evaluate(OFFER, HIGHEST))
        answer = await viewer.evaluate(ANSWER, offer)
        place = re.search(r"a=candidate:\S+ 1 udp \d+ ([\d.]+) (\d+) typ host", answer)
        if place is None:
            raise RuntimeError("The receiver has no IPv4 address.")
        path.aim(place[1], int(place[2]))
        await sender.evaluate(ACCEPT, path.describe(answer))
        phases = await story(viewer, path, "up", seconds)
        await sender.close()
        await viewer.close()
        return phases


async def through_server(chromium: Chromium, seconds: float) -> list[Phase]:
    """The publisher's path is wide; the relay is between server and receiver."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with (
        server_process("--udp-port", str(port), "--host", "127.0.0.1") as server,
        udp_bottleneck("127.0.0.1", port, up=PATH, down=PATH) as path,
    ):
        publisher = await Page.join(chromium, server, "ann", page="/")
        viewer = await Page.join(chromium, server, "ben", relay=path.port, page="/")
        await patterned(publisher.tab)
        await publisher.publish("VP8", LAYERS, size=SIZE, frame_rate=FRAME_RATE)
        phases = await story(viewer.tab, path, "down", seconds)
        await publisher.tab.close()
        await viewer.tab.close()
        return phases


def row(capacity: int, name: str, phases: Sequence[Phase]) -> list[str]:
    """Medians of the runs."""

    def middle(field: str) -> Any:
        return statistics.median(getattr(phase, field) for phase in phases)

    rate = middle("rate")
    return [
        f"{capacity / 1000:,.0f} kb/s",
        name,
        f"{rate / 1000:,.0f} kb/s ({rate / capacity:.0%})".replace("%", " %"),
        f"{middle('width'):.0f} wide, {middle('frame_rate'):.0f}/s",
        f"{middle('freezes'):.0f} ({middle('frozen'):.1f} s)",
        f"{middle('pause'):.1f} s",
        f"{middle('settled'):.1f} s",
    ]


HEAD = ("path", "pages", "media", "picture", "freezes", "longest pause", "settled after")


async def compare(seconds: float, runs: int) -> str:
    """The table of both."""
    results: dict[str, list[list[Phase]]] = {"directly": [], "through aiosfu": []}
    async with running_chromium() as chromium:
        for _ in range(runs):
            results["directly"].append(await directly(chromium, seconds))
            results["through aiosfu"].append(await through_server(chromium, seconds))
    rows = [
        row(capacity, name, [phases[number] for phases in found])
        for number, capacity in enumerate(CAPACITIES)
        for name, found in results.items()
    ]
    return table(HEAD, rows)


def main() -> None:
    """Run it, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=25.0, help="at each capacity")
    parser.add_argument("--runs", type=int, default=1, help="medians of so many")
    options = parser.parse_args()
    print(asyncio.run(compare(options.seconds, options.runs)))


if __name__ == "__main__":
    main()
