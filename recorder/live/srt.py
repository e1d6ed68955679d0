"""Pushing a composite to an SRT listener, through the system's FFmpeg.

The FFmpeg in PyAV has no SRT. A child process reads NUT, which needs no look ahead, and sends
MPEG-TS; it ends when the connection breaks, and a new one is a new process. Its arguments, a
passphrase among them, can be seen by other users of this machine, as those of every program.
"""

import os
import selectors
import shutil
import subprocess
import tempfile
import time

from recorder.compose.encoded import EncodedPacket, EncodedStreams
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
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the connection
        self._address = address
        command = [program, "-hide_banner", "-nostats", "-loglevel", "error", "-progress", "pipe:1"]
        command += [*NO_LOOK_AHEAD, "-f", "nut", "-i", "pipe:0", "-map", "0"]
        command += ["-c", "copy", "-f", "mpegts", _lingering(address.url)]
        self._process = subprocess.Popen(  # noqa: S603 - no shell, and the address was checked
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._pipe = self._process.stdin.fileno()
        self._progress = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        os.set_blocking(self._progress, False)
        self._started = time.monotonic()
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
                self._process.wait(END_PATIENCE)
                raise self._error() from None

    def _wait_writable(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_WRITE)
            selector.register(self._progress, selectors.EVENT_READ)
            selector.select(0.5)
        self._read_progress()

    def _error(self) -> OutputError:
        """What FFmpeg's last words mean, without the address in them."""
        # Not `read`: FFmpeg writes where this file is.
        lines = os.pread(self._words.fileno(), 65536, 0).decode(errors="replace").splitlines()
        words = next((line for line in reversed(lines) if line.strip()), "")
        words = words.replace(_lingering(self._address.url), self._address.public)
        what = "The connection broke" if self._sent else "The listener cannot be reached"
        return OutputError(f"{what}: {words[:MAX_WORDS].rstrip('.') or 'FFmpeg has ended'}.")


def _lingering(url: str) -> str:
    """The address with the wish that the last packets are sent before the socket is closed."""
    return f"{url}{'&' if '?' in url else '?'}linger={END_PATIENCE:.0f}"
