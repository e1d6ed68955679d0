"""ICE as far as a client near its server needs it: one path, found and kept by checks."""

import os

from benchmarks.load.description import RemoteEnd
from sfu.transport.address import Address
from sfu.wire.parameters import IceParameters
from sfu.wire.stun import StunMessage, binding_request

CHECKS_A_TURN = 3  # before another address is tried
PRIORITY = 0x7E0000FF  # of a host candidate


class Checks:
    """Our side of the connectivity checks of one connection.

    Args:
        local: Our credentials.
        remote: The server's end.
        controlling: Whether we nominate the path.

    Attributes:
        answered: When the last answer came, monotonic seconds.
    """

    def __init__(self, local: IceParameters, remote: RemoteEnd, *, controlling: bool) -> None:
        self.answered = 0.0
        self._local = local
        self._remote = remote
        self._controlling = controlling
        self._tie_breaker = int.from_bytes(os.urandom(8))
        self._pending: dict[bytes, Address] = {}
        self._sent = 0

    def next_check(self) -> tuple[Address, bytes]:
        """Where to look for a path next, and with what datagram.

        One address comes after the other: a full agent that hears of us on several of its own
        might choose another one than we do.
        """
        addresses = self._remote.addresses
        address = addresses[self._sent // CHECKS_A_TURN % len(addresses)]
        self._sent += 1
        transaction = os.urandom(12)
        self._pending[transaction] = address
        return address, self._request(transaction)

    def consent_check(self) -> bytes:
        """A datagram that keeps the path that was found (RFC 7675)."""
        return self._request(os.urandom(12))

    def receive_response(self, message: StunMessage, *, now: float) -> Address | None:
        """Take a response; returns the address that it proves a path to, if any."""
        self.answered = now
        address = self._pending.pop(message.transaction_id, None)
        return address if message.message_class == "success" else None

    def _request(self, transaction: bytes) -> bytes:
        remote = self._remote.ice
        return binding_request(
            transaction_id=transaction,
            username=f"{remote.username_fragment}:{self._local.username_fragment}",
            password=remote.password,
            priority=PRIORITY,
            controlling=self._tie_breaker if self._controlling else None,
            controlled=None if self._controlling else self._tie_breaker,
            use_candidate=self._controlling,
        )
