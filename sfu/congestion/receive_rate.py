"""What a publisher without transport-wide feedback may send, told by REMB.

draft-alvestrand-rmcat-remb-03 tells how to say it, not how to know it.
"""

LOW_LOSS, HIGH_LOSS = 0.02, 0.1  # as draft-ietf-rmcat-gcc-02 section 6 has them for reports
HEADROOM = 1.5  # of what arrives: a sender that fills it doubles its rate in two seconds
START = 1_000_000  # bit/s; before that is reached, receiver reports tell of loss as well
MINIMUM = 100_000  # bit/s
MAXIMUM = 100_000_000  # bit/s


class ReceiveRate:
    """A simple upper bound, from the rate that arrives and its loss alone.

    While next to nothing is lost, a sender may send half as much again as arrives; a bound that was
    higher stays, for who sends little shows nothing of the path. With loss the bound falls: from
    that headroom at 2 % to (1 - loss / 2) of what arrives at 10 % and more. Delay is not looked at:
    a sender for which that matters has transport-wide feedback.

    Attributes:
        bitrate: Bit/s.
    """

    __slots__ = ("bitrate",)

    def __init__(self) -> None:
        self.bitrate = START

    def update(self, received: float, loss: float) -> int:
        """Take what arrived in the last second; returns the new bound.

        Args:
            received: Bit/s.
            loss: Share of the packets lost on their way, 0 to 1.
        """
        if received <= 0:
            return self.bitrate
        if loss <= LOW_LOSS:
            bound = max(self.bitrate, HEADROOM * received)
        else:
            high = 1 - loss / 2
            share = min((loss - LOW_LOSS) / (HIGH_LOSS - LOW_LOSS), 1.0)
            bound = min(self.bitrate, received * (HEADROOM + (high - HEADROOM) * share))
        self.bitrate = round(min(max(bound, MINIMUM), MAXIMUM))
        return self.bitrate
