"""WHIP: publish into a room with one HTTP request (RFC 9725)."""

import secrets

from aiohttp import web

from sfu.config import Config
from sfu.errors import LimitError, RemoteError
from sfu.room.permissions import Permissions
from sfu.wire.sdp import SessionDescription, parse_sdp
from signaling.auth import Access
from signaling.http_sessions import HttpSession, session_routes
from signaling.keys import CONFIG, SERVER
from signaling.limits import check_attributes, check_names
from signaling.negotiation import answer
from signaling.negotiator import NOWHERE, SOURCES, PeerNegotiator


def routes() -> list[web.RouteDef]:
    """`/whip/{room}` and its sessions."""
    return session_routes("/whip", open_session)


def open_session(request: web.Request, access: Access, session: HttpSession, offer: str) -> str:
    """Join as a participant that only publishes, and answer the offer.

    Raises:
        SfuError: "not_allowed", "room_full", "negotiation_failed" and others.
    """
    server, config = request.app[SERVER], request.app[CONFIG]
    room_name = request.match_info["room"]
    access.require_publish(room_name)
    # Joining puts out who has the same identity: all that may be refused is refused before.
    offered = server.media.parse(offer)
    _check_offer(offered, access.permissions, config)
    server.check_capacity()
    identity = access.identity or f"whip-{secrets.token_urlsafe(6)}"
    name = access.name_for(request.query.get("name", "")) or identity
    check_names(config, room=room_name, identity=identity, name=name)
    check_attributes(config, access.attributes)
    participant = server.rooms.open(room_name, now=server.now()).join(
        identity=identity,
        name=name,
        metadata=access.metadata,
        attributes=access.attributes,
        permissions=access.permissions,
        auto_subscribe=False,
        listener=session.hear,
        now=server.now(),
    )
    negotiator = PeerNegotiator(server.media, participant, announces=True)
    return session.begin(participant, negotiator, offered)


def _check_offer(offered: SessionDescription, permissions: Permissions, config: Config) -> None:
    """Answer the offer for a look, as the participant's negotiator will.

    Raises:
        SfuError: It would be refused, or a part of it.
    """
    look = answer(offered, NOWHERE, receive=True, slots={}, data=True, config=config)
    _check_complete(
        offered,
        parse_sdp(
            look.sdp,
            max_size=len(look.sdp.encode()),
            max_media_sections=config.max_media_sections,
        ),
    )
    if not look.receive:
        raise RemoteError("The offer sends no media (a=sendonly).", name="negotiation_failed")
    for section in look.receive:
        source = SOURCES[section.kind]
        if not permissions.may_publish(source):
            raise RemoteError(
                f"The token does not let its bearer publish {source}.", name="not_allowed"
            )
    if len(look.receive) > config.max_tracks:
        raise LimitError(
            f"A participant can publish {config.max_tracks} tracks at most.", name="too_many_tracks"
        )


def _check_complete(offered: SessionDescription, answered: SessionDescription) -> None:
    """RFC 9725 4.4.3: better no session than one that lacks a part of what was offered."""
    for theirs, ours in zip(offered.media, answered.media, strict=True):
        if ours.rejected and not theirs.rejected:
            raise RemoteError(
                f"The {theirs.kind} m-line with mid {theirs.mid!r} has nothing that we support.",
                name="codec_unsupported",
            )
