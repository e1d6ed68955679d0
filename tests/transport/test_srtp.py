import os

import pytest

from sfu.transport.address import Address
from sfu.transport.buffers import ReceiveBatch
from sfu.transport.outbox import Outbox
from sfu.transport.srtp import (
    MAX_SOURCES,
    PROFILES,
    REPLAY_WINDOW,
    SEND_WINDOW,
    SrtpProfile,
    SrtpSession,
    find_profile,
)

ADDRESS = Address("192.0.2.1", 5000)


def rtp(sequence_number: int, *, ssrc: int = 1, payload: bytes = b"hello") -> bytes:
    header = bytes([0x80, 96]) + sequence_number.to_bytes(2) + bytes(4) + ssrc.to_bytes(4)
    return header + payload


def receiver_report(ssrc: int) -> bytes:
    return bytes([0x80, 201, 0, 1]) + ssrc.to_bytes(4)


class Pair:
    """Two ends with the same keys, and the memory that they work in."""

    def __init__(self, profile: SrtpProfile) -> None:
        length = profile.key_length + profile.salt_length
        first, second = os.urandom(length), os.urandom(length)
        self.sender = SrtpSession(profile, local_key=first, remote_key=second)
        self.receiver = SrtpSession(profile, local_key=second, remote_key=first)
        self.outbox = Outbox(1 << 16)
        self.batch = ReceiveBatch()

    def protect(self, *packets: bytes) -> list[bytes]:
        overhead = self.sender.overhead
        sizes = [len(packet) for packet in packets]
        offset = start = self.outbox.reserve(sum(sizes) + overhead * len(sizes))
        for packet in packets:
            self.outbox.view[offset : offset + len(packet)] = packet
            offset += len(packet) + overhead
        assert self.sender.protect_run(self.outbox.base, start, sizes)
        self.outbox.commit(ADDRESS, start, [size + overhead for size in sizes])
        return [data for _, data in self.outbox.datagrams()]

    def unprotect(self, *datagrams: bytes) -> list[bytes | None]:
        self.batch.load([(data, ADDRESS) for data in datagrams])
        plain: list[bytes | None] = []
        for slot in range(self.batch.count):
            pointer, length = self.batch.pointers[slot], self.batch.lengths[slot]
            length = self.receiver.unprotect_in_place(pointer, length)
            self.batch.lengths[slot] = max(length, 0)
            plain.append(None if length < 0 else self.batch.datagram(slot))
        return plain


@pytest.fixture(params=PROFILES, ids=lambda profile: profile.name.decode())
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param)


@pytest.mark.parametrize("first", [0, 1, 127, 32767, 32768, 65534, 65535])
def test_run_of_unequal_packets_survives_the_wrap(pair: Pair, first: int) -> None:
    packets = [rtp((first + i) & 0xFFFF, payload=bytes(100 + i % 3)) for i in range(20)]
    assert pair.unprotect(*pair.protect(*packets)) == packets


def test_overhead_is_what_protection_adds(pair: Pair) -> None:
    packet = rtp(1)
    (wire,) = pair.protect(packet)
    assert len(wire) == len(packet) + pair.sender.overhead


def test_replayed_packet_is_dropped(pair: Pair) -> None:
    (wire,) = pair.protect(rtp(7))
    assert pair.unprotect(wire, wire) == [rtp(7), None]


