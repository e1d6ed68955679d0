"""Which peer a datagram is of: by the address that it came from, or by the user name of a check."""

from collections.abc import Iterator

from sfu.room.peer import Peer
from sfu.transport.address import Address

MAX_ADDRESSES = 16  # remote addresses of one peer that are routed to it


class RoutingTable:
    """All peers behind one port, and the ways to them.

    Attributes:
        by_address: Peers by each address from which an authentic check of theirs came.
        by_username: Peers by each of our user name fragments for them (RFC 8445 5.3).
    """

    def __init__(self) -> None:
        self.by_address: dict[Address, Peer] = {}
        self.by_username: dict[str, Peer] = {}
        self._addresses: dict[Peer, dict[Address, None]] = {}

    def __contains__(self, peer: Peer) -> bool:
        return peer in self._addresses

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._addresses)

    def add(self, peer: Peer) -> None:
        """A new peer, which has sent nothing yet."""
        self._addresses[peer] = {}
        self.route_usernames(peer)

    def remove(self, peer: Peer) -> None:
        """Nothing is this peer's any more."""
        for address in self._addresses.pop(peer, ()):
            del self.by_address[address]
        for username in peer.usernames:
            del self.by_username[username]

    def route_usernames(self, peer: Peer) -> None:
        """Take the user name fragments that the peer's transport has now for those of the peer."""
        wanted = peer.transport.username_fragments
        for username in peer.usernames:
            if username not in wanted:
                self.by_username.pop(username, None)
        for username in wanted:
            self.by_username[username] = peer
        peer.usernames = wanted

    def route_address(self, peer: Peer, address: Address) -> None:
        """An authentic check of this peer came from this address."""
        known = self._addresses[peer]
        previous = self.by_address.get(address)
        if previous is peer:
            return
        if previous is not None:
            del self._addresses[previous][address]
            previous.transport.forget_address(address)
        if len(known) >= MAX_ADDRESSES:
            oldest = next(other for other in known if other != peer.transport.address)
            del known[oldest], self.by_address[oldest]
        known[address] = None
        self.by_address[address] = peer

    def forget_address(self, address: Address) -> None:
        """Nothing comes from there any more; nothing happens when nothing did."""
        peer = self.by_address.pop(address, None)
        if peer is not None:
            del self._addresses[peer][address]
            peer.transport.forget_address(address)
