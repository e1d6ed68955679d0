"""What happens in a room, as the messages that clients are told of it with."""

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, cast

from msgspec import UNSET, UnsetType

from sfu.config import Config
from sfu.errors import SfuError
from sfu.room import events
from sfu.room.participant import Participant
from sfu.room.peer import Peer
from signaling import messages
from signaling.descriptions import describe_participant, describe_room, describe_track
from signaling.media_descriptions import describe_media
from signaling.messages import DisconnectReason, ErrorName, SubscriptionReason, Target
from signaling.recording_descriptions import describe_room_recording
from signaling.subscriber_negotiator import SubscriberOffer

VERSION = version("aiosfu")

SENTENCES: Mapping[str, str] = {
    "duplicate_identity": "Someone joined the room with your identity.",
    "removed": "An administrator removed you from the room.",
    "room_deleted": "The room was closed.",
    "server_shutdown": "The server is stopping.",
    "left": "You left the room.",
    "media_lost": "Your media connection was lost.",
    "signaling_timeout": "The server has not heard from you for too long.",
}


def disconnected(reason: str) -> messages.Disconnected:
    """The last message to a client.

    Args:
        reason: One of the disconnect reasons.
    """
    return messages.Disconnected(reason=cast(DisconnectReason, reason), message=SENTENCES[reason])


def refusal(error: SfuError, request_id: int | UnsetType = UNSET) -> messages.Error:
    """The message that tells of an error.

    Args:
        error: Ours.
        request_id: Of the request that it answers; nothing where it answers none.
    """
    return messages.Error(id=request_id, error=cast(ErrorName, error.name), message=error.message)


def joined(
    participant: Participant, config: Config, *, secret: str, resumed: bool
) -> messages.Joined:
    """The first message to a participant: all that it sees in the room.

    Args:
        participant: It.
        config: Its server's.
        secret: With which it may resume.
        resumed: Whether it has just done so.
    """
    room = participant.room
    return messages.Joined(
        participant=describe_participant(participant),
        room=describe_room(room),
        participants=tuple(
            describe_participant(other) for other in room.visible if other is not participant
        ),
        recordings=tuple(map(describe_room_recording, room.recordings.values())),
        ice_servers=config.ice_servers,
        grace_period=config.grace_period,
        server=messages.ServerInfo(version=VERSION),
        resume_secret=secret,
        resumed=resumed,
    )


def present_state(participant: Participant) -> Iterator[events.RoomEvent]:
    """How it goes with the participant's own media: what it may have missed besides `joined`."""
    for subscription in participant.subscriptions:
        yield subscription.told()
    targets: Mapping[Target, Peer | None] = {
        "publisher": participant.publisher,
        "subscriber": participant.subscriber,
    }
    for target, peer in targets.items():
        state = peer.transport.state if peer else "new"
        if state in ("connected", "failed", "closed"):
            yield events.MediaStateChanged(target, state, "")


def offered(offer: SubscriberOffer) -> messages.SubscriberOffer:
    """The message that carries an offer."""
    return messages.SubscriberOffer(
        offer=offer.number,
        sdp=offer.sdp,
        tracks={
            mid: messages.OfferedTrack(participant=track.participant.sid, track=track.sid)
            for mid, track in offer.tracks.items()
        },
    )


def notice(event: events.RoomEvent) -> messages.Event | None:
    """The message that tells of `event`; None where clients are told in another way or not."""
    make = _NOTICES.get(type(event))
    return make(event) if make else None


def _participant_joined(event: events.ParticipantJoined) -> messages.ParticipantJoined:
    return messages.ParticipantJoined(participant=describe_participant(event.participant))


def _participant_updated(event: events.ParticipantUpdated) -> messages.ParticipantUpdated:
    return messages.ParticipantUpdated(participant=describe_participant(event.participant))


def _participant_left(event: events.ParticipantLeft) -> messages.ParticipantLeft:
    return messages.ParticipantLeft(
        participant=event.participant.sid,
        identity=event.participant.identity,
        reason=cast(DisconnectReason, event.reason),
    )


def _track_published(event: events.TrackPublished) -> messages.TrackPublished:
    return messages.TrackPublished(
        participant=event.participant.sid, track=describe_track(event.track)
    )


def _track_unpublished(event: events.TrackUnpublished) -> messages.TrackUnpublished:
    return messages.TrackUnpublished(participant=event.participant.sid, track=event.track.sid)


def _track_updated(event: events.TrackUpdated) -> messages.TrackUpdated:
    return messages.TrackUpdated(
        participant=event.participant.sid, track=describe_track(event.track)
    )


def _subscription_changed(event: events.SubscriptionChanged) -> messages.SubscriptionChanged:
    return messages.SubscriptionChanged(
        track=event.track.sid,
        state=event.state,
        reason=cast(SubscriptionReason, event.reason),
        detail=event.detail,
    )


def _speakers_changed(event: events.SpeakersChanged) -> messages.SpeakersChanged:
    return messages.SpeakersChanged(
        speakers=tuple(
            messages.SpeakerInfo(participant=speaker.participant.sid, level=speaker.level)
            for speaker in event.speakers
        )
    )


def _connection_quality(event: events.ConnectionQualityChanged) -> messages.ConnectionQuality:
    return messages.ConnectionQuality(
        participant=event.participant.sid, quality=event.quality, score=event.score
    )


def _layers_wanted(event: events.LayersWanted) -> messages.LayersWanted:
    return messages.LayersWanted(
        track=event.track.sid,
        layers=tuple(
            messages.WantedLayer(rid=layer.rid, active=layer.active, spatial=layer.spatial)
            for layer in event.layers
        ),
    )


def _media_report(event: events.MediaReport) -> messages.MediaReport:
    return messages.MediaReport(status=describe_media(event.status))


def _media_state(event: events.MediaStateChanged) -> messages.MediaState:
    return messages.MediaState(target=event.target, state=event.state, reason=event.reason)


def _data(event: events.DataReceived) -> messages.Data:
    sender = event.sender
    return messages.Data(
        participant=sender.sid if sender else "",
        identity=sender.identity if sender else "",
        topic=event.topic,
        payload=event.payload,
        reliable=event.reliable,
    )


def _room_updated(event: events.RoomUpdated) -> messages.RoomUpdated:
    return messages.RoomUpdated(room=describe_room(event.room))


def _recording_changed(event: events.RecordingChanged) -> messages.RecordingChanged:
    return messages.RecordingChanged(recording=describe_room_recording(event.recording))


_NOTICES: Mapping[type, Callable[[Any], messages.Event]] = {
    events.ParticipantJoined: _participant_joined,
    events.ParticipantUpdated: _participant_updated,
    events.ParticipantLeft: _participant_left,
    events.TrackPublished: _track_published,
    events.TrackUnpublished: _track_unpublished,
    events.TrackUpdated: _track_updated,
    events.SubscriptionChanged: _subscription_changed,
    events.SpeakersChanged: _speakers_changed,
    events.ConnectionQualityChanged: _connection_quality,
    events.LayersWanted: _layers_wanted,
    events.MediaReport: _media_report,
    events.MediaStateChanged: _media_state,
    events.DataReceived: _data,
    events.RoomUpdated: _room_updated,
    events.RecordingChanged: _recording_changed,
}
