"""DTLS datagrams of peers that are still shaking hands: they wait for their turn."""

from collections import deque
from typing import NamedTuple

from sfu.room.peer import Peer
from sfu.transport.address import Address

# A flight costs up to 1 ms of public-key cryptography, as much as forwarding hundreds of packets:
# this is how long media may wait for handshakes each time that the sockets have been read.
HANDSHAKES_A_TURN = 2
# Datagrams of one peer: two flights in pieces, or one that was sent again, and what follows it.
MAX_WAITING_OF_PEER = 16
MAX_WAITING = 1024  # of all: a second of work, after which clients have sent again anyway


class Waiting(NamedTuple):
    """One datagram and where it came from."""

    data: bytes
    address: Address


class HandshakeQueue:
    """Takes one datagram of each peer in turn, and those of one peer in the order they came in.

    What does not fit is lost as in a network, and sent again by the peer's timers. A peer that
    sends a lot keeps out nobody but itself.
    """

    def __init__(self) -> None:
        self._waiting: dict[Peer, deque[Waiting]] = {}  # whose turn it is first
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, peer: Peer) -> bool:
        return peer in self._waiting

    def add(self, peer: Peer, data: bytes, address: Address) -> bool:
        """Let a datagram wait; False when there is no room for it."""
        waiting = self._waiting.get(peer)
        if self._count >= MAX_WAITING or (waiting and len(waiting) >= MAX_WAITING_OF_PEER):
            return False
        if waiting is None:
            waiting = self._waiting[peer] = deque()
        waiting.append(Waiting(data, address))
        self._count += 1
        return True

    def next_peer(self) -> Peer | None:
        """Whose turn it is; everybody else's comes before it is theirs again."""
        peer = next(iter(self._waiting), None)
        if peer is not None:
            self._waiting[peer] = self._waiting.pop(peer)
        return peer

    def take(self, peer: Peer) -> Waiting | None:
        """The oldest datagram of this peer; None when none waits."""
        waiting = self._waiting.get(peer)
        if waiting is None:
            return None
        self._count -= 1
        taken = waiting.popleft()
        if not waiting:
            del self._waiting[peer]
        return taken

    def discard(self, peer: Peer) -> None:
        """Forget what waits of this peer: it has ended."""
        self._count -= len(self._waiting.pop(peer, ()))
