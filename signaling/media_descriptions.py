"""What a participant receives, and why, as messages show it."""

from typing import cast

from sfu.room.media_settings import TrackSettings
from sfu.room.media_status import Change, LayerStatus, MediaStatus, TrackStatus
from signaling.messages import (
    Cause,
    ChoiceInfo,
    EstimateInfo,
    EstimateMode,
    LayerInfo,
    MediaInfo,
    ReceivedTrackInfo,
    SettingsInfo,
)


def describe_media(status: MediaStatus) -> MediaInfo:
    """All that the participant receives."""
    return MediaInfo(
        estimate=status.estimate,
        mode=cast(EstimateMode, status.mode),
        round_trip=status.round_trip,
        loss=status.loss,
        queue_delay=status.queue_delay,
        sending=status.sending,
        wanted=status.wanted,
        quality=status.quality,
        tracks=tuple(map(_track, status.tracks)),
        estimates=tuple(EstimateInfo(at=one.at, estimate=one.estimate) for one in status.estimates),
    )


def _track(status: TrackStatus) -> ReceivedTrackInfo:
    track = status.track
    return ReceivedTrackInfo(
        track=track.sid,
        participant=track.participant.sid,
        identity=track.participant.identity,
        kind=track.kind,
        source=track.source,
        settings=_settings(status.settings),
        layers=tuple(map(_layer, status.layers)),
        wanted=_layer_or_none(status.wanted),
        chosen=_layer_or_none(status.chosen),
        current=_layer_or_none(status.current),
        cause=cast(Cause, status.cause),
        reason=status.reason,
        history=tuple(map(_choice, status.history)),
    )


def _layer(layer: LayerStatus) -> LayerInfo:
    return LayerInfo(
        spatial=layer.spatial,
        temporal=layer.temporal,
        rid=layer.rid,
        width=layer.width,
        height=layer.height,
        bitrate=layer.bitrate,
        fps=round(layer.fps, 1),
    )


def _layer_or_none(layer: LayerStatus | None) -> LayerInfo | None:
    return None if layer is None else _layer(layer)


def _settings(settings: TrackSettings) -> SettingsInfo:
    return SettingsInfo(
        visible=settings.visible,
        width=settings.width,
        height=settings.height,
        fps=settings.fps,
        priority=settings.priority,
        layer=settings.layer,
        temporal=settings.temporal,
        paused=settings.paused,
    )


def _choice(change: Change) -> ChoiceInfo:
    return ChoiceInfo(
        at=change.at,
        wanted=_layer_or_none(change.wanted),
        chosen=_layer_or_none(change.chosen),
        cause=cast(Cause, change.cause),
        reason=change.reason,
        estimate=change.estimate,
    )
