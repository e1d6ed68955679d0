"""Peers that are still shaking hands: their DTLS datagrams wait for their turn."""

from collections import deque
from typing import NamedTuple, Protocol

from sfu.room.peer import Peer
from sfu.timers import Timer, Timers
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


class Contain(Protocol):
    """What becomes of an exception that only a bug can raise."""

    def __call__(self, error: Exception, peer: Peer | None, *, now: float) -> None:
        """It costs this peer, nobody else."""


class Handshakes:
    """Lets handshakes go on a few at a time, and media in between.

    Attributes:
        pending: Peers that have not finished ICE and DTLS.
        queue: What waits.
    """

    def __init__(self, timers: Timers, contain: Contain) -> None:
        """Nobody shakes hands.

        Args:
            timers: For the turns.
            contain: Takes what a peer's handshake raises.
        """
        self.pending: set[Peer] = set()
        self.queue = HandshakeQueue()
        self._timers = timers
        self._contain = contain
        self._turn: Timer | None = None

    def discard(self, peer: Peer) -> None:
        """This peer has ended."""
        self.pending.discard(peer)
        self.queue.discard(peer)

    def defer(self, peer: Peer, data: bytes, address: Address, *, now: float) -> bool:
        """Let a datagram wait for the peer's turn; False when there is no room for it.

        Media comes first: the timer runs when the shell has read its sockets once more.
        """
        if not self.queue.add(peer, data, address):
            return False
        if self._turn is None:
            self._turn = self._timers.call_at(now, self._continue)
        return True

    def catch_up(self, peer: Peer, *, now: float) -> None:
        """Take all that waits of a peer, before what it sent later: its data waits for nobody."""
        while peer in self.queue:
            self._take(peer, now=now)

    def _continue(self, now: float) -> None:
        self._turn = None
        for _ in range(HANDSHAKES_A_TURN):
            peer = self.queue.next_peer()
            if peer is None:
                return
            self._take(peer, now=now)
            if peer not in self.pending:
                self.catch_up(peer, now=now)
        if len(self.queue):
            self._turn = self._timers.call_at(now, self._continue)

    def _take(self, peer: Peer, *, now: float) -> None:
        waiting = self.queue.take(peer)
        assert waiting is not None
        try:
            peer.transport.receive_dtls(waiting.data, waiting.address, now=now)
        except Exception as error:
            self._contain(error, peer, now=now)
