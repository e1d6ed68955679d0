"""Our own ICE candidates: all are host candidates, known from the settings, the same for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from sfu.errors import LocalError

_UDP_PREFERENCE = 126  # RFC 8445 5.1.2.2: type preference of host candidates
_TCP_PREFERENCE = 90  # RFC 6544 4.2: lower where UDP is preferred; libwebrtc's number
_PASSIVE_PREFERENCE = 4  # RFC 6544 4.2: direction preference of a passive host candidate


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A host candidate of component 1 (RFC 8839 5.1, RFC 6544 4.5).

    Attributes:
        foundation: Equal for candidates of one address and protocol.
        protocol: "udp", or "tcp" for a passive one.
        priority: By RFC 8445 5.1.2.1; fits a signed 32-bit number.
        host: Numeric address.
        port: Port number.
    """

    foundation: str
    protocol: Literal["udp", "tcp"]
    priority: int
    host: str
    port: int

    def to_sdp(self) -> str:
        """As W3C's RTCIceCandidate and, behind `a=`, as SDP writes it."""
        text = (
            f"candidate:{self.foundation} 1 {self.protocol} {self.priority} {self.host} "
            f"{self.port} typ host"
        )
        return f"{text} tcptype passive" if self.protocol == "tcp" else text


def host_candidates(
    hosts: Sequence[str], *, udp_port: int | None, tcp_port: int | None
) -> tuple[IceCandidate, ...]:
    """Candidates for every address, best reachable first.

    UDP goes before TCP, and of addresses the earlier before the later, but IPv6 before IPv4 (RFC
    8421 2). In the text, though, IPv4 stands first: FFmpeg uses the first UDP candidate alone, and
    a network without IPv6 is likelier than one without IPv4.

    Args:
        hosts: Numeric addresses that clients can reach us at.
        udp_port: None for no UDP.
        tcp_port: None for no ICE-TCP.

    Raises:
        LocalError: When a host is not a numeric address, or is one that nobody can reach.
    """
    addresses = []
    for host in hosts:
        try:
            address = ip_address(host)
        except ValueError as error:
            raise LocalError(f"Not a numeric IP address to announce: {host}") from error
        if address.is_unspecified or address.is_multicast:
            raise LocalError(f"Clients cannot reach the address {host}; announce another one.")
        addresses.append(address)
    ranked = sorted(dict.fromkeys(addresses), key=lambda address: -address.version)
    candidates = []
    for rank, address in enumerate(ranked):
        host, number = str(address), 2 * rank + 1
        if udp_port is not None:
            priority = _priority(_UDP_PREFERENCE, 0xFFFF - rank)
            candidates.append(IceCandidate(str(number), "udp", priority, host, udp_port))
        if tcp_port is not None:
            # RFC 6544 4.2: local preference is 13 bits below the direction preference.
            priority = _priority(_TCP_PREFERENCE, (_PASSIVE_PREFERENCE << 13) + 0x1FFF - rank)
            candidates.append(IceCandidate(str(number + 1), "tcp", priority, host, tcp_port))
    candidates.sort(key=lambda each: (each.protocol == "tcp", ":" in each.host, -each.priority))
    return tuple(candidates)


def _priority(type_preference: int, local_preference: int) -> int:
    """RFC 8445 5.1.2.1, for component 1."""
    return (type_preference << 24) + (local_preference << 8) + 255
