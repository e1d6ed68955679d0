import random

import pytest

from sfu.transport.address import Address
from sfu.transport.outbox import MAX_RUN_SIZE, MAX_SEGMENTS, Outbox

A = Address("192.0.2.1", 5000)
B = Address("2001:db8::1", 5001)


def put(outbox: Outbox, address: Address, packets: list[bytes]) -> None:
    data = b"".join(packets)
    offset = outbox.reserve(len(data))
    outbox.view[offset : offset + len(data)] = data
    outbox.commit(address, offset, [len(packet) for packet in packets])


def sizes_of_runs(outbox: Outbox) -> list[list[int]]:
    runs = []
    for _, _, length, segment, count in outbox.runs:
        sizes = [segment] * (length // segment) + ([length % segment] if length % segment else [])
        assert len(sizes) == count
        runs.append(sizes)
    return runs


@pytest.mark.parametrize(
    ("sizes", "runs"),
    [
        ([100], [[100]]),
        ([100, 100, 100], [[100, 100, 100]]),
        ([100, 100, 50], [[100, 100, 50]]),
        ([100, 50, 50], [[100, 50], [50]]),
        ([50, 100, 100], [[50], [100, 100]]),
        ([100, 50, 100], [[100, 50], [100]]),
        ([100, 101, 99, 99], [[100], [101, 99], [99]]),
        ([], []),
        ([10] * (MAX_SEGMENTS + 2), [[10] * MAX_SEGMENTS, [10, 10]]),
        ([1300] * 51, [[1300] * 50, [1300]]),
    ],
)
def test_packets_are_cut_into_runs(sizes: list[int], runs: list[list[int]]) -> None:
    outbox = Outbox()
    packets = [bytes([i & 255]) * size for i, size in enumerate(sizes)]
    put(outbox, A, packets)
    assert sizes_of_runs(outbox) == runs
    assert outbox.datagrams() == [(A, packet) for packet in packets]


def test_any_mixture_comes_out_as_it_went_in() -> None:
    randomness = random.Random(1)
    outbox = Outbox(100_000)
    for _ in range(300):
        expected = []
        for _ in range(randomness.randrange(20)):
            address = randomness.choice((A, B))
            packets = [
                randomness.randbytes(randomness.choice((1, 30, 1100, 1100, 1100, 1101, 1200)))
                for _ in range(randomness.randrange(1, 80))
            ]
            if randomness.random() < 0.3:
                packets = packets[:1]
                outbox.send(address, packets[0])
            else:
                put(outbox, address, packets)
            expected += [(address, packet) for packet in packets]
            for _, _, length, segment, count in outbox.runs:
                assert count <= MAX_SEGMENTS
                assert length <= MAX_RUN_SIZE
                assert (count - 1) * segment < length <= count * segment
        assert outbox.datagrams() == expected
        assert outbox.datagrams() == []


def test_full_outbox_calls_the_shell_first() -> None:
    outbox = Outbox(100)
    sent = []

    def flush() -> None:
        sent.extend(run[1:3] for run in outbox.runs)
        outbox.clear()

    outbox.on_full = flush
    put(outbox, A, [bytes(60)])
    assert outbox.reserve(40) == 60
    assert sent == []
    outbox.send(A, bytes(41))
    assert sent == [(0, 60)]
    assert [run[1:3] for run in outbox.runs] == [(0, 41)]


def test_what_can_never_fit_is_a_bug_of_the_caller() -> None:
    with pytest.raises(AssertionError):
        Outbox(100).reserve(101)


def test_reserved_but_not_committed_room_is_reused() -> None:
    outbox = Outbox(100)
    assert outbox.reserve(80) == outbox.reserve(80) == 0
    outbox.send(A, b"")
    assert outbox.runs == []


def test_clear_forgets_everything() -> None:
    outbox = Outbox(100)
    outbox.send(A, bytes(70))
    outbox.send(A, bytes(70))
    outbox.clear()
    assert outbox.datagrams() == []
    assert outbox.reserve(100) == 0


def test_shell_hears_of_rare_traffic_in_an_empty_outbox_only() -> None:
    outbox = Outbox()
    heard = []
    outbox.on_pending = lambda: heard.append(len(outbox.runs))
    put(outbox, A, [b"a"])
    outbox.send(A, b"b")
    assert heard == []
    outbox.clear()
    outbox.send(A, b"c")
    outbox.send(A, b"d")
    put(outbox, A, [b"e"])
    assert heard == [0]
