"""Sessions that are HTTP resources: what WHIP (RFC 9725) and WHEP have in common.

A session is a participant with one peer connection. `POST` to the endpoint creates it with an offer
and an answer; its resource takes ICE news (`PATCH`) and ends it (`DELETE`). It also ends with its
transport, with its room, and when the participant is removed.

Instead of rates (RFC 9725 5), what one client can hold by its requests is bounded: the sessions
that have not connected yet (`max_pending_sessions`).
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace

from aiohttp import hdrs, web

from sfu.config import IceServer
from sfu.errors import LocalError
from sfu.room.events import Disconnected, MediaStateChanged, RoomEvent
from sfu.room.participant import Participant
from sfu.room.peer import Peer
from sfu.wire.parameters import IceParameters
from sfu.wire.sdp import SessionDescription
from signaling import sdpfrag
from signaling.auth import Access, authorize
from signaling.bodies import read_text
from signaling.keys import CONFIG, SERVER
from signaling.logs import get_logger
from signaling.negotiator import PeerNegotiator
from signaling.pending import PENDING
from signaling.server import MediaServer
from signaling.turnstile import TURNSTILE

SDP = "application/sdp"
ACCEPT_POST = "Accept-Post"
ACCEPT_PATCH = "Accept-Patch"


class HttpSession:
    """One participant that is reached by HTTP, and its peer connection.

    Attributes:
        id: Last part of the resource's path; nobody can guess it.
        owner: Identity of the token that created it, empty without: then it is an administrator's.
        etag: Names the present ICE session (RFC 9725 4.3.1); quotes included.
    """

    def __init__(self, server: MediaServer, *, owner: str, remote: str = "") -> None:
        """Nobody has joined yet.

        Args:
            server: Where its room is.
            owner: Identity of the token that asks for it.
            remote: The client's address, for the log.
        """
        self.id = secrets.token_urlsafe(18)
        self.owner = owner
        self.etag = _etag()
        self.on_end: Callable[[], None] = lambda: None
        self._server = server
        self._participant: Participant | None = None
        self._peer: Peer | None = None
        self._answer = ""
        self._log = get_logger(__name__).bind(remote=remote)

    @property
    def room(self) -> str:
        """Name of the room, empty before it was entered."""
        return self._participant.room.name if self._participant else ""

    @property
    def pending(self) -> bool:
        """Whether its transport has still to finish ICE and DTLS."""
        return (
            self._participant is not None
            and self._participant.present
            and self._peer is not None
            and self._peer.transport.state in ("new", "connecting")
        )

    def begin(
        self, participant: Participant, negotiator: PeerNegotiator, offer: SessionDescription
    ) -> str:
        """Answer the one offer of the session, for a participant that has just joined.

        Raises:
            SfuError: The offer cannot be answered.
        """
        self._participant = participant
        self._log = self._log.bind(
            room=self.room, identity=participant.identity, participant=participant.sid
        )
        self._answer = negotiator.answer(offer, now=self._server.now())
        self._peer = negotiator.peer
        self._log.info("participant joined")
        for track in participant.tracks.values():
            self._log.info("track published", track=track.sid, kind=track.kind, source=track.source)
        return self._answer

    def hear(self, event: RoomEvent) -> None:
        """The participant's listener."""
        if isinstance(event, Disconnected):
            if self._peer is not None:
                self._log.info("participant left", reason=event.reason)
            self.on_end()
        elif isinstance(event, MediaStateChanged) and event.state != "connected":
            self.end(reason="media_lost")

    def end(self, *, reason: str) -> None:
        """Leave the room; nothing happens when that was done."""
        if self._participant is None:
            self.on_end()
        elif self._participant.present:
            self._participant.leave(reason=reason, now=self._server.now())

    def is_restart(self, ice: IceParameters) -> bool:
        """Whether these credentials of the client begin a new ICE session."""
        assert self._peer is not None
        assert self._peer.remote is not None
        return ice != self._peer.remote.ice

    def restart_ice(self, ice: IceParameters) -> str:
        """Begin a new ICE session with the client's new credentials.

        Returns:
            The fragment that tells ours.

        Raises:
            SfuError: It cannot be done; the present ICE session goes on.
        """
        peer = self._peer
        assert peer is not None
        assert peer.remote is not None
        if not peer.alive:
            raise LocalError("The connection is gone: begin again.", name="negotiation_failed")
        now = self._server.now()
        self._server.media.endpoint.restart_ice(peer, now=now)
        peer.start(replace(peer.remote, ice=ice), now=now)
        self.etag = _etag()
        return sdpfrag.fragment_of(self._answer, peer.transport.local_ice)


class HttpSessions:
    """The sessions of one protocol that have not ended."""

    def __init__(self) -> None:
        self._sessions: dict[str, HttpSession] = {}

    def add(self, session: HttpSession, forget: Callable[[], None]) -> None:
        """Know the session until it ends.

        Args:
            session: A new one.
            forget: Called when it ends.
        """
        self._sessions[session.id] = session

        def ended() -> None:
            self._sessions.pop(session.id, None)
            forget()

        session.on_end = ended

    def find(self, room: str, session_id: str) -> HttpSession:
        """The session of this room with this id.

        Raises:
            LocalError: "participant_not_found".
        """
        session = self._sessions.get(session_id)
        if session is None or session.room != room:
            raise LocalError("There is no such session, or it has ended.", name=_NOT_FOUND)
        return session


