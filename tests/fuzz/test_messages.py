"""Whatever text a client sends: it is a message, or a clean error, and its id is an id or none."""

import asyncio
import base64
import json
import time
from collections import Counter
from random import Random

import jwt
from msgspec import UNSET

from sfu.errors import ParseError, RemoteError
from signaling.messages import CLIENT_MESSAGES, decode, encode, request_id
from signaling.tokens import verify
from tests.fuzz.mutate import corpus, mutations
from tests.support.sessions import SessionServer

DECODED = 200_000
SESSION = 20_000
TOKENS = 20_000
SEEDS = corpus("messages")
SECRET = "0123456789abcdef0123456789abcdef"


def test_the_corpus_has_every_request() -> None:
    assert {type(decode(seed)) for seed in SEEDS} == set(CLIENT_MESSAGES)


def test_decoding_is_clean() -> None:
    messages = 0
    errors: Counter[str] = Counter()
    for data in mutations(SEEDS, DECODED, Random(1)):
        try:
            message = decode(data)
        except (ParseError, RemoteError) as error:
            encode_safe(error.message)
            errors[error.name] += 1
        else:
            assert decode(encode(message)) == message
            messages += 1
        number = request_id(data)
        assert number is UNSET or 0 <= number < 2**53
    assert messages > DECODED // 20, "the mutations have become too wild to reach far"
    assert set(errors) == {"malformed", "bad_request"}


async def test_sessions_answer_everything_once_and_never_with_a_fault_of_ours() -> None:
    random = Random(2)
    server = SessionServer()
    watcher = server.join("watcher")
    clients = []
    for number, data in enumerate(mutations(SEEDS, SESSION, random)):
        if number % 100 == 0:
            clients.append(server.join(f"client{number % 700}"))
        client = random.choice(clients[-8:])
        if client.closed:
            continue
        before = len(client.sent)
        client.session.receive(data.decode("utf-8", "replace"))
        assert len(client.sent) > before
        replies = [m for m in client.sent[before:] if m["type"] in ("ok", "error", "pong")]
        assert len(replies) <= 2
        if number % 50 == 0:
            server.time.run(0.5)
            await asyncio.sleep(0)  # recordings are begun and ended
        assert all(m.get("error") != "internal_error" for m in client.sent[before:])
    assert watcher.request("ping")["type"] == "pong"
    assert not watcher.heard("error")


def test_tokens_are_refused_cleanly() -> None:
    claims = {
        "iss": "key",
        "sub": "ann",
        "exp": int(time.time()) + 60_000,
        "nbf": 5,
        "name": "Ann",
        "attributes": {"a": "b"},
        "video": {"roomJoin": True, "room": "r", "canPublishSources": ["camera"]},
    }
    token = jwt.encode(claims, SECRET, algorithm="HS256")
    verified = 0
    errors = set()
    for data in mutations([token.encode()], TOKENS, Random(3)):
        text = data.decode("utf-8", "replace")
        try:
            verify(text, api_key="key", api_secret=SECRET)
        except RemoteError as error:
            errors.add(error.name)
        else:
            verified += 1
            assert same_token(text, token), "a token that was changed is still valid"
    assert verified
    assert errors == {"unauthorized"}


def test_signed_claims_are_read_cleanly() -> None:
    seed = json.dumps(
        {
            "iss": "key",
            "sub": "ann",
            "exp": int(time.time()) + 60_000,
            "video": {"roomJoin": True, "canPublishSources": ["camera"], "hidden": False},
        }
    )
    verified = 0
    errors = set()
    for data in mutations([seed.encode()], TOKENS, Random(4)):
        token = jwt.api_jws.encode(data, SECRET, algorithm="HS256")
        try:
            verify(token, api_key="key", api_secret=SECRET)
        except RemoteError as error:
            errors.add(error.name)
            encode_safe(error.message)
        else:
            verified += 1
    assert verified > TOKENS // 50
    assert errors == {"unauthorized"}


def encode_safe(text: str) -> None:
    """A message of ours can be sent: it is text that UTF-8 can say."""
    json.dumps(text).encode()
    text.encode()


def same_token(one: str, other: str) -> bool:
    """Whether two tokens differ in nothing but how their last base64 digit is filled up."""
    return [base64.urlsafe_b64decode(part + "==") for part in one.split(".")] == [
        base64.urlsafe_b64decode(part + "==") for part in other.split(".")
    ]
