"""Measures one participant's connection from time to time, and tells when its quality changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sfu.room.connection_quality import (
    INTERVAL,
    ConnectionQuality,
    QualityInput,
    QualityScore,
)
from sfu.stream.loss_meter import LossMeter
from sfu.timers import Timer, Timers
from sfu.wire.parameters import Kind

if TYPE_CHECKING:
    from sfu.room.events import Quality
    from sfu.room.participant import Participant
    from sfu.room.peer import Peer

FIRST_INTERVAL = 0.5  # s between two looks until there is a transport to look at
# Who sends no media is heard at its consent checks, 4 to 6 s apart (RFC 7675 5.1).
IDLE_SILENCE = 4.0  # s that it may be silent for longer
SHORT_LOOKS = 3  # looks at which video was short, one after the other: a better layer takes seconds


class QualityWatch:
    """Looks at both directions of a participant's connections every two seconds.

    - From it to us: loss and jitter of its streams as they arrive, before repair.
    - From us to it: loss as its feedback or reports tell, jitter as they do, and how much of the
      video that it wants the bandwidth allows. What is short for less than three looks does not
      count: estimates need some time to grow.
    - The round trip is that of receiver reports on what we send; the way to us is taken for the
      same where only that is measured.
    - Silence is that of a transport; where media flowed until it began, it counts sooner.

    Attributes:
        told: What was told last, None before anything was.
    """

    def __init__(
        self,
        participant: Participant,
        *,
        timers: Timers,
        tell: Callable[[QualityScore], None],
    ) -> None:
        """Nothing is measured before `begin`."""
        self.told: QualityScore | None = None
        self._participant = participant
        self._timers = timers
        self._tell = tell
        self._quality = ConnectionQuality()
        self._losses = LossMeter()
        self._shortages: deque[tuple[float, float]] = deque(maxlen=SHORT_LOOKS)
        self._timer: Timer | None = None

    @property
    def quality(self) -> Quality:
        """The present one."""
        return self._quality.current.quality if self._quality.current else "excellent"

    def begin(self, *, now: float) -> None:
        """There is a transport."""
        if self._timer is None:
            self._timer = self._timers.call_at(now + FIRST_INTERVAL, self._look)

    def close(self) -> None:
        """The participant has left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, now: float) -> None:
        score = self._quality.update(self._measure(now), now=now)
        if score is not None:
            self.told = score
            self._tell(score)
        interval = FIRST_INTERVAL if self.told is None else INTERVAL
        self._timer = self._timers.call_at(now + interval, self._look)

    def _measure(self, now: float) -> list[QualityInput]:
        participant = self._participant
        up, down = _connected(participant.publisher), _connected(participant.subscriber)
        forwarders = [s.forwarder for s in participant.subscriptions.slots if s.forwarder]
        round_trip = min([f.round_trip for f in forwarders if f.round_trip > 0], default=0.0)
        measured: list[QualityInput] = []
        if up is not None:
            streams = up.publisher.streams
            up.publisher.note_round_trip(round_trip)
            live = [stream for stream in streams if stream.bitrate.active(now)]
            measured.append(
                QualityInput(
                    loss=self._losses.measure(streams),
                    round_trip=round_trip,
                    jitter=_jitter((s.kind, s.reception.jitter_seconds) for s in live),
                    silence=_silence(up, now),
                )
            )
        if down is not None:
            estimator = down.subscriber.bandwidth.estimator
            wanted, received = self._shortage()
            flowing = [forwarder for forwarder in forwarders if forwarder.current is not None]
            measured.append(
                QualityInput(
                    loss=estimator.loss,
                    round_trip=round_trip,
                    jitter=_jitter((f.kind, f.stats().jitter) for f in flowing),
                    wanted=wanted,
                    received=received,
                    silence=_silence(down, now),
                )
            )
        return measured

    def _shortage(self) -> tuple[float, float]:
        """Video that is wanted and received, bit/s: the best of the last looks."""
        looks = self._shortages
        looks.append(self._participant.reception.video())
        if len(looks) < SHORT_LOOKS:
            return 0.0, 0.0
        return max(looks, key=lambda look: look[1] / look[0] if look[0] else 1.0)


def _connected(peer: Peer | None) -> Peer | None:
    return peer if peer is not None and peer.transport.state == "connected" else None


def _silence(peer: Peer, now: float) -> float:
    last = peer.transport.last_received
    if any(stream.bitrate.active(last) for stream in peer.publisher.streams):
        return now - last
    return max(0.0, now - last - IDLE_SILENCE)


def _jitter(streams: Iterable[tuple[Kind, float]]) -> float:
    """The worst of the audio streams; of video where there is no audio.

    Frames of video take their time to be sent, which is no jitter of the path.
    """
    worst: dict[Kind, float] = {}
    for kind, jitter in streams:
        worst[kind] = max(worst.get(kind, 0.0), jitter)
    return worst.get("audio", worst.get("video", 0.0))
