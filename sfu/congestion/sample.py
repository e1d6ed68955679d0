"""What a trace keeps of an estimator."""

from typing import Literal, NamedTuple

from sfu.congestion.overuse import State

Mode = Literal["transport_cc", "remb", "loss"]
"""What an estimate rests on."""


class EstimatorSample(NamedTuple):
    """The state of an estimator in plain values.

    Attributes:
        estimate: Bit/s, the one that counts.
        delay_based: Bit/s.
        loss_based: Bit/s; infinite for no bound.
        report_based: Bit/s, from REMB and receiver reports.
        remb: Bit/s, the last that came; infinite for none.
        acknowledged: Bit/s that arrive; 0 while unknown.
        capacity: Bit/s at which the path was found to be full; 0 while unknown.
        loss: Share of packets lost lately, 0..1.
        inherent_loss: Share that the path loses whatever is sent, 0..1.
        queue_delay: Seconds.
        jitter: Seconds.
        round_trip: Seconds.
        in_flight: Bytes.
        trend: Of the delay, ms.
        threshold: Of the trend, ms.
        state: What the delay tells.
        mode: What the estimate rests on.
        probe: Id of the cluster that is under way, 0 for none.
        refused: Feedbacks that told of what cannot be.
    """

    estimate: float
    delay_based: float
    loss_based: float
    report_based: float
    remb: float
    acknowledged: float
    capacity: float
    loss: float
    inherent_loss: float
    queue_delay: float
    jitter: float
    round_trip: float
    in_flight: int
    trend: float
    threshold: float
    state: State
    mode: Mode
    probe: int
    refused: int
