"""The HTTP API: what administrators and other servers do with rooms (PROTOCOL.md, "HTTP")."""

import msgspec
from aiohttp import web
from msgspec import Struct

from sfu.config import IceServer
from sfu.errors import LocalError, ParseError, RemoteError
from sfu.room.participant import Participant
from sfu.room.room import Room
from signaling import recordings_api
from signaling.auth import authorize
from signaling.bodies import read_text
from signaling.descriptions import describe_participant, describe_room, describe_track
from signaling.health import Health
from signaling.keys import CONFIG, SERVER
from signaling.media_descriptions import describe_media
from signaling.messages import ParticipantInfo, RoomInfo, TrackInfo
from signaling.problems import Problem
from signaling.schema import json_schema

API = "/api/v1"
JSON = "application/json"


class RoomList(Struct, frozen=True):
    """Answer of `GET /api/v1/rooms`."""

    rooms: list[RoomInfo]


class ParticipantList(Struct, frozen=True):
    """Answer of `GET /api/v1/rooms/{room}/participants`, hidden ones included."""

    participants: list[ParticipantInfo]


class TrackList(Struct, frozen=True):
    """Answer of `GET /api/v1/rooms/{room}/participants/{identity}/tracks`."""

    tracks: list[TrackInfo]


class TrackChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PATCH /api/v1/rooms/{room}/participants/{identity}/tracks/{track}`."""

    muted: bool


class IceServerList(Struct, frozen=True):
    """Answer of `GET /api/v1/ice-servers`."""

    ice_servers: tuple[IceServer, ...]


TYPES = (RoomList, ParticipantList, TrackList, TrackChange, IceServerList, Health, Problem)


def routes() -> list[web.RouteDef]:
    """`/api/v1/…` and `/healthz`."""
    room = f"{API}/rooms/{{room}}"
    participant = f"{room}/participants/{{identity}}"
    return [
        web.get("/healthz", _health),
        web.get(f"{API}/schema.json", _schema),
        web.get(f"{API}/ice-servers", _ice_servers),
        web.get(f"{API}/rooms", _list_rooms),
        web.get(room, _get_room),
        web.delete(room, _delete_room),
        web.get(f"{room}/participants", _list_participants),
        web.get(participant, _get_participant),
        web.delete(participant, _remove_participant),
        web.get(f"{participant}/media", _get_media),
        web.get(f"{participant}/tracks", _list_tracks),
        web.patch(f"{participant}/tracks/{{track}}", _change_track),
    ]


def _json(value: object) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value),
        content_type=JSON,
        headers={"Cache-Control": "no-store"},
    )


# -- the server


async def _health(request: web.Request) -> web.Response:
    return _json(request.app[SERVER].health())


async def _schema(_request: web.Request) -> web.Response:
    return _json(json_schema((*TYPES, *recordings_api.TYPES)))


async def _ice_servers(request: web.Request) -> web.Response:
    authorize(request)  # any valid token: TURN credentials are worth money
    return _json(IceServerList(request.app[CONFIG].ice_servers))


# -- rooms


async def _list_rooms(request: web.Request) -> web.Response:
    authorize(request).require_list()
    return _json(RoomList([describe_room(room) for room in request.app[SERVER].rooms]))


async def _get_room(request: web.Request) -> web.Response:
    authorize(request).require_look(request.match_info["room"])
    return _json(describe_room(_room(request)))


async def _delete_room(request: web.Request) -> web.Response:
    authorize(request).require_admin(request.match_info["room"])
    server = request.app[SERVER]
    server.rooms.delete(_room(request).name, reason="room_deleted", now=server.now())
    return web.Response(status=204)


# -- participants


async def _list_participants(request: web.Request) -> web.Response:
    authorize(request).require_admin(request.match_info["room"])
    everyone = _room(request).participants.values()
    return _json(ParticipantList([describe_participant(one) for one in everyone]))


async def _get_participant(request: web.Request) -> web.Response:
    return _json(describe_participant(_participant(request)))


async def _remove_participant(request: web.Request) -> web.Response:
    _participant(request).leave(reason="removed", now=request.app[SERVER].now())
    return web.Response(status=204)


async def _get_media(request: web.Request) -> web.Response:
    room, identity = request.match_info["room"], request.match_info["identity"]
    authorize(request).require_self(identity, room)
    participant = _room(request).participant(identity)
    return _json(describe_media(participant.media(now=request.app[SERVER].now())))


# -- tracks


async def _list_tracks(request: web.Request) -> web.Response:
    return _json(TrackList([describe_track(one) for one in _participant(request).tracks.values()]))


async def _change_track(request: web.Request) -> web.Response:
    _participant(request)  # before the body is read, whoever may not learns so
    limit = request.app[CONFIG].max_message_size
    text = await read_text(request, media_type=JSON, limit=limit)
    try:
        change = msgspec.json.decode(text, type=TrackChange)
    except msgspec.ValidationError as error:
        raise RemoteError(f"The body is not a change of a track: {error}.") from None
    except msgspec.DecodeError as error:
        raise ParseError(f"The body is not JSON: {error}.") from None
    track = _participant(request).set_muted(
        request.match_info["track"], muted=change.muted, now=request.app[SERVER].now()
    )
    return _json(describe_track(track))


def _room(request: web.Request) -> Room:
    """The room that the path names."""
    name = request.match_info["room"]
    room = request.app[SERVER].rooms.get(name)
    if room is None:
        raise LocalError(f"There is no room {name!r}.", name="room_not_found")
    return room


def _participant(request: web.Request) -> Participant:
    """The participant that the path names, for administrators of the room."""
    authorize(request).require_admin(request.match_info["room"])
    return _room(request).participant(request.match_info["identity"])
