"""Addresses as the kernel has them: `struct sockaddr_in` and `sockaddr_in6` of Linux."""

import socket
import sys
from struct import Struct

from sfu.transport.address import Address

_SOCKADDR_IN = Struct("=H2s4s8x")
_SOCKADDR_IN6 = Struct("=H2sI16sI")
NAME_SIZE = _SOCKADDR_IN6.size  # bytes; the longer of the two


def sockaddr_size(family: int) -> int:
    """Bytes of an address of this family."""
    return _SOCKADDR_IN6.size if family == socket.AF_INET6 else _SOCKADDR_IN.size


def encode_sockaddr(address: Address) -> bytes:
    """The `struct sockaddr_in` or `sockaddr_in6` of an address, with its scope after a "%"."""
    port = address.port.to_bytes(2, "big")
    host, _, scope = address.host.partition("%")
    if ":" in host:
        packed = socket.inet_pton(socket.AF_INET6, host)
        return _SOCKADDR_IN6.pack(socket.AF_INET6, port, 0, packed, int(scope or 0))
    return _SOCKADDR_IN.pack(socket.AF_INET, port, socket.inet_pton(socket.AF_INET, host))


def decode_sockaddr(raw: bytes) -> Address:
    """The address in a `struct sockaddr_in` or `sockaddr_in6`."""
    if int.from_bytes(raw[:2], sys.byteorder) == socket.AF_INET:
        _, port, packed = _SOCKADDR_IN.unpack_from(raw)
        return Address(socket.inet_ntop(socket.AF_INET, packed), int.from_bytes(port, "big"))
    _, port, _, packed, scope = _SOCKADDR_IN6.unpack_from(raw)
    host = socket.inet_ntop(socket.AF_INET6, packed)
    if scope:
        host = f"{host}%{scope}"
    return Address(host, int.from_bytes(port, "big"))
