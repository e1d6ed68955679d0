"""Pushing a composite to an SRT listener, through the system's FFmpeg.

The FFmpeg in PyAV has no SRT. A child process reads NUT, which needs no look ahead, and sends
MPEG-TS; it ends when the connection breaks, and a new one is a new process. Every user of this
machine can see its arguments, so it gets what may be secret by a pipe, as a file of presets.
"""

import contextlib
import os
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import IO

from recorder.compose.encoded import EncodedPacket, EncodedStreams
from recorder.files.disk import describe_error
from recorder.live.addresses import Address
from recorder.live.muxing import MemoryMuxer
from recorder.live.output import OutputError

PATIENCE = 10.0  # s for a connection to come, or to take something again
END_PATIENCE = 3.0  # s for what is still in the pipe
NO_LOOK_AHEAD = ("-analyzeduration", "1", "-probesize", "32", "-fpsprobesize", "0")
MAX_WORDS = 200  # characters of FFmpeg's last line


class SrtConnection:
    """A `Connection` to one listener; it is established once FFmpeg has sent something."""

    def __init__(self, address: Address, streams: EncodedStreams) -> None:
        """Start FFmpeg.

        Raises:
            OutputError: There is none.
        """
        program = shutil.which("ffmpeg")
        if program is None:
            raise OutputError(
                "SRT needs the program ffmpeg, which is not installed here "
                "(Debian: apt-get install ffmpeg).",
                permanent=True,
            )
        self._muxer = MemoryMuxer(streams, "nut", self._write_pipe)
        try:
            self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the connection
            try:
                self._process = _start(program, address, self._words)
            except OSError:
                self._words.close()
                raise
        except OSError as error:
            self._muxer.abandon()
            raise OutputError(f"FFmpeg cannot be started: {describe_error(error)}.") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._pipe = self._process.stdin.fileno()
        self._progress = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        os.set_blocking(self._progress, False)
        self._sent = False

    @property
    def established(self) -> bool:
        """Whether FFmpeg has sent something."""
        return self._sent

    def write(self, packet: EncodedPacket) -> None:
        """Send one packet."""
        self._muxer.mux(packet)
        self.poll()

    def poll(self) -> None:
        """See how far FFmpeg is."""
        while report := self._read_progress():
            for line in report.split(b"\n"):
                name, _, value = line.partition(b"=")
                self._sent = self._sent or (name == b"total_size" and value.strip().isdigit())
        if self._process.poll() is not None:
            raise self._error()

    def close(self, *, finish: bool) -> None:
        """End FFmpeg."""
        try:
            if finish:
                self._muxer.close()
        finally:
            self._muxer.abandon()
            self._end(END_PATIENCE if finish else 0.0)

    def _end(self, patience: float) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        deadline = time.monotonic() + patience
        try:
            # FFmpeg's reports must be read until it ends, else it would wait for that.
            while self._process.poll() is None and time.monotonic() < deadline:
                if not self._read_progress():
                    time.sleep(0.02)
        finally:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._words.close()

    def _read_progress(self) -> bytes:
        try:
            return os.read(self._progress, 65536)
        except BlockingIOError:
            return b""

    def _write_pipe(self, data: bytes) -> None:
        left = memoryview(data)
        deadline = time.monotonic() + PATIENCE
        while left:
            try:
                left = left[os.write(self._pipe, left) :]
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OutputError("The listener takes nothing any more.") from None
                self._wait_writable()
            except BrokenPipeError:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(END_PATIENCE)
                raise self._error() from None

    def _wait_writable(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_WRITE)
            selector.register(self._progress, selectors.EVENT_READ)
            selector.select(0.5)
        self._read_progress()

    def _error(self) -> OutputError:
        """What FFmpeg's last words mean; it was told no secret that they could repeat."""
        # Not `read`: FFmpeg writes where this file is.
        lines = os.pread(self._words.fileno(), 65536, 0).decode(errors="replace").splitlines()
        words = next((line for line in reversed(lines) if line.strip()), "")
        what = "The connection broke" if self._sent else "The listener cannot be reached"
        return OutputError(f"{what}: {words[:MAX_WORDS].rstrip('.') or 'FFmpeg has ended'}.")


def _start(program: str, address: Address, words: IO[bytes]) -> "subprocess.Popen[bytes]":
    command = [program, "-hide_banner", "-nostats", "-loglevel", "error", "-progress", "pipe:1"]
    command += [*NO_LOOK_AHEAD, "-f", "nut", "-i", "pipe:0", "-map", "0", "-c", "copy"]
    target = f"{address.origin}?linger={END_PATIENCE:.0f}"  # s for the last packets to go out
    with _presets(address.parameters) as presets:
        return subprocess.Popen(  # noqa: S603 - no shell, and the address was checked
            [*command, "-fpre", f"/dev/fd/{presets}", "-f", "mpegts", target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            pass_fds=(presets,),
        )


@contextlib.contextmanager
def _presets(parameters: dict[str, str]) -> Iterator[int]:
    """A descriptor to read options from, a line for each."""
    reader, writer = os.pipe()
    try:
        with open(writer, "w", encoding="utf-8") as file:  # far less than a pipe holds
            file.writelines(f"{name}={value}\n" for name, value in parameters.items())
        yield reader
    finally:
        os.close(reader)
