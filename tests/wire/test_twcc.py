from random import Random

import pytest

from sfu.errors import ParseError
from sfu.wire.rtcp import parse_compound
from sfu.wire.twcc import (
    DELTA_MAX,
    DELTA_MIN,
    MAX_STATUSES,
    TransportFeedback,
    parse_transport_feedback,
)

STARTS = (0, 1, 127, 32767, 32768, 65534, 65535)


def feedback(*deltas: int | None, base: int = 1000, reference: int = 5) -> TransportFeedback:
    return TransportFeedback(1, 2, base, reference, 6, deltas)


def body(rest: str, count: int) -> bytes:
    return (
        bytes.fromhex("00000001 00000002 03e8")
        + count.to_bytes(2, "big")
        + bytes.fromhex("00000506" + rest)
    )


def pieces(value: TransportFeedback, chunks: int) -> tuple[str, str]:
    """The chunks and the deltas of what `value` writes, in hexadecimal."""
    data = bytes(value)
    return data[20 : 20 + 2 * chunks].hex(), data[20 + 2 * chunks :].hex()


@pytest.mark.parametrize("base", STARTS)
@pytest.mark.parametrize(
    "deltas",
    [
        (0,),
        (None,),
        (255, 256, -1, DELTA_MIN, DELTA_MAX),
        (1,) * 7,
        (1,) * 14,
        (1,) * 15,
        (1, None) * 20,
        (300,) * 13 + (1,),
        (None,) * 500 + (1,) * 500 + (1000,) * 500,
        (4,) * MAX_STATUSES,
        (None,) * (MAX_STATUSES - 1) + (4,),
    ],
    ids=len,
)
def test_round_trip(base, deltas):
    value = feedback(*deltas, base=base)
    data = bytes(value)
    assert len(data) % 4 == 0
    assert parse_compound(data) == [value]


def test_round_trip_of_random_paths():
    rng = Random(3)
    choices = (None, 0, 1, 40, 255, 256, 5000, -1, -300)
    for _ in range(1500):
        weights = [rng.random() ** 4 for _ in choices]
        deltas = rng.choices(choices, weights, k=rng.randrange(1, 200))
        value = feedback(*deltas, base=rng.randrange(1 << 16), reference=rng.randrange(1 << 24))
        assert parse_compound(bytes(value)) == [value]


def test_header_bytes():
    assert bytes(feedback(1, 2)).hex(" ", 4) == (
        "8fcd0005 00000001 00000002 03e80002 00000506 20020102"
    )


def test_long_runs_take_one_chunk():
    # The draft's 3.1.3: small deltas, 221 times.
    assert pieces(feedback(*[1] * 221), 1)[0] == "20dd"
    assert pieces(feedback(*[None] * 50, 1), 2)[0] == "0032" + "2001"


def test_vectors_take_one_bit_where_they_can():
    # The draft's 3.1.4: five received among fourteen.
    deltas = (None, 1, 1, 1, 1, 1, None, None, None, 1, 1, 1, None, None)
    assert pieces(feedback(*deltas), 1)[0] == "9f1c"
    # Two bits: lost, large, received three times, lost twice.
    assert pieces(feedback(None, 256, 1, 1, 1, None, None), 1)[0] == "c950"


def test_padding_is_told_by_its_last_byte():
    data = bytes(feedback(1))
    assert data[0] == 0xAF
    assert data[-1] == 1
    assert bytes(feedback(1, 2))[0] == 0x8F


def test_zeros_behind_the_deltas_are_ignored():
    assert parse_transport_feedback(body("2001 01 00", 1)) == feedback(1)
    assert parse_transport_feedback(body("2001 01 000000000000", 1)) == feedback(1)


def test_chunks_may_go_on_behind_the_last_packet():
    assert parse_transport_feedback(body("2fff 0102", 2)) == feedback(1, 2)
    assert parse_transport_feedback(body("bfff 01020304", 4)) == feedback(1, 2, 3, 4)
    assert parse_transport_feedback(body("d555 0102", 2)) == feedback(1, 2)


def test_nothing_reported_is_an_empty_feedback():
    assert parse_transport_feedback(body("", 0)) == feedback()
    assert parse_compound(bytes(feedback())) == [feedback()]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        body("", 0)[:-1],
        body("", 1),
        body("20", 1),
        body("2001", 1),
        body("4001 01", 1),
        body("2002 01", 2),
        body("6001 01020304", 1),  # reserved status
        body("f000 01020304", 1),
        body("0000" * 10, 1),  # runs of nothing
        body("1fff" * 9, MAX_STATUSES + 1),
        body("1fff" * 9, 65535),
    ],
    ids=len,
)
def test_malformed_feedback_is_refused(data):
    with pytest.raises(ParseError):
        parse_transport_feedback(data)


@pytest.mark.parametrize("base", STARTS)
def test_arrivals_are_numbered_and_timed_on_one_line(base):
    value = feedback(3, None, 200, None, -8, base=base, reference=10)
    assert value.arrivals() == [
        (base, 2563),
        ((base + 2) & 0xFFFF, 2763),
        ((base + 4) & 0xFFFF, 2755),
    ]
    assert feedback(None, None).arrivals() == []
