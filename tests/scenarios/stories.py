"""The stories that tests hold to what is required, and `benchmarks.scenarios` measures."""

from pathlib import Path

from tests.support.bottleneck import Outage
from tests.support.capacity import Capacity
from tests.support.simulcast_sender import LAYERS
from tests.support.story import Story

TRACE = Path(__file__).parent / "cellular.txt"
LOSSY = 2_500_000  # bit/s of a path that loses
LOWEST = 170_000  # bit/s of a lowest layer on the wire, headers included


def plain(seed: int = 1) -> Story:
    """One encoding over a path that is wide enough."""
    return Story(seconds=20, capacity=3_000_000, layers=LAYERS[2:], seed=seed)


def room(seed: int) -> Story:
    """The top layer takes three quarters of the path."""
    return Story(seconds=40, capacity=2_500_000, seed=seed)


def steps(seed: int) -> Story:
    """The capacity goes down at 30 s, and up at 60 s."""
    capacity = Capacity(((0, 3_000_000), (30, 600_000), (60, 2_000_000)))
    return Story(seconds=90, capacity=capacity, seed=seed)


def thin(seed: int) -> Story:
    """250 kb/s for 61 of audio and 172 of video."""
    return Story(seconds=40, capacity=250_000, seed=seed)


def reports(seed: int = 1) -> Story:
    """The subscriber tells nothing but receiver reports."""
    return Story(seconds=20, capacity=3_000_000, feedback="none", seed=seed)


def remb(seed: int) -> Story:
    """The subscriber tells REMB."""
    return Story(seconds=40, capacity=2_500_000, feedback="remb", seed=seed)


def lossy(seed: int, loss: float) -> Story:
    """Packets are lost at random; the receiver waits 1 s for a frame, browsers up to 3 s."""
    return Story(seconds=40, capacity=LOSSY, loss=loss, delay=0.05, patience=1.0, seed=seed)


def outages(seed: int) -> Story:
    """Nothing comes for half a second, every ten seconds."""
    return Story(seconds=60, capacity=3_000_000, outage=Outage(10, 0.5), seed=seed)


def jittery(seed: int) -> Story:
    """± 30 ms, and 3 % of the packets overtaken."""
    return Story(seconds=40, capacity=3_000_000, jitter=0.06, reorder=0.03, seed=seed)


def cellular(seed: int) -> Story:
    """A phone on the move."""
    return Story(seconds=120, capacity=Capacity.file(TRACE), queue=3.0, seed=seed)


def shared(seed: int, capacity: float, temporal_layers: int) -> Story:
    """A download comes, goes, and comes again."""
    return Story(
        seconds=80,
        capacity=capacity,
        temporal_layers=temporal_layers,
        cross=((20, 40), (60, 80)),
        seed=seed,
    )


def crowd(seed: int) -> Story:
    """Twenty cameras for room for eight."""
    return Story(seconds=30, capacity=8.5 * LOWEST, publishers=20, audio=False, seed=seed)