def test_every_damaged_bit_is_noticed(pair: Pair) -> None:
    (wire,) = pair.protect(rtp(7))
    for bit in range(len(wire) * 8):
        damaged = bytearray(wire)
        damaged[bit // 8] ^= 1 << bit % 8
        assert pair.unprotect(bytes(damaged)) == [None]
    assert pair.unprotect(wire) == [rtp(7)]


def test_every_truncation_is_noticed(pair: Pair) -> None:
    (wire,) = pair.protect(rtp(7))
    for length in range(len(wire)):
        assert pair.unprotect(wire[:length]) == [None]


def test_packet_older_than_the_window_is_dropped(pair: Pair) -> None:
    (old,) = pair.protect(rtp(1))
    assert pair.unprotect(*pair.protect(rtp(1 + REPLAY_WINDOW)))[0] is not None
    assert pair.unprotect(old) == [None]


def test_retransmission_of_the_same_packet_may_be_sent(pair: Pair) -> None:
    assert pair.protect(rtp(5)) == pair.protect(rtp(5))


@pytest.mark.parametrize("window", [SEND_WINDOW, REPLAY_WINDOW])
def test_sender_takes_packets_as_old_as_its_window(pair: Pair, window: int) -> None:
    if window == REPLAY_WINDOW:
        pair.sender.widen(1)
    pair.sender.widen(2)  # another SSRC has nothing to do with it
    first, second = 65536 - window // 2, 65537 - window // 2  # the window spans a wrap
    wires = pair.protect(rtp(first), rtp(second), rtp((first + window) & 0xFFFF))
    assert None not in pair.unprotect(*wires)
    assert pair.protect(rtp(second)) == [wires[1]]
    packet = rtp(first)
    offset = pair.outbox.reserve(100)
    pair.outbox.view[offset : offset + len(packet)] = packet
    assert not pair.sender.protect_run(pair.outbox.base, offset, [len(packet)])


def test_rtcp_round_trip_replay_and_damage(pair: Pair) -> None:
    wire = pair.sender.protect_rtcp(receiver_report(1))
    assert pair.receiver.unprotect_rtcp(wire[:-1] + bytes([wire[-1] ^ 1])) is None
    assert pair.receiver.unprotect_rtcp(wire) == receiver_report(1)
    assert pair.receiver.unprotect_rtcp(wire) is None


@pytest.mark.parametrize("length", [0, 1, 4, 7, 8, 12, 1353, 1500, 1501, 3000])
def test_rtcp_of_any_length_does_not_raise(pair: Pair, length: int) -> None:
    assert pair.receiver.unprotect_rtcp(bytes([0x80, 201, 0, 1])[:length] + bytes(length)) is None


def test_rtcp_sources_are_bounded_without_hurting_rtp(pair: Pair) -> None:
    pair.unprotect(*pair.protect(rtp(65535, ssrc=1)))
    for ssrc in range(1, MAX_SOURCES + 50):
        wire = pair.sender.protect_rtcp(receiver_report(ssrc))
        assert pair.receiver.unprotect_rtcp(wire) == receiver_report(ssrc)
    # The rollover counter of SSRC 1 survived: this packet is number 65536.
    assert pair.unprotect(*pair.protect(rtp(0, ssrc=1))) == [rtp(0, ssrc=1)]


def test_rtp_sources_are_bounded_and_living_ones_stay() -> None:
    pair = Pair(PROFILES[0])
    for sequence_number in (65535, 0):  # SSRC 1 has wrapped
        pair.unprotect(*pair.protect(rtp(sequence_number, ssrc=1)))
    pair.receiver.note_remote(1, living={1})
    (early,) = pair.protect(rtp(9, ssrc=2))
    for ssrc in range(2, MAX_SOURCES + 50):
        pair.unprotect(early if ssrc == 2 else pair.protect(rtp(9, ssrc=ssrc))[0])
        pair.receiver.note_remote(ssrc, living={1})
    assert pair.unprotect(*pair.protect(rtp(1, ssrc=1))) == [rtp(1, ssrc=1)]
    assert pair.unprotect(early) == [rtp(9, ssrc=2)], "its replay window is forgotten"


def test_forgotten_local_streams_start_again(pair: Pair) -> None:
    first = pair.protect(rtp(9))
    pair.sender.forget_local(1)
    pair.sender.forget_local(12345)
    assert pair.protect(rtp(9)) == first


def test_keying_material_is_cut_as_rfc_5764_orders_it() -> None:
    profile = PROFILES[0]
    material = b"C" * 16 + b"S" * 16 + b"c" * 12 + b"s" * 12
    assert profile.split(material) == (b"C" * 16 + b"c" * 12, b"S" * 16 + b"s" * 12)
    assert profile.material_length == 56


def test_profiles_are_found_by_name() -> None:
    for profile in PROFILES:
        assert find_profile(profile.name) is profile
    assert find_profile(b"SRTP_NULL") is None
