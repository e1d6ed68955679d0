"""Invariant: bytes are refused with ParseError, or the message read can be answered.

And no changed message is authentic: what `is_authentic` vouches for is one of the seeds, byte for
byte up to its MESSAGE-INTEGRITY.
"""

from random import Random

from aioice import stun

from sfu.errors import ParseError
from sfu.wire.stun import binding_error, binding_request, binding_success, parse_stun
from tests.fuzz.mutate import corpus, mutations

COUNT = 220_000
SEED = 3
PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"  # of RFC 5769


def generated(rng: Random) -> list[bytes]:
    """A check, its success and its error."""
    request = binding_request(
        transaction_id=rng.randbytes(12),
        username="ours:" + "t" * rng.randrange(1, 30),
        password=PASSWORD,
        priority=rng.randrange(1 << 32),
        controlling=rng.randrange(1 << 64),
        use_candidate=rng.random() < 0.5,
    )
    check = parse_stun(request)
    return [
        request,
        binding_success(check, host="192.0.2.1", port=rng.randrange(1 << 16), password=PASSWORD),
        binding_error(check, code=487, reason="Role Conflict", password=PASSWORD),
    ]


def protected(data: bytes) -> bytes:
    """What MESSAGE-INTEGRITY covers; the length field apart, which is set for the computation."""
    end = data.find(b"\x00\x08\x00\x14")
    return data[:2] + data[4:end]


def signed_again(data: bytes) -> bytes:
    """The message with a FINGERPRINT that fits, so that the attributes get to be read."""
    body = data[: len(data) // 4 * 4]
    if len(body) < 28 or body[-8:-4] != b"\x80\x28\x00\x04":
        return data
    body = body[:2] + (len(body) - 20).to_bytes(2, "big") + body[4:-8]
    return body + b"\x80\x28\x00\x04" + stun.message_fingerprint(body).to_bytes(4, "big")


def test_stun_messages():
    rng = Random(SEED)
    seeds = corpus("stun") + [data for _ in range(5) for data in generated(rng)]
    for seed in seeds:
        parse_stun(seed)
    genuine = {protected(seed) for seed in seeds}
    refused = read = authentic = 0
    for data in mutations(seeds, COUNT, rng):
        if rng.random() < 0.7:
            data = signed_again(data)
        try:
            message = parse_stun(data)
        except ParseError:
            refused += 1
            continue
        read += 1
        if message.is_authentic(PASSWORD):
            authentic += 1
            assert protected(data) in genuine, data.hex()
        if read % 8 == 0:
            answer = binding_success(message, host="192.0.2.1", port=1, password=PASSWORD)
            back = parse_stun(answer)
            assert back.is_authentic(PASSWORD)
            assert back.transaction_id == message.transaction_id
    assert min(refused, read) > COUNT // 20
    assert authentic > COUNT // 1000
