"""Where a datagram comes from or goes to."""

from typing import Literal, NamedTuple


class Address(NamedTuple):
    """A remote end, as the shell saw it.

    Attributes:
        host: Numeric IPv4 or IPv6 address in its shortest text form; never an IPv4-mapped one.
        port: Port number.
        protocol: "udp", or "tcp" for one accepted ICE-TCP connection.
    """

    host: str
    port: int
    protocol: Literal["udp", "tcp"] = "udp"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}:{host}:{self.port}"
