"""Who a client is: what its token says, or with `dev` what it says itself."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sfu.config import Config
from sfu.errors import RemoteError
from sfu.room.participant import Participant
from sfu.room.permissions import Permissions
from signaling.limits import check_attributes, check_names
from signaling.messages import PROTOCOL_VERSION, Join, Resume
from signaling.tokens import AccessToken, verify

EVERYTHING = Permissions(can_update_own_metadata=True, can_record=True)
GUEST_SIZE = 4  # bytes; enough for a try-out's guests to differ


@dataclass(frozen=True, slots=True)
class Admission:
    """What `Room.join` needs to know.

    Attributes:
        room: The room's name.
        identity: Unique in the room.
        name: To show.
        metadata: Free text of the application.
        attributes: Free key-value pairs of the application.
        permissions: What it may do.
    """

    room: str
    identity: str
    name: str
    metadata: str
    attributes: Mapping[str, str]
    permissions: Permissions


def admit(message: Join, config: Config) -> Admission:
    """Decide whether, where and as whom a client comes in.

    Raises:
        RemoteError: "unauthorized", "not_allowed" or "bad_request".
        LimitError: "too_large".
    """
    if message.version != PROTOCOL_VERSION:
        raise RemoteError(f"This server speaks version {PROTOCOL_VERSION} of the protocol.")
    token = _read_token(message.token, config)
    if token is not None:
        admission = _by_token(message, token)
    elif config.dev:
        admission = _by_word(message)
    else:
        raise RemoteError("An access token is needed to join.", name="unauthorized")
    check_names(config, room=admission.room, identity=admission.identity, name=admission.name)
    check_attributes(config, admission.attributes)
    if config.recordings_dir:
        return admission
    return replace(admission, permissions=replace(admission.permissions, can_record=False))


def check_resume(message: Resume, participant: Participant, config: Config) -> None:
    """Check that the token of somebody who comes back, if there is one, is for this participant.

    Who was let in with it stays when it expires; what proves who this is, is the secret.

    Raises:
        RemoteError: "unauthorized" or "resume_failed".
    """
    token = _read_token(message.token, config, allow_expired=True)
    if token is not None:
        who = (participant.identity, participant.room.name)
        if (token.identity, token.video.room) != who:
            raise RemoteError("The token is for someone else.", name="resume_failed")


def _read_token(token: str, config: Config, *, allow_expired: bool = False) -> AccessToken | None:
    """What a token says, None where there is none; it may have to be valid still."""
    # Without a key there is nothing that a token could be held against, and with `dev` no need to.
    if not token or (config.dev and not config.api_key):
        return None
    return verify(
        token,
        api_key=config.api_key,
        api_secret=config.api_secret,
        allow_expired=allow_expired,
    )


def _by_word(message: Join) -> Admission:
    if not message.room:
        raise RemoteError("Which room? It has no name.")
    identity = message.identity or f"guest-{secrets.token_hex(GUEST_SIZE)}"
    return Admission(
        room=message.room,
        identity=identity,
        name=message.name or identity,
        metadata=message.metadata,
        attributes=message.attributes,
        permissions=EVERYTHING,
    )


def _by_token(message: Join, token: AccessToken) -> Admission:
    room = token.check_join(message.room)
    if message.identity and message.identity != token.identity:
        raise RemoteError("The token is for another identity.", name="not_allowed")
    name, metadata, attributes = token.name, token.metadata, token.attributes
    if token.video.can_update_own_metadata:
        name = message.name or name
        metadata = message.metadata or metadata
        attributes = {**attributes, **message.attributes}
    return Admission(
        room=room,
        identity=token.identity,
        name=name or token.identity,
        metadata=metadata,
        attributes=attributes,
        permissions=token.video.permissions,
    )
