"""Pushing to FFmpeg that listens for SRT."""

import asyncio
import itertools
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import av
import pytest

from recorder.compose.encoded import EncodedPacket
from recorder.live.addresses import parse_address
from recorder.live.output import Output, OutputError
from recorder.live.srt import SrtConnection
from tests.recorder.live.composites import Composite
from tests.recorder.live.rtmp_server import free_port
from tests.support.polling import until

Outputs = Callable[..., Output]


@contextmanager
def listener(port: int, target: Path, parameters: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """FFmpeg takes one stream and writes it as it comes."""
    url = f"srt://127.0.0.1:{port}?mode=listener{parameters}"
    process = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-y", "-f", "mpegts", "-i", url, "-c", "copy", str(target)],
        stdin=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def later(composite: Composite, times: int) -> list[EncodedPacket]:
    """The same again, when it has gone by so often."""
    packets = []
    for packet in composite.packets:
        shift = round(times * (composite.seconds + 1) / packet.time_base)
        packets.append(replace(packet, pts=packet.pts + shift, dts=packet.dts + shift))
    return packets


def is_bound(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        try:
            other.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def received(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


async def test_everything_arrives(composite: Composite, tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    secret = "&passphrase=0123456789abc"
    address = parse_address(f"srt://127.0.0.1:{port}?streamid=room{secret}")
    with listener(port, tmp_path / "a.ts", secret) as process:
        await until(lambda: is_bound(port), "it listens")
        connection = SrtConnection(address, composite.streams)
        command = Path(f"/proc/{connection._process.pid}/cmdline").read_bytes()  # noqa: ASYNC240
        assert b"srt://127.0.0.1" in command
        assert b"0123456789abc" not in command, "every user can read it"
        start = time.monotonic()
        for packet in composite.packets:  # SRT drops what comes too fast
            await asyncio.sleep(max(0.0, start + packet.time - time.monotonic()))
            connection.write(packet)
        assert connection.established
        connection.close(finish=True)
        await until(lambda: process.poll() is not None, "the listener has all")
    assert received(tmp_path / "a.ts") == pytest.approx(composite.frames, abs=1)


async def test_nobody_listens_and_then_somebody(
    composite: Composite, output: Outputs, tmp_path: Path
) -> None:
    port = free_port(socket.SOCK_DGRAM)
    address = parse_address(f"srt://127.0.0.1:{port}?passphrase=not.for.logs")
    one = output(lambda: SrtConnection(address, composite.streams))
    one.put(composite.packets)
    await until(lambda: one.status().state == "reconnecting", "it has failed")
    assert "The listener cannot be reached" in one.status().error
    assert "not.for.logs" not in one.status().error
    with listener(port, tmp_path / "a.ts", "&passphrase=not.for.logs"):
        clips = itertools.count(1)

        def active() -> bool:
            one.put(later(composite, next(clips)))
            return one.status().state == "active"

        await until(active, "it is connected", deadline=30, interval=0.5)
        assert one.status().retries >= 1


def test_without_ffmpeg_it_says_what_to_install(
    composite: Composite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(OutputError, match="apt-get install ffmpeg") as caught:
        SrtConnection(parse_address("srt://127.0.0.1:9000"), composite.streams)
    assert caught.value.permanent


async def test_an_ffmpeg_that_does_not_start_is_told_of_and_tried_again(
    composite: Composite, monkeypatch: pytest.MonkeyPatch, output: Outputs, tmp_path: Path
) -> None:
    program = tmp_path / "ffmpeg"
    program.write_bytes(b"\0no program")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    address = parse_address("srt://127.0.0.1:9000?passphrase=not.for.logs")
    one = output(lambda: SrtConnection(address, composite.streams))
    await until(lambda: one.status().state == "reconnecting", "it has failed")
    assert one.status().error == "FFmpeg cannot be started: Exec format error."
