"""Access tokens: what is taken, what is refused, and that the refusal says why."""

import base64
import json
import time
from typing import Any

import jwt
import pytest

from sfu.errors import LocalError, RemoteError
from sfu.room.permissions import Permissions
from signaling.tokens import LEEWAY, AccessToken, VideoGrant, mint, verify

KEY, SECRET = "key", "0123456789abcdef0123456789abcdef"
JOIN = VideoGrant(room_join=True, room="lobby")


def read(token: str) -> AccessToken:
    return verify(token, api_key=KEY, api_secret=SECRET)


def signed(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A token with these claims, and with what every token needs where they do not say else."""
    claims = {"iss": KEY, "exp": time.time() + 60, **claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, secret, algorithm=algorithm)


def signed_raw(claims: str) -> str:
    """Like `signed`, for claims that PyJWT would not write."""
    return jwt.api_jws.encode(claims.encode(), SECRET, algorithm="HS256")


def refusal(token: str) -> str:
    with pytest.raises(RemoteError) as refused:
        read(token)
    assert refused.value.name == "unauthorized"
    assert len(token) < 8 or token not in refused.value.message
    assert SECRET not in refused.value.message
    return refused.value.message


def test_what_is_minted_is_verified() -> None:
    token = AccessToken(
        identity="ann",
        name="Ann",
        metadata="m",
        attributes={"role": "host"},
        video=VideoGrant(room_join=True, room="lobby", can_publish_sources=("camera",)),
    )
    assert read(mint(token, api_key=KEY, api_secret=SECRET)) == token


def test_minted_claims_have_the_layout_of_the_field() -> None:
    token = AccessToken(identity="ann", video=VideoGrant(room_join=True, room="r", hidden=True))
    text = mint(token, api_key=KEY, api_secret=SECRET, lifetime=60, now=1000.9)
    claims = jwt.decode(text, options={"verify_signature": False})
    assert claims == {
        "iss": KEY,
        "sub": "ann",
        "nbf": 1000,
        "exp": 1060,
        "video": {"roomJoin": True, "room": "r", "hidden": True},
    }


def test_every_grant_is_read_by_its_name() -> None:
    video = {
        "roomJoin": True,
        "room": "lobby",
        "roomCreate": True,
        "roomList": True,
        "roomAdmin": True,
        "roomRecord": True,
        "canPublish": False,
        "canSubscribe": False,
        "canPublishData": False,
        "canPublishSources": ["camera", "screen_share"],
        "canUpdateOwnMetadata": True,
        "hidden": True,
        "recorder": True,
    }
    grant = read(signed(sub="ann", video=video)).video
    assert grant == VideoGrant(
        room_join=True,
        room="lobby",
        room_create=True,
        room_list=True,
        room_admin=True,
        room_record=True,
        can_publish=False,
        can_subscribe=False,
        can_publish_data=False,
        can_publish_sources=("camera", "screen_share"),
        can_update_own_metadata=True,
        hidden=True,
        recorder=True,
    )
    assert grant.permissions == Permissions(
        can_publish=False,
        can_subscribe=False,
        can_publish_data=False,
        can_publish_sources=frozenset({"camera", "screen_share"}),
        can_update_own_metadata=True,
        hidden=True,
        recorder=True,
        can_record=True,
    )


def test_a_grant_that_says_nothing_lets_publish_and_subscribe_and_no_more() -> None:
    grant = read(signed(video={})).video
    assert grant.permissions == Permissions()
    assert not any((grant.room_join, grant.room_list, grant.room_admin, grant.room_create))


def test_no_sources_are_not_all_sources() -> None:
    assert not read(signed(video={"canPublishSources": []})).video.permissions.may_publish("camera")
    assert read(signed(video={"canPublishSources": None})).video.permissions.may_publish("camera")


def test_unknown_claims_and_grants_are_ignored() -> None:
    token = signed(sub="ann", aud="others", jti="1", kind="standard", video={"ingressAdmin": True})
    assert read(token).identity == "ann"


def test_clocks_may_differ_a_little() -> None:
    now = time.time()
    assert read(signed(exp=now - LEEWAY + 3, nbf=now + LEEWAY - 3, iat=now + LEEWAY - 3))
    assert refusal(signed(exp=now - LEEWAY - 1)) == "The token has expired."
    assert refusal(signed(nbf=now + LEEWAY + 3)) == "The token is not valid yet."


def test_an_expired_token_is_read_where_that_is_enough() -> None:
    def read_late(token: str) -> AccessToken:
        return verify(token, api_key=KEY, api_secret=SECRET, allow_expired=True)

    assert read_late(signed(sub="ann", exp=1000)).identity == "ann"
    for bad in (signed(sub="ann", exp=None), signed("x" * 32, sub="ann", exp=1000)):
        with pytest.raises(RemoteError):
            read_late(bad)


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"exp": None}, "The token has no exp."),
        ({"iss": None}, "The token has no iss."),
        ({"iss": "other"}, "The token's iss is not this server's API key."),
        ({"exp": "tomorrow"}, "This is not an access token."),
        ({"sub": "ann", "name": 5}, "The token's claims are wrong: Expected `str`, got `int`"),
        ({"video": {"roomJoin": "yes"}}, "The token's claims are wrong: Expected `bool`"),
        ({"video": {"canPublishSources": ["tv"]}}, "The token's claims are wrong: Invalid enum"),
        ({"attributes": {"a": 1}}, "The token's claims are wrong"),
    ],
)
def test_bad_claims_are_refused_with_the_reason(claims: dict[str, Any], sentence: str) -> None:
    assert refusal(signed(**claims)).startswith(sentence)


@pytest.mark.parametrize(
    "claims",
    [
        '{"iss":"key","exp":1e999}',
        '{"iss":"key","exp":[1]}',
        '{"iss":"key","exp":true}',
        '{"iss":"key","exp":null}',
        '{"iss":"key","exp":NaN}',
        '{"iss":["key"],"exp":99999999999}',
        '{"iss":"key","exp":99999999999,"sub":5}',
        '{"iss":"key","exp":99999999999,"nbf":{}}',
        "[]",
        "5",
        "",
        "[" * 100_000,
    ],
)
def test_nonsense_that_is_signed_is_refused_too(claims: str) -> None:
    refusal(signed_raw(claims))


def test_signatures_of_others_are_refused() -> None:
    message = "The token is not signed with this server's API secret."
    assert refusal(signed("another secret of thirty-two chars.")) == message
    header, _, signature = signed(sub="ann").split(".")
    forged = base64.urlsafe_b64encode(
        json.dumps({"iss": KEY, "exp": time.time() + 60, "sub": "admin"}).encode()
    )
    assert refusal(f"{header}.{forged.decode().rstrip('=')}.{signature}") == message


def test_other_algorithms_are_refused() -> None:
    assert refusal(signed(SECRET * 2, algorithm="HS512")) == "The token is not signed with HS256."
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    claims = signed(sub="ann").split(".")[1]
    assert refusal(f"{header}.{claims}.") == "The token is not signed with HS256."


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "é.é.é", "\ud800", "a" * 100_000, "e30.e30.e30", "[" * 60_000],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    refusal(token)


def test_without_a_secret_nothing_is_signed_and_nothing_is_right() -> None:
    for key, secret in (("", ""), (KEY, ""), ("", SECRET)):
        with pytest.raises(LocalError):
            mint(AccessToken(), api_key=key, api_secret=secret)
        with pytest.raises(RemoteError, match="takes no tokens"):
            verify(signed(), api_key=key, api_secret=secret)


def test_a_token_lets_into_its_room_alone() -> None:
    token = AccessToken(identity="ann", video=JOIN)
    assert token.check_join() == token.check_join("lobby") == "lobby"
    with pytest.raises(RemoteError, match="for room 'lobby', not for 'vault'") as refused:
        token.check_join("vault")
    assert refused.value.name == "not_allowed"


@pytest.mark.parametrize(
    ("token", "name"),
    [
        (AccessToken(identity="ann", video=VideoGrant(room="lobby")), "not_allowed"),
        (AccessToken(identity="ann", video=VideoGrant(room_join=True)), "not_allowed"),
        (AccessToken(identity="ann"), "not_allowed"),
        (AccessToken(video=JOIN), "unauthorized"),
    ],
)
def test_joining_needs_the_grant_the_room_and_an_identity(token: AccessToken, name: str) -> None:
    with pytest.raises(RemoteError) as refused:
        token.check_join("lobby")
    assert refused.value.name == name
