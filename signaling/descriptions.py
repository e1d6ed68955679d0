"""Rooms, participants and tracks as messages show them."""

from sfu.room.participant import Participant
from sfu.room.permissions import Permissions
from sfu.room.room import Room
from sfu.room.track import Track
from signaling.messages import ParticipantInfo, PermissionsInfo, RoomInfo, TrackInfo


def describe_room(room: Room) -> RoomInfo:
    """The room; hidden participants do not count."""
    return RoomInfo(
        sid=room.sid,
        name=room.name,
        metadata=room.metadata,
        created_at=room.created_at,
        num_participants=len(room.visible),
    )


def describe_participant(participant: Participant) -> ParticipantInfo:
    """The participant and all that it publishes."""
    return ParticipantInfo(
        sid=participant.sid,
        identity=participant.identity,
        name=participant.name,
        metadata=participant.metadata,
        attributes=participant.attributes,
        permissions=describe_permissions(participant.permissions),
        joined_at=participant.joined_at,
        tracks=tuple(map(describe_track, participant.tracks.values())),
    )


def describe_permissions(permissions: Permissions) -> PermissionsInfo:
    """The rights; sources in alphabetical order."""
    sources = permissions.can_publish_sources
    return PermissionsInfo(
        can_publish=permissions.can_publish,
        can_subscribe=permissions.can_subscribe,
        can_publish_data=permissions.can_publish_data,
        can_publish_sources=None if sources is None else tuple(sorted(sources)),
        can_update_own_metadata=permissions.can_update_own_metadata,
        hidden=permissions.hidden,
        recorder=permissions.recorder,
        can_record=permissions.can_record,
    )


def describe_track(track: Track) -> TrackInfo:
    """The track."""
    return TrackInfo(
        sid=track.sid,
        kind=track.kind,
        source=track.source,
        name=track.name,
        muted=track.muted,
        width=track.width,
        height=track.height,
        mime_type=track.mime_type,
    )