_NOT_FOUND = "participant_not_found"

# Joins a room with the caller's rights, hands the participant to the session, answers the offer.
Opener = Callable[[web.Request, Access, HttpSession, str], str]


def session_routes(prefix: str, open_session: Opener) -> list[web.RouteDef]:
    """The endpoint `{prefix}/{room}` and its session resources.

    Args:
        prefix: "/whip" or "/whep".
        open_session: Fills a new session.
    """
    sessions = HttpSessions()

    async def create(request: web.Request) -> web.Response:
        access = authorize(request)
        config = request.app[CONFIG]
        offer = await read_text(request, media_type=SDP, limit=config.max_sdp_size)
        await request.app[TURNSTILE].wait()
        remote = request.remote or ""
        # Identities are unique in their room; without tokens there are addresses alone.
        client = (access.identity, request.match_info["room"]) if access.identity else remote
        pending = request.app[PENDING]
        pending.check(client)
        session = HttpSession(request.app[SERVER], owner=access.identity, remote=remote)
        sessions.add(session, lambda: pending.remove(client, session))
        pending.add(client, session)
        try:
            answer = open_session(request, access, session, offer)
        except Exception:
            session.end(reason="left")
            raise
        response = web.Response(status=201, text=answer, content_type=SDP)
        response.headers[hdrs.LOCATION] = f"{request.rel_url.raw_path}/{session.id}"
        response.headers[hdrs.ETAG] = session.etag
        response.headers[ACCEPT_PATCH] = sdpfrag.MEDIA_TYPE
        for link in ice_server_links(config.ice_servers):
            response.headers.add(hdrs.LINK, link)
        return response

    async def describe(_request: web.Request) -> web.Response:
        # WHEP: players tell an endpoint by the Content-Type of a HEAD request.
        return web.Response(body=b"", content_type=SDP, headers={ACCEPT_POST: SDP})

    async def endpoint_options(_request: web.Request) -> web.Response:
        return web.Response(headers={ACCEPT_POST: SDP})

    async def session_options(_request: web.Request) -> web.Response:
        return web.Response(headers={ACCEPT_PATCH: sdpfrag.MEDIA_TYPE})

    def find(request: web.Request) -> HttpSession:
        access = authorize(request)
        session = sessions.find(request.match_info["room"], request.match_info["session"])
        if not access.is_from(session.owner, session.room):
            access.require_admin(session.room)
        return session

    async def get(request: web.Request) -> web.Response:
        find(request)
        return web.Response(status=204)

    async def patch(request: web.Request) -> web.Response:
        find(request)
        text = await read_text(request, media_type=sdpfrag.MEDIA_TYPE, limit=sdpfrag.MAX_SIZE)
        session = find(request)  # it may have ended while the body arrived
        _check_precondition(request, session.etag)
        ice = sdpfrag.parse_fragment(text)
        if ice is None or not session.is_restart(ice):
            return web.Response(status=204)
        return web.Response(
            text=session.restart_ice(ice),
            content_type=sdpfrag.MEDIA_TYPE,
            headers={hdrs.ETAG: session.etag},
        )

    async def delete(request: web.Request) -> web.Response:
        find(request).end(reason="left")
        return web.Response()

    endpoint, resource = f"{prefix}/{{room}}", f"{prefix}/{{room}}/{{session}}"
    return [
        web.post(endpoint, create),
        web.get(endpoint, describe),
        web.options(endpoint, endpoint_options),
        web.get(resource, get),
        web.patch(resource, patch),
        web.delete(resource, delete),
        web.options(resource, session_options),
    ]


def ice_server_links(servers: Iterable[IceServer]) -> list[str]:
    """`Link` headers that tell a client of STUN and TURN servers (RFC 9725 4.6)."""
    links = []
    for server in servers:
        for url in server.urls:
            parameters = ['rel="ice-server"']
            if server.username:
                parameters += [
                    f"username={_quoted(server.username)}",
                    f"credential={_quoted(server.credential)}",
                    'credential-type="password"',
                ]
            links.append("; ".join([f"<{url}>", *parameters]))
    return links


def _quoted(text: str) -> str:
    """RFC 9110 5.6.4."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _etag() -> str:
    return f'"{secrets.token_urlsafe(9)}"'


def _check_precondition(request: web.Request, etag: str) -> None:
    """RFC 9725 4.3.1: ICE news must say which ICE session it is about; `*` is about any."""
    header = request.headers.get(hdrs.IF_MATCH)
    if header is None:
        raise web.HTTPPreconditionRequired(
            text="If-Match must name the ETag of the session, or be * for an ICE restart."
        )
    if header.strip() in ("*", '"*"'):  # RFC 9725 writes the quotes in its example
        return
    if etag not in (tag.strip() for tag in header.split(",")):
        raise web.HTTPPreconditionFailed(
            text="If-Match names another ICE session than the present one."
        )
