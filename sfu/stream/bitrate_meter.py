"""How much one stream carries, and whether it carries anything at all."""

BUCKETS = 10  # in the window of one second, so that the rate is exact to a tenth of it
ACTIVE_TIMEOUT = 1.5  # s; a screen share of a still page comes at 1 frame/s or so


class BitrateMeter:
    """Measures the bitrate and packet rate of one stream over the last second.

    Whole buckets of 0.1 s are counted, so the figures are up to 0.1 s old. In the first second of a
    stream, or after a pause of a second, the window is as long as the stream.
    """

    __slots__ = ("_bucket", "_bucket_end", "_octets", "_packets", "_start", "_sums")

    def __init__(self) -> None:
        self._octets = 0  # of the bucket that is being filled
        self._packets = 0
        self._bucket = -2 * BUCKETS  # its number since time 0: long before the first packet
        self._bucket_end = float("-inf")  # in seconds
        self._start = 0  # number of the first bucket
        self._sums = [(0, 0, 0)] * BUCKETS  # bucket number, octets, packets, by number

    def add(self, size: int, now: float) -> None:
        """Count a packet of `size` bytes."""
        if now >= self._bucket_end:
            self._begin_bucket(now)
        self._octets += size
        self._packets += 1

    def _begin_bucket(self, now: float) -> None:
        before = self._bucket
        self._sums[before % BUCKETS] = (before, self._octets, self._packets)
        self._octets = self._packets = 0
        self._bucket = bucket = int(now * BUCKETS)
        self._bucket_end = (bucket + 1) / BUCKETS
        if bucket - before > BUCKETS:
            self._start = bucket

    def _window(self, now: float) -> tuple[int, int, float]:
        """Octets, packets and seconds of the window that ends at `now`."""
        current = max(int(now * BUCKETS), self._bucket)
        first = max(current - BUCKETS, self._start)
        octets = packets = 0
        for bucket, bucket_octets, bucket_packets in self._sums:
            if first <= bucket < current:
                octets += bucket_octets
                packets += bucket_packets
        if first <= self._bucket < current:
            octets += self._octets
            packets += self._packets
        return octets, packets, (current - first) / BUCKETS

    def bitrate(self, now: float) -> int:
        """Bit/s, headers included."""
        octets, _, seconds = self._window(now)
        return round(8 * octets / seconds) if octets else 0

    def packet_rate(self, now: float) -> float:
        """Packets per second."""
        _, packets, seconds = self._window(now)
        return packets / seconds if packets else 0.0

    def active(self, now: float) -> bool:
        """Whether packets came lately: 1.5 s ago, give or take a bucket."""
        return now < self._bucket_end + ACTIVE_TIMEOUT
