"""WHIP: publish into a room with one HTTP request (RFC 9725)."""

import secrets

from aiohttp import web

from sfu.errors import RemoteError
from sfu.wire.sdp import SessionDescription, parse_sdp
from signaling.auth import Access
from signaling.http_sessions import HttpSession, session_routes
from signaling.keys import CONFIG, SERVER
from signaling.limits import check_attributes, check_names
from signaling.negotiator import PeerNegotiator


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
    # Looked at before joining: a bad offer must not put out who has the same identity.
    offered = parse_sdp(
        offer, max_size=config.max_sdp_size, max_media_sections=config.max_media_sections
    )
    identity = access.identity or f"whip-{secrets.token_urlsafe(6)}"
    name = request.query.get("name") or access.name or identity
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
    answer = session.begin(participant, negotiator, offer)
    _check_complete(offered, parse_sdp(answer))
    if not participant.tracks:
        raise RemoteError("The offer sends no media (a=sendonly).", name="negotiation_failed")
    return answer


def _check_complete(offered: SessionDescription, answered: SessionDescription) -> None:
    """RFC 9725 4.4.3: better no session than one that lacks a part of what was offered."""
    for theirs, ours in zip(offered.media, answered.media, strict=True):
        if ours.rejected and not theirs.rejected:
            raise RemoteError(
                f"The {theirs.kind} m-line with mid {theirs.mid!r} has nothing that we support.",
                name="codec_unsupported",
            )
