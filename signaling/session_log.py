"""What one client's session logs: refusals not without end, for they may be what it is after."""

from collections.abc import Callable

from structlog.stdlib import BoundLogger

from signaling.limits import TokenBucket

# What nobody asked to be told (refusals in the log, refusals of what came by data channel) is told
# so often at most: whoever sends rubbish all the time shall not fill disks and queues.
COMPLAINT_RATE = 1.0  # a second
COMPLAINT_BURST = 20.0


class SessionLog:
    """Logs with the fields that tell who the client is."""

    def __init__(self, log: BoundLogger, *, clock: Callable[[], float], remote: str) -> None:
        """The client has not said yet who it is.

        Args:
            log: Where to.
            clock: Returns monotonic seconds.
            remote: The client's address.
        """
        self._remote = remote
        self._log = log.bind(remote=remote)
        self._clock = clock
        self._complaints = TokenBucket(rate=COMPLAINT_RATE, burst=COMPLAINT_BURST, now=clock())

    def identify(self, log: BoundLogger) -> None:
        """The client is whom the fields of this log name."""
        self._log = log.bind(remote=self._remote)

    def info(self, event: str, **fields: object) -> None:
        """Log what has happened."""
        self._log.info(event, **fields)

    def refused(self, event: str, **fields: object) -> bool:
        """Log a refusal; False, and nothing is logged, when there were too many of late."""
        heard = self._complaints.take(now=self._clock())
        if heard:
            self._log.info(event, **fields)
        return heard

    def fault(self) -> None:
        """Log the exception that is being handled: it costs this client its request alone."""
        self._log.exception("session failed")
