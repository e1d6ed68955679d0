"""What happens in a scenario, as a value."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.bottleneck import Outage
from tests.support.capacity import Capacity
from tests.support.media_receiver import Feedback
from tests.support.simulcast_sender import LAYERS, LayerSpec


@dataclass(frozen=True)
class Story:
    """What is to happen. Rates are bit/s, times seconds.

    Attributes:
        seconds: How long it goes on from the moment in which the subscriber agrees to all tracks.
        capacity: Of the subscriber's downlink; None for no limit.
        queue: Seconds of waiting that its queue takes.
        queue_bytes: Bytes that its queue takes, in place of `queue`.
        delay: One way, each way, on the subscriber's path; publishers have 20 ms.
        jitter: At most, uniformly, downlink.
        loss: Probability, downlink.
        loss_burst: Mean number of packets lost in a row.
        loss_back: Probability for what the subscriber sends.
        outage: When everything is lost, downlink.
        reorder: Probability, downlink.
        cross: (start, end) of times in which a TCP flow shares the downlink.
        publishers: How many, each with a camera (and a microphone).
        screens: How many of them, the last ones, share a screen in place of the camera.
        layers: Of each camera, ascending.
        temporal_layers: Of each layer.
        audio: Whether there are microphones.
        feedback: What the subscriber sends: "transport_cc", "remb" or "none" (reports alone).
        patience: Seconds without a frame before the subscriber asks for a key frame.
        uplink: Of each publisher; None for no limit.
        start: Bit/s that a publisher's own estimate begins with.
        warm_up: Seconds that publishers send before the story begins.
        seed: The same seed tells the same story.
    """

    seconds: float = 60.0
    capacity: Capacity | float | None = None
    queue: float = 0.3
    queue_bytes: int | None = None
    delay: float = 0.02
    jitter: float = 0.0
    loss: float = 0.0
    loss_burst: float = 1.0
    loss_back: float = 0.0
    outage: Outage | None = None
    reorder: float = 0.0
    cross: Sequence[tuple[float, float]] = ()
    publishers: int = 1
    screens: int = 0
    layers: Sequence[LayerSpec] = LAYERS
    temporal_layers: int = 1
    audio: bool = True
    feedback: Feedback = "transport_cc"
    patience: float = 0.2
    uplink: Capacity | float | None = None
    start: float = 5e6
    warm_up: float = 3.0
    seed: int = 1
