"""Pushing a composite to an RTMP or RTMPS server."""

import contextlib
import os
import socket
import ssl
import struct
import time

from recorder.compose.encoded import EncodedPacket, EncodedStreams
from recorder.live.addresses import Address
from recorder.live.muxing import MemoryMuxer
from recorder.live.output import OutputError
from recorder.live.rtmp_session import HANDSHAKE_SIZE, RtmpSession

PATIENCE = 10.0  # s for connecting, and for a server that takes nothing
END_PATIENCE = 2.0  # s for a server to hang up after us
READ_SIZE = 65536
FLV_HEADER = 9 + 4  # bytes: the header and the size of no tag before
TAG_HEADER, TAG_TRAILER = 11, 4


class RtmpConnection:
    """A `Connection` to one server."""

    established = True  # the server has said so before there is one of these

    def __init__(self, address: Address, streams: EncodedStreams) -> None:
        """Connect.

        Raises:
            OutputError: The server cannot be reached, or refuses.
        """
        self._tags = bytearray()
        self._skip = FLV_HEADER
        self._muxer = MemoryMuxer(
            streams, "flv", self._take_flv, {"flvflags": "no_duration_filesize"}
        )
        self._session = RtmpSession(address, nonce=os.urandom(HANDSHAKE_SIZE - 8))
        self._socket = _connect(address)
        try:
            deadline = time.monotonic() + PATIENCE
            while self._session.state != "publishing":
                self._send()
                if not self._receive(deadline - time.monotonic()):
                    raise OutputError("The server does not answer.")
        except OutputError:
            self._socket.close()
            raise

    def write(self, packet: EncodedPacket) -> None:
        """Send one packet."""
        self._muxer.mux(packet)
        self.poll()

    def poll(self) -> None:
        """Take what the server says: its pings, and that it refuses to go on."""
        while self._receive(0.0):
            pass
        self._send()

    def close(self, *, finish: bool) -> None:
        """Hang up, if possible with a word."""
        try:
            if finish:
                self._muxer.close()
                self._session.finish()
                self._send()
                self._hang_up()
        finally:
            self._muxer.abandon()
            self._socket.close()

    def _hang_up(self) -> None:
        """Let the server read all: closing with unread bytes would reset the connection."""
        deadline = time.monotonic() + END_PATIENCE
        with contextlib.suppress(OSError, OutputError):
            self._socket.shutdown(socket.SHUT_WR)
            while self._receive(max(deadline - time.monotonic(), 0.0)):
                pass

    def _take_flv(self, data: bytes) -> None:
        """Make the muxer's tags messages (Adobe Flash Video File Format 10.1, E.4.1)."""
        self._tags += data
        skipped = min(self._skip, len(self._tags))
        del self._tags[:skipped]
        self._skip -= skipped
        while len(self._tags) >= TAG_HEADER:
            size = int.from_bytes(self._tags[1:4], "big")
            if len(self._tags) < TAG_HEADER + size + TAG_TRAILER:
                break
            low, high = struct.unpack(">I", b"\0" + self._tags[4:7])[0], self._tags[7]
            body = bytes(self._tags[TAG_HEADER : TAG_HEADER + size])
            self._session.publish(self._tags[0] & 0x1F, high << 24 | low, body)
            del self._tags[: TAG_HEADER + size + TAG_TRAILER]
        self._send()

    def _send(self) -> None:
        data = self._session.take()
        if not data:
            return
        self._socket.settimeout(PATIENCE)
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise OutputError("The server takes nothing any more.") from None
        except OSError as error:
            raise OutputError(f"The connection broke: {error.strerror or error}.") from None

    def _receive(self, patience: float) -> bool:
        """Read what is there within so many seconds; whether there was anything."""
        self._socket.settimeout(max(patience, 0.0))
        try:
            data = self._socket.recv(READ_SIZE)
        except TimeoutError:
            raise OutputError("The server does not answer.") from None
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError as error:
            raise OutputError(f"The connection broke: {error.strerror or error}.") from None
        if not data:
            raise OutputError("The server has hung up.")
        self._session.receive(data)
        return True


def _connect(address: Address) -> socket.socket:
    try:
        connection = socket.create_connection((address.host, address.port), PATIENCE)
    except TimeoutError:
        raise OutputError("The server cannot be reached: it does not answer.") from None
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"The server cannot be reached: {reason}.") from None
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if address.scheme != "rtmps":
        return connection
    try:
        context = ssl.create_default_context()
        return context.wrap_socket(connection, server_hostname=address.host)
    except ssl.SSLCertVerificationError as error:
        connection.close()
        raise OutputError(
            f"The server's certificate is not valid: {error.verify_message}."
        ) from None
    except OSError as error:
        connection.close()
        raise OutputError(f"TLS with the server failed: {error.strerror or error}.") from None
