"""A way to a server on which things go wrong when the test says so."""

import contextlib
import socket
import threading
from typing import Literal

Fault = Literal["none", "refuse", "cut", "error", "corrupt"]
CUT_AFTER = 1_000_000  # bytes
ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class FaultyProxy:
    """Passes TCP connections on.

    Attributes:
        fault: What happens to connections: "refuse": they are closed at once; "cut": after a
            megabyte; "error": their requests are answered with 500; "corrupt": one byte of the
            second half megabyte is another one.
        faults: How often it happened.
    """

    def __init__(self, port: int) -> None:
        self.fault: Fault = "none"
        self.faults = 0
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self.fault == "refuse":
                self.faults += 1
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
                back.start()
                self._forward(client, server)
                with contextlib.suppress(OSError):
                    server.shutdown(socket.SHUT_WR)
                back.join()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        while data := client.recv(65536):
            if self.fault == "error":
                self.faults += 1
                client.sendall(ERROR)
                return
            if self.fault == "cut" and passed > CUT_AFTER:
                self.faults += 1
                client.shutdown(socket.SHUT_RDWR)
                return
            if self.fault == "corrupt" and passed < 500_000 <= passed + len(data):
                self.faults += 1
                data = data[:-1] + bytes([data[-1] ^ 1])
            server.sendall(data)
            passed += len(data)

    def _copy(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
