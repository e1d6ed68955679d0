"""What all messages share: names, bounds and the structs that they derive from."""

import re
from typing import Annotated, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

PROTOCOL_VERSION = 1

Kind = Literal["audio", "video"]
Source = Literal["camera", "microphone", "screen_share", "screen_share_audio", "unknown"]
Target = Literal["publisher", "subscriber"]

RequestId = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # the integers that JavaScript has exactly
OfferNumber = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Pixels = Annotated[int, Meta(ge=0, le=65535)]

ErrorName = Literal[
    "already_joined",
    "bad_request",
    "codec_unsupported",
    "conflict",
    "internal_error",
    "limit_reached",
    "malformed",
    "negotiation_failed",
    "not_allowed",
    "not_joined",
    "participant_not_found",
    "rate_limited",
    "recording_not_found",
    "resume_failed",
    "room_full",
    "room_not_found",
    "server_full",
    "server_shutdown",
    "too_large",
    "too_many_tracks",
    "track_not_found",
    "unauthorized",
]
ERROR_NAMES: tuple[str, ...] = get_args(ErrorName)

DisconnectReason = Literal[
    "duplicate_identity",
    "removed",
    "room_deleted",
    "server_shutdown",
    "left",
    "media_lost",
    "signaling_timeout",
]
DISCONNECT_REASONS: tuple[str, ...] = get_args(DisconnectReason)

SubscriptionReason = Literal[
    "",
    "muted",
    "codec_unsupported",
    "unsubscribed",
    "limit_reached",
    "bandwidth",
    "hidden",
    "paused",
    "last_n",
    "not_live",
]
SUBSCRIPTION_REASONS: tuple[str, ...] = get_args(SubscriptionReason)


def snake_case(name: str) -> str:
    """`TrackAdded` → `track_added`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Shared(Struct, frozen=True, kw_only=True):
    """Base of the objects that messages carry."""


class Request(Struct, frozen=True, kw_only=True, tag_field="type", tag=snake_case):
    """Base of what a client sends; the reply repeats `id` where it is given."""

    id: RequestId | UnsetType = UNSET


class Event(Struct, frozen=True, kw_only=True, tag_field="type", tag=snake_case):
    """Base of what the server sends."""


class Reply(Event, frozen=True, kw_only=True):
    """Base of what answers a request; `id` is the request's, left out where it had none."""

    id: RequestId | UnsetType = UNSET
