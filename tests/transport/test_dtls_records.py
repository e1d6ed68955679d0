import os

import pytest

from sfu.transport.dtls_records import SUITES, CipherSuite, RecordLayer, write_keys

DATA, ALERT = 23, 21


def cut(datagram: bytes) -> list[bytes]:
    """The DTLS 1.2 records of a datagram."""
    records = []
    while datagram:
        size = 13 + int.from_bytes(datagram[11:13])
        records.append(datagram[:size])
        datagram = datagram[size:]
    return records


def finished(number: int, nonce: int) -> bytes:
    """The end of a handshake: a change cipher spec, and a protected record."""
    start = b"\x14\xfe\xfd" + bytes(8) + b"\0\x01\x01" + b"\x16\xfe\xfd\0\x01"
    return start + number.to_bytes(6) + (40).to_bytes(2) + nonce.to_bytes(8) + bytes(32)


def pair(suite: CipherSuite, *, number: int = 0, nonce: int = 7) -> tuple[RecordLayer, RecordLayer]:
    client, server = write_keys(
        suite, master=os.urandom(48), client_random=os.urandom(32), server_random=os.urandom(32)
    )
    sent = finished(number, nonce)
    return (
        RecordLayer(suite, local=client, remote=server, sent=sent),
        RecordLayer(suite, local=server, remote=client, sent=sent),
    )


@pytest.fixture(params=sorted({*SUITES.values()}, key=repr), ids=lambda suite: suite.digest)
def ends(request: pytest.FixtureRequest) -> tuple[RecordLayer, RecordLayer]:
    return pair(request.param)


def test_records_of_one_datagram_are_all_taken(ends: tuple[RecordLayer, RecordLayer]) -> None:
    client, server = ends
    datagram = client.seal(DATA, b"one") + client.seal(ALERT, b"two") + client.seal(DATA, b"")
    assert server.open(datagram) == [(DATA, b"one"), (ALERT, b"two"), (DATA, b"")]


def test_every_damaged_bit_is_noticed(ends: tuple[RecordLayer, RecordLayer]) -> None:
    client, server = ends
    record = client.seal(DATA, b"hello")
    for bit in range(len(record) * 8):
        damaged = bytearray(record)
        damaged[bit // 8] ^= 1 << bit % 8
        assert server.open(bytes(damaged)) == []
    assert server.open(record) == [(DATA, b"hello")]


def test_every_truncation_is_noticed(ends: tuple[RecordLayer, RecordLayer]) -> None:
    client, server = ends
    record = client.seal(DATA, b"hello")
    for length in range(len(record)):
        assert server.open(record[:length]) == []
        # And where the length was made to fit:
        assert server.open(record[:11] + max(0, length - 13).to_bytes(2) + record[13:length]) == []
    assert server.open(record) == [(DATA, b"hello")]


def test_what_we_sent_is_not_taken_from_the_peer(ends: tuple[RecordLayer, RecordLayer]) -> None:
    client, _ = ends
    assert client.open(client.seal(DATA, b"reflected")) == []


def test_replays_and_what_is_too_old_are_dropped(ends: tuple[RecordLayer, RecordLayer]) -> None:
    client, server = ends
    records = [client.seal(DATA, bytes([number])) for number in range(200)]
    order = [0, 2, 1, 0, 1, 2, 63, 3, 150, 87, 86, 87, 150, 199, 100, 136, 135]
    taken = [number for number in order if server.open(records[number])]
    assert taken == [0, 2, 1, 63, 3, 150, 87, 199, 136]


def test_a_forged_number_does_not_move_the_window(ends: tuple[RecordLayer, RecordLayer]) -> None:
    client, server = ends
    record = client.seal(DATA, b"authentic")
    forged = record[:5] + b"\xff" * 6 + record[11:]
    assert server.open(forged + record) == [(DATA, b"authentic")]


def test_numbers_and_nonces_go_on_behind_what_openssl_sent() -> None:
    client, server = pair(SUITES["ECDHE-ECDSA-AES128-GCM-SHA256"], number=3, nonce=2**64 - 2)
    records = [client.seal(DATA, b"data") for _ in range(3)]
    assert [int.from_bytes(record[5:11]) for record in records] == [4, 5, 6]
    assert [int.from_bytes(record[13:21]) for record in records] == [2**64 - 1, 0, 1]
    assert all(server.open(record) for record in records)
