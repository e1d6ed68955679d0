"""What a participant may ask of its room, each request a function of the member and the message."""

from collections.abc import Callable, Mapping
from typing import Any

from sfu.errors import LimitError, LocalError, RemoteError
from sfu.room.media_settings import LayerInfo, TrackSettings
from signaling import messages
from signaling.descriptions import describe_track
from signaling.limits import check_names
from signaling.members import Member
from signaling.messages import Ok, Reply, Request

MAX_LISTED = 1024  # tracks or identities that one message may list; a grid of faces has some 50


def run(message: Request, member: Member, *, now: float) -> Reply:
    """Do what the member asks for.

    Args:
        message: Any request but those that end or begin a session.
        member: Who asks.
        now: Monotonic seconds.

    Returns:
        The reply, without the request's id.

    Raises:
        SfuError: It cannot be done.
    """
    return _COMMANDS[type(message)](member, message, now)


def _add_track(member: Member, message: messages.AddTrack, now: float) -> Reply:
    participant = member.participant
    check_names(participant.room.config, name=message.name, cid=message.cid)
    track = participant.add_track(
        kind=message.kind,
        source=message.source,
        name=message.name,
        width=message.width,
        height=message.height,
        muted=message.muted,
        layers=_layers(message),
        now=now,
    )
    member.log.info("track published", track=track.sid, kind=track.kind, source=track.source)
    return messages.TrackAdded(track=describe_track(track), cid=message.cid)


def _layers(message: messages.AddTrack) -> tuple[LayerInfo, ...]:
    """What the track's layers will be.

    Raises:
        RemoteError: "bad_request": there can be no such layers.
    """
    if message.layers and message.kind != "video":
        raise RemoteError("Only video has layers.")
    rids = [layer.rid for layer in message.layers if layer.rid]
    if len(rids) != len(set(rids)):
        raise RemoteError("Two layers have one rid.")
    return tuple(
        LayerInfo(rid=layer.rid, width=layer.width, height=layer.height, bitrate=layer.bitrate)
        for layer in message.layers
    )


def _remove_track(member: Member, message: messages.RemoveTrack, now: float) -> Reply:
    member.participant.remove_track(message.track, now=now)
    member.log.info("track unpublished", track=message.track)
    return Ok()


def _publisher_offer(member: Member, message: messages.PublisherOffer, now: float) -> Reply:
    return messages.PublisherAnswer(
        sdp=member.publisher.answer(message.sdp, tracks=message.tracks, now=now)
    )


def _subscriber_answer(member: Member, message: messages.SubscriberAnswer, now: float) -> Reply:
    member.subscriber.accept(message.offer, message.sdp, now=now)
    return Ok()


def _trickle(_member: Member, _message: messages.Trickle, _now: float) -> Reply:
    return Ok()  # RFC 8445 2.5: a lite agent learns the peer's addresses from its checks


def _restart_ice(member: Member, _message: messages.RestartIce, now: float) -> Reply:
    member.subscriber.restart_ice(now=now)
    return Ok()


def _mute(member: Member, message: messages.Mute, now: float) -> Reply:
    member.participant.set_muted(message.track, muted=message.muted, now=now)
    return Ok()


def _subscribe(member: Member, message: messages.Subscribe, now: float) -> Reply:
    member.participant.subscribe(_listed(message.tracks), now=now)
    return Ok()


def _unsubscribe(member: Member, message: messages.Unsubscribe, now: float) -> Reply:
    member.participant.unsubscribe(_listed(message.tracks), now=now)
    return Ok()


def _track_settings(member: Member, message: messages.TrackSettings, now: float) -> Reply:
    settings = TrackSettings(
        visible=message.visible,
        width=message.width,
        height=message.height,
        fps=message.fps,
        priority=message.priority,
        layer=message.layer,
        temporal=message.temporal,
        paused=message.paused,
    )
    member.participant.set_track_settings(message.track, settings, now=now)
    return Ok()


def _watch_media(member: Member, message: messages.WatchMedia, now: float) -> Reply:
    member.participant.watch_media(message.enabled, now=now)
    return Ok()


def _update_self(member: Member, message: messages.UpdateSelf, _now: float) -> Reply:
    participant = member.participant
    if not participant.permissions.can_update_own_metadata:
        raise LocalError("You may not change your own description.", name="not_allowed")
    check_names(participant.room.config, name=message.name or "")
    participant.update(name=message.name, metadata=message.metadata, attributes=message.attributes)
    return Ok()


def _send_data(member: Member, message: messages.SendData, now: float) -> Reply:
    room = member.participant.room
    check_names(room.config, topic=message.topic)
    if not member.data_rate.take(now=now):
        raise LimitError(
            f"You may send {room.config.max_data_rate} data messages a second.",
            name="rate_limited",
        )
    room.send_data(
        member.participant,
        message.payload,
        topic=message.topic,
        destinations=_listed(message.destinations),
        reliable=message.reliable,
    )
    return Ok()


def _listed(items: list[str]) -> list[str]:
    """The same without repetitions.

    Raises:
        LimitError: "too_large".
    """
    if len(items) > MAX_LISTED:
        raise LimitError(f"A message may list {MAX_LISTED} at most.", name="too_large")
    return list(dict.fromkeys(items))


_COMMANDS: Mapping[type[Request], Callable[[Member, Any, float], Reply]] = {
    messages.AddTrack: _add_track,
    messages.RemoveTrack: _remove_track,
    messages.PublisherOffer: _publisher_offer,
    messages.SubscriberAnswer: _subscriber_answer,
    messages.Trickle: _trickle,
    messages.RestartIce: _restart_ice,
    messages.Mute: _mute,
    messages.Subscribe: _subscribe,
    messages.Unsubscribe: _unsubscribe,
    messages.TrackSettings: _track_settings,
    messages.WatchMedia: _watch_media,
    messages.UpdateSelf: _update_self,
    messages.SendData: _send_data,
}
