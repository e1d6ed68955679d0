"""Invariant: no text makes the parser or the negotiation raise anything but `RemoteError`.

What is answered is a description that we can read ourselves, with the m-lines of the offer.
"""

from collections.abc import Iterator
from contextlib import suppress
from random import Random

import pytest

from sfu.errors import ParseError, RemoteError
from sfu.wire.sdp import parse_sdp
from signaling.negotiation import OfferSection, accept_answer, answer
from tests.fuzz.mutate import corpus, mutations
from tests.support.descriptions import CONFIG, LOCAL, slot

COUNT = 100_000  # of each of two ways to mutate
SEEDS = [seed for seed in corpus("sdp") if len(seed) < 4000]  # the others only take longer
SECTIONS = [
    OfferSection("0", "audio", slot(0)),
    OfferSection("1", "video", slot(1)),
    OfferSection("2", "video"),
]
WORDS = (
    "",
    "0",
    "1",
    "64",
    "127",
    "128",
    "255",
    "65535",
    "65536",
    "4294967296",
    "*",
    "-1",
    "a",
    "é",
)


def by_line(seeds: list[bytes], count: int, rng: Random) -> Iterator[str]:
    """Descriptions with 1..4 lines gone, doubled, moved, from elsewhere or with another word."""
    texts = [seed.decode().splitlines() for seed in seeds]
    for _ in range(count):
        lines = list(rng.choice(texts))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(lines)) if lines else 0
            match rng.randrange(6):
                case 0:
                    del lines[at : at + rng.randint(1, 3)]
                case 1:
                    lines[at:at] = lines[at : at + rng.randint(1, 8)]
                case 2 if lines:
                    lines.insert(rng.randrange(len(lines)), lines.pop(at))
                case 3:
                    lines.insert(at, rng.choice(rng.choice(texts)))
                case _ if lines:
                    words = lines[at].split(" ")
                    words[rng.randrange(len(words))] = rng.choice(WORDS)
                    lines[at] = " ".join(words)
        yield "\r\n".join(lines)


def negotiate(text: str) -> bool:
    """Use a text in every way; whether it was good enough for an answer."""
    try:
        offer = parse_sdp(text)
    except ParseError:
        return False
    with suppress(RemoteError):
        accept_answer(text, SECTIONS, CONFIG)
    try:
        agreed = answer(
            offer, LOCAL, receive=True, slots=lambda section: slot(1), data=True, config=CONFIG
        )
    except RemoteError:
        return False
    answered = parse_sdp(agreed.sdp)
    assert [(each.kind, each.mid) for each in answered.media] == [
        (each.kind, each.mid) for each in offer.media
    ]
    assert answered.bundle
    accepted = {each.mid for each in answered.media if not each.rejected}
    assert accepted == set(answered.bundle)
    assert {each.mid for each in (*agreed.receive, *agreed.send)} <= accepted
    assert agreed.sdp.encode().isascii()
    return True


@pytest.mark.parametrize("seed", range(4))
def test_mutated_bytes(seed):
    inputs = mutations(SEEDS, COUNT // 4, Random(seed))
    agreed = sum(negotiate(data.decode(errors="replace")) for data in inputs)
    assert agreed > COUNT // 100


@pytest.mark.parametrize("seed", range(4))
def test_mutated_lines(seed):
    inputs = by_line(SEEDS, COUNT // 4, Random(seed))
    agreed = sum(negotiate(text) for text in inputs)
    assert agreed > COUNT // 100
