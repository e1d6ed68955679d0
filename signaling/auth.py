"""Who is calling over HTTP, and what they may do: Bearer tokens (RFC 6750)."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import hdrs, web

from sfu.errors import RemoteError
from sfu.room.permissions import Permissions
from signaling.keys import CONFIG
from signaling.tokens import AccessToken, verify


@dataclass(frozen=True, slots=True)
class Access:
    """What one caller may do.

    Each `require_…` returns when the caller may, and raises `RemoteError` "not_allowed" else.

    Attributes:
        token: What the caller's token says; None with `dev`, where everyone may do everything.
    """

    token: AccessToken | None

    @property
    def identity(self) -> str:
        """Who it is, empty without a token."""
        return self.token.identity if self.token else ""

    @property
    def name(self) -> str:
        """Display name, empty where there is none."""
        return self.token.name if self.token else ""

    def name_for(self, wish: str) -> str:
        """The display name of a participant that would like to be called `wish`.

        Names are the token's to give, as for those who join by WebSocket.
        """
        if self.permissions.can_update_own_metadata:
            return wish or self.name
        return self.name

    @property
    def metadata(self) -> str:
        """Free text of the application."""
        return self.token.metadata if self.token else ""

    @property
    def attributes(self) -> Mapping[str, str]:
        """Free key-value pairs of the application."""
        return self.token.attributes if self.token else {}

    @property
    def permissions(self) -> Permissions:
        """The rights of a participant that joins with this token."""
        if self.token is None:
            return Permissions(can_update_own_metadata=True, can_record=True)
        return self.token.video.permissions

    def is_from(self, identity: str, room: str) -> bool:
        """Whether this is the token of this identity for this room; an empty one is nobody's."""
        return (
            self.token is not None
            and bool(identity)
            and self.token.identity == identity
            and self.token.video.room == room
        )

    def require_publish(self, room: str) -> None:
        """The caller may join the room and send media."""
        if self.token is not None:
            self.token.check_join(room)
            if not self.permissions.can_publish or self.permissions.hidden:
                raise RemoteError("The token does not let its bearer publish.", name="not_allowed")

    def require_subscribe(self, room: str) -> None:
        """The caller may join the room and receive media."""
        if self.token is not None:
            self.token.check_join(room)
            if not self.permissions.can_subscribe:
                raise RemoteError(
                    "The token does not let its bearer receive media.", name="not_allowed"
                )

    def require_list(self) -> None:
        """The caller may list rooms."""
        if self.token is not None and not self.token.video.room_list:
            raise RemoteError("The token does not grant roomList.", name="not_allowed")

    def require_admin(self, room: str) -> None:
        """The caller may administer the room."""
        if self.token is not None and not self._is_admin(self.token, room):
            raise RemoteError(
                f"The token does not grant roomAdmin for room {room!r}.", name="not_allowed"
            )

    def require_record(self, room: str) -> None:
        """The caller may record the room, and get at its recordings."""
        token = self.token
        if token is None or self._is_admin(token, room):
            return
        if not token.video.room_record or token.video.room != room:
            raise RemoteError(
                f"The token does not grant roomRecord for room {room!r}.", name="not_allowed"
            )

    def require_self(self, identity: str, room: str) -> None:
        """The caller is this participant, or administers its room."""
        if not self.is_from(identity, room):
            self.require_admin(room)

    def require_look(self, room: str) -> None:
        """The caller may see that the room exists."""
        if self.token is not None and not self._is_admin(self.token, room):
            self.require_list()

    @staticmethod
    def _is_admin(token: AccessToken, room: str) -> bool:
        return token.video.room_admin and token.video.room == room


def authorize(request: web.Request) -> Access:
    """What the sender of this request may do.

    Raises:
        RemoteError: "unauthorized": the token is missing or not valid.
    """
    config = request.app[CONFIG]
    header = request.headers.get(hdrs.AUTHORIZATION, "")
    scheme, _, credentials = header.partition(" ")
    credentials = credentials.strip()
    # Many WHIP clients insist on some token; without a key there is nothing to hold it against.
    if config.dev and (not header or not config.api_key):
        return Access(None)
    if scheme.lower() != "bearer" or not credentials:
        raise RemoteError(
            "An access token is needed, as Authorization: Bearer.", name="unauthorized"
        )
    return Access(verify(credentials, api_key=config.api_key, api_secret=config.api_secret))
