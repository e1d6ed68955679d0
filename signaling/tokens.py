"""Access tokens: who somebody is, which room they may enter and what they may do there.

A token is a JWT (RFC 7519) signed with HS256: `iss` is the API key, `sub` the identity, `exp` when
it ends; `name`, `metadata` and `attributes` describe the participant, and `video` holds the grants.
It is the layout that the field's tools make already.
"""

import time
from typing import Any

import jwt
import msgspec
from msgspec import Struct

from sfu.errors import LocalError, RemoteError
from sfu.room.permissions import Permissions, Source

ALGORITHM = "HS256"
LEEWAY = 10  # s; clocks of servers that run NTP differ by less, those that do not by about this
LIFETIME = 6 * 3600.0  # s; a token is used to join, and a long day's meeting may have to join anew
MAX_TOKEN_SIZE = 65536  # characters; metadata and attributes at their default bounds fit


class VideoGrant(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What the bearer may do; the claim `video`, its names in camelCase there.

    Attributes:
        room_join: May enter the room.
        room: The room that `room_join`, `room_admin` and `room_record` are for.
        room_create: May open rooms before anyone joins.
        room_list: May list rooms and look at them.
        room_admin: May look at the room's participants, mute and remove them, and close it.
        room_record: May record the room, and get at its recordings.
        can_publish: May send media.
        can_subscribe: May receive media.
        can_publish_data: May send data messages.
        can_publish_sources: The sources that may be published, None for all.
        can_update_own_metadata: May change its own name, metadata and attributes.
        hidden: Nobody else sees this participant.
        recorder: Is there to record the room.
    """

    room_join: bool = False
    room: str = ""
    room_create: bool = False
    room_list: bool = False
    room_admin: bool = False
    room_record: bool = False
    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_publish_sources: tuple[Source, ...] | None = None
    can_update_own_metadata: bool = False
    hidden: bool = False
    recorder: bool = False

    @property
    def permissions(self) -> Permissions:
        """The rights of the participant that joins with this grant."""
        sources = self.can_publish_sources
        return Permissions(
            can_publish=self.can_publish,
            can_subscribe=self.can_subscribe,
            can_publish_data=self.can_publish_data,
            can_publish_sources=None if sources is None else frozenset(sources),
            can_update_own_metadata=self.can_update_own_metadata,
            hidden=self.hidden,
            recorder=self.recorder,
            can_record=self.room_record or self.room_admin,
        )


class AccessToken(Struct, frozen=True, kw_only=True):
    """What a token says, as far as we look at it.

    Attributes:
        identity: Who the bearer is (`sub`); empty in a token that is not for joining.
        name: Display name.
        metadata: Free text of the application.
        attributes: Free key-value pairs of the application.
        video: The grants.
    """

    identity: str = msgspec.field(default="", name="sub")
    name: str = ""
    metadata: str = ""
    attributes: dict[str, str] = {}
    video: VideoGrant = VideoGrant()

    def check_join(self, room: str = "") -> str:
        """Make sure that this token lets its bearer into a room.

        Args:
            room: The room that was asked for; empty for the token's own.

        Returns:
            The room's name.

        Raises:
            RemoteError: "not_allowed", or "unauthorized" where the token does not say who joins.
        """
        if not self.video.room_join:
            raise RemoteError("The token does not grant roomJoin.", name="not_allowed")
        if not self.video.room:
            raise RemoteError("The token names no room to join.", name="not_allowed")
        if not self.identity:
            raise RemoteError("The token has no identity (sub).", name="unauthorized")
        if room and room != self.video.room:
            raise RemoteError(
                f"The token is for room {self.video.room!r}, not for {room!r}.", name="not_allowed"
            )
        return self.video.room


def mint(
    token: AccessToken,
    *,
    api_key: str,
    api_secret: str,
    lifetime: float = LIFETIME,
    now: float | None = None,
) -> str:
    """Sign a token.

    Args:
        token: What it says.
        api_key: Its issuer.
        api_secret: Shared with the server.
        lifetime: Seconds until it expires.
        now: Unix seconds; None for the present.

    Raises:
        LocalError: Key or secret is empty.
    """
    if not api_key or not api_secret:
        raise LocalError("api_key and api_secret are needed to make tokens.")
    issued = int(time.time() if now is None else now)
    claims: dict[str, Any] = {
        name: value for name, value in msgspec.to_builtins(token).items() if value
    }
    claims |= {"iss": api_key, "nbf": issued, "exp": int(issued + lifetime)}
    return jwt.encode(claims, api_secret, algorithm=ALGORITHM)


def verify(
    token: str, *, api_key: str, api_secret: str, allow_expired: bool = False
) -> AccessToken:
    """Read a token and make sure that it is ours and valid now.

    Args:
        token: As the client gave it.
        api_key: The issuer that we know.
        api_secret: What it must be signed with.
        allow_expired: Whether it may have been valid earlier.

    Raises:
        RemoteError: "unauthorized"; the message says what is wrong with it.
    """
    if not api_key or not api_secret:
        # An empty secret would make every forged signature right.
        raise _refused("This server has no API key, so that it takes no tokens")
    if len(token) > MAX_TOKEN_SIZE:
        raise _refused("The token is too long")
    try:
        claims = jwt.decode(
            token,
            api_secret,
            algorithms=[ALGORITHM],
            issuer=api_key,
            leeway=LEEWAY,
            # Tokens made for several services may name an audience; we have no name of our own.
            options={
                "require": ["exp", "iss"],
                "verify_aud": False,
                "verify_exp": not allow_expired,
            },
        )
    except jwt.ExpiredSignatureError:
        raise _refused("The token has expired") from None
    except jwt.ImmatureSignatureError:
        raise _refused("The token is not valid yet") from None
    except jwt.InvalidSignatureError:
        raise _refused("The token is not signed with this server's API secret") from None
    except jwt.InvalidIssuerError:
        raise _refused("The token's iss is not this server's API key") from None
    except jwt.InvalidAlgorithmError:
        raise _refused(f"The token is not signed with {ALGORITHM}") from None
    except jwt.MissingRequiredClaimError as error:
        raise _refused(f"The token has no {error.claim}") from None
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        raise _refused("This is not an access token") from None
    try:
        return msgspec.convert(claims, AccessToken)
    except msgspec.ValidationError as error:
        raise _refused(f"The token's claims are wrong: {error}") from None


def _refused(sentence: str) -> RemoteError:
    return RemoteError(f"{sentence}.", name="unauthorized")
