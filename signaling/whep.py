"""WHEP: watch a room with one HTTP request (draft-ietf-wish-whep)."""

import secrets

from aiohttp import web

from sfu.errors import RemoteError
from sfu.room.events import RoomEvent, TrackPublished
from sfu.room.permissions import Permissions
from signaling.auth import Access
from signaling.http_sessions import HttpSession, session_routes
from signaling.keys import CONFIG, SERVER
from signaling.limits import check_names
from signaling.negotiator import PeerNegotiator


def routes() -> list[web.RouteDef]:
    """`/whep/{room}` and its sessions."""
    return session_routes("/whep", open_session)


def open_session(request: web.Request, access: Access, session: HttpSession, offer: str) -> str:
    """Join as a hidden participant that only watches, and answer the offer.

    Without a query the m-lines are filled with the tracks of the room, as they come. `?identity=`
    watches one participant, `?track=` one track.

    Raises:
        SfuError: "not_allowed", "track_not_found", "negotiation_failed" and others.
    """
    server, config = request.app[SERVER], request.app[CONFIG]
    room_name = request.match_info["room"]
    access.require_subscribe(room_name)
    watched, track = request.query.get("identity"), request.query.get("track")
    offered = server.media.parse(offer)

    def hear(event: RoomEvent) -> None:
        if isinstance(event, TrackPublished) and event.participant.identity == watched:
            participant.subscribe([event.track.sid], now=server.now())
        session.hear(event)

    check_names(config, room=room_name, identity=access.identity, name=access.name)
    room = server.rooms.open(room_name, now=server.now())
    participant = room.join(
        # Many may watch with one token, each of them a participant.
        identity=f"{access.identity or 'whep'}#{secrets.token_urlsafe(9)}",
        name=access.name,
        permissions=Permissions(can_publish=False, can_publish_data=False, hidden=True),
        auto_subscribe=watched is None and track is None,
        listener=hear,
        now=server.now(),
    )
    negotiator = PeerNegotiator(
        server.media, participant, target="subscriber", publishes=False, receives=True
    )
    answer = session.begin(participant, negotiator, offered)
    if not participant.subscriptions.slots:
        raise RemoteError("The offer receives no media (a=recvonly).", name="negotiation_failed")
    if track is not None:
        participant.subscribe([track], now=server.now())
    elif watched is not None and watched in room.participants:
        participant.subscribe(room.participants[watched].tracks, now=server.now())
    return answer
