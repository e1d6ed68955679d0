"""Muxing into memory: what a container format makes of packets, as bytes that can be sent."""

from collections.abc import Callable, Mapping

import av
from av.container import OutputContainer

from recorder.compose.encoded import EncodedPacket, EncodedStreams
from recorder.live.output import OutputError

FLUSH_PACKETS = 0x200  # AVFMT_FLAG_FLUSH_PACKETS: nothing waits in a buffer
MAX_INTERLEAVE = 1_000_000  # µs that one stream may be ahead of another before it is sent alone


class MemoryMuxer:
    """Makes packets to bytes; times begin at 0 with the first packet.

    PyAV opens addresses while it holds the interpreter's lock, so that one dead server would stop
    everything; it never gets an address from us.
    """

    def __init__(
        self,
        streams: EncodedStreams,
        format: str,
        write: Callable[[bytes], object],
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare; the header is written with the first packet.

        Args:
            streams: What is muxed.
            format: FFmpeg's name of it; one that never goes back.
            write: Takes the bytes.
            options: Of the muxer.

        Raises:
            OutputError: The format cannot hold these codecs.
        """
        self._file = _WriteOnly(write)
        self._container: OutputContainer = av.open(
            self._file,
            "w",
            format=format,
            container_options={"max_interleave_delta": str(MAX_INTERLEAVE), **(options or {})},
        )
        self._container.flags |= FLUSH_PACKETS
        self._start: float | None = None
        try:
            self._streams = streams.add_to(self._container)
        except ValueError:
            codecs = " and ".join(streams.codecs)
            raise OutputError(
                f"{format.upper()} cannot hold {codecs}: it takes H.264 and AAC.", permanent=True
            ) from None

    def mux(self, packet: EncodedPacket) -> None:
        """Write one packet.

        Raises:
            OutputError: What `write` raised; or the packet does not fit.
        """
        if self._start is None:
            self._start = packet.time
        if packet.time < self._start:
            return  # sound from before the first key frame
        self._guard(
            lambda: self._container.mux_one(
                packet.for_stream(self._streams[packet.kind], offset=self._start or 0.0)
            )
        )

    def close(self) -> None:
        """Write what is still held back, and the end.

        Raises:
            OutputError: As `mux`.
        """
        if self._start is None:
            return
        self._guard(self._container.close)

    def abandon(self) -> None:
        """Write no more, whatever is still held back."""
        self._file.closed = True

    def _guard(self, step: Callable[[], None]) -> None:
        try:
            step()
        except av.FFmpegError as error:
            raise self._file.error or OutputError(f"FFmpeg cannot mux it: {error}.") from error
        except OutputError:
            self.abandon()
            raise
        if self._file.error is not None:
            raise self._file.error


class _WriteOnly:
    """The file that PyAV writes to; keeps the error, which FFmpeg makes a number of."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.closed = False
        self.error: OutputError | None = None

    def write(self, data: bytes) -> int:
        if not self.closed:
            try:
                self._write(bytes(data))
            except OutputError as error:
                self.closed = True
                self.error = error
                raise
        return len(data)
