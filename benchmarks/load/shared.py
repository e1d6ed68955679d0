"""What all connections of one process have in common."""

from benchmarks.load.datagrams import Receiver, Sender
from benchmarks.load.reactor import Poller, Scheduler
from sfu.transport.dtls import Certificate


class Shared:
    """The machinery of a tester process.

    Attributes:
        certificate: Everyone's: a key is slow to make, and one serves all.
        closed_drops: Datagrams that sockets had dropped which are closed now.
        backlog: The most seconds that a datagram waited to be read since this was last set to 0.
    """

    def __init__(self, receiver: Receiver, sender: Sender) -> None:
        self.poller = Poller()
        self.scheduler = Scheduler()
        self.receiver = receiver
        self.sender = sender
        self.certificate = Certificate.generate()
        self.closed_drops = 0
        self.backlog = 0.0

    def close(self) -> None:
        """Stop calling back."""
        self.scheduler.close()
        self.poller.close()
