import itertools

import pytest

from sfu.config import Config
from sfu.errors import RemoteError
from sfu.transport.address import Address
from sfu.transport.dtls import Certificate
from sfu.transport.events import (
    TransportClosed,
    TransportConnected,
    TransportEvent,
    TransportFailed,
)
from sfu.transport.srtp import MAX_RTCP_SIZE
from sfu.wire.parameters import DtlsRole, TransportParameters
from sfu.wire.stun import binding_request, parse_stun
from tests.support.transports import Host, TransportPair

BAD_NETWORK = {"loss": 0.2, "jitter": 0.03, "reorder": 0.1, "duplicate": 0.1}
REPORT = bytes([0x80, 201, 0, 1, 0, 0, 0, 1])


def rtp(sequence_number: int) -> bytes:
    return bytes([0x80, 96]) + sequence_number.to_bytes(2, "big") + bytes(8) + bytes(500)


def assert_works(pair: TransportPair) -> None:
    """Media, reports and data pass both ways."""
    for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
        one.send_rtp(rtp(1), rtp(2), rtp(3))
        one.transport.send_rtcp(REPORT)
        one.transport.send_application_data(b"data from " + one.transport.name.encode())
        pair.time.run(0.5)
        assert other.rtp == [rtp(1), rtp(2), rtp(3)]
        assert other.rtcp == [REPORT]
        assert other.data == [b"data from " + one.transport.name.encode()]


@pytest.mark.parametrize("role", ["server", "client"])
def test_connects_and_carries_everything(role: DtlsRole) -> None:
    pair = TransportPair(role=role).connect()
    assert pair.time.now < 1000.5
    assert_works(pair)
    for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
        assert one.events == [TransportConnected()]
        assert one.transport.address == other.address


@pytest.mark.parametrize("role", ["server", "client"])
def test_always_connects_on_a_bad_network(role: DtlsRole) -> None:
    times = []
    for seed in range(150):
        pair = TransportPair(seed=seed, role=role, **BAD_NETWORK).connect()
        times.append(pair.time.now - 1000)
        for host in (pair.first, pair.second):
            assert host.events[-1] == TransportConnected()
            host.link.loss = host.link.duplicate = host.link.reorder = 0
        assert_works(pair)
    assert sorted(times)[len(times) // 2] < 1.0


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_connects_with_more_or_less_loss(loss: float) -> None:
    for seed in range(50):
        TransportPair(seed=seed, loss=loss).connect()


def test_same_seed_same_story() -> None:
    def story(seed: int) -> list[tuple[float, int]]:
        pair = TransportPair(seed=seed, **BAD_NETWORK)
        sent = []
        for host in (pair.first, pair.second):
            link = host.link
            link.drop = lambda data, link=link: sent.append((pair.time.now, link.sent)) or False
        pair.connect()
        return sent

    assert story(3) == story(3)
    assert story(3) != story(4)


def test_client_that_is_quicker_than_its_description() -> None:
    pair = TransportPair(role="server")
    pair.second.transport.start(pair.first.parameters("client"), now=pair.time.now)
    pair.second.check()
    pair.first.check()
    pair.time.run(1)
    assert pair.first.transport.state == "connecting"
    assert pair.second.transport.state == "connecting"
    pair.first.transport.start(pair.second.parameters("server"), now=pair.time.now)
    started = pair.time.now
    assert pair.time.run(5, until=pair.connected)
    assert pair.time.now - started < 0.1  # the hello was kept
    assert_works(pair)


def test_early_datagrams_are_bounded() -> None:
    pair = TransportPair()
    pair.first.check()
    pair.second.check()
    pair.time.run(0.5)
    for _ in range(1000):
        pair.first.transport.receive_dtls(b"\x16" * 1000, pair.second.address, now=pair.time.now)
    assert len(pair.first.transport._early) <= 4


def test_handshake_before_the_nomination_is_answered_where_it_came_from() -> None:
    pair = TransportPair(role="server")
    pair.second.nominate = False
    pair.second._answered = True  # from the first check on: no USE-CANDIDATE
    pair.start()
    pair.time.run(3)
    first = pair.first.transport
    assert first.srtp is not None
    assert first.state == "connecting"
    assert first.address is None
    pair.second.nominate = True
    assert pair.time.run(10, until=pair.connected)


def test_unauthenticated_datagrams_get_no_answer_and_no_state() -> None:
    pair = TransportPair()
    pair.first.transport.start(pair.second.parameters("server"), now=pair.time.now)
    stranger = Address("198.51.100.1", 9)
    pair.second.transport.start(pair.first.parameters("client"), now=pair.time.now)
    hellos = []
    pair.second.link.deliver = lambda data, source: hellos.append(data)
    pair.second.check()
    pair.first.check()
    pair.time.run(1)
    for data in hellos:
        if data[0] == 22:
            pair.first.transport.receive_dtls(data, stranger, now=pair.time.now)
        else:
            forged = bytearray(data)
            forged[30] ^= 1
            with pytest.raises(ValueError, match="STUN"):
                parse_stun(bytes(forged))
    other = TransportPair(seed=9)
    sent = []
    other.first.send = sent.append  # type: ignore[method-assign]
    other.first.check()
    assert not pair.first.transport.receive_stun(parse_stun(sent[0]), stranger, now=pair.time.now)
    assert pair.first.outbox.datagrams() == []
    assert pair.first.transport.state == "new"
    assert pair.first.events == []


def test_responses_and_indications_are_not_for_a_lite_agent() -> None:
    pair = TransportPair().connect()
    answer = bytes([1, 1, 0, 0]) + (0x2112A442).to_bytes(4, "big") + bytes(12)
    message = parse_stun(answer)
    assert not pair.first.transport.receive_stun(message, pair.second.address, now=pair.time.now)


def test_certificate_that_was_not_told_fails_the_transport() -> None:
    pair = TransportPair()
    pair.second.certificate = Certificate.generate()  # told; the handshake shows another
    pair.start()
    pair.time.run(3)
    assert pair.first.transport.state == "failed"
    assert pair.first.events[-1] == TransportFailed("fingerprint_mismatch")
    assert pair.first.transport.srtp is None
    assert pair.first.transport.username_fragments == ()
    assert pair.second.transport.state == "connecting"


def test_handshake_that_takes_too_long_fails() -> None:
    pair = TransportPair(config=Config(handshake_timeout=5.0))
    pair.start()
    pair.first.link.drop = lambda data: data[0] == 22
    assert not pair.time.run(4.9, until=pair.connected)
    assert pair.first.transport.state == "connecting"
    pair.time.run(0.2)
    for host in (pair.first, pair.second):
        assert host.events[-1] == TransportFailed("handshake_timeout")
        assert host.timers.get_timer() is None


def test_transport_that_is_never_described_fails() -> None:
    pair = TransportPair(config=Config(handshake_timeout=5.0))
    pair.time.run(4.9)
    assert pair.first.events == []
    pair.time.run(0.2)
    assert pair.first.events == [TransportFailed("handshake_timeout")]
    assert pair.first.timers.get_timer() is None
    assert pair.first.transport.username_fragments == ()


def test_time_to_connect_counts_from_the_beginning() -> None:
    pair = TransportPair(config=Config(handshake_timeout=5.0))
    pair.time.run(4.5)
    pair.start()
    pair.first.link.drop = lambda data: data[0] == 22
    pair.time.run(0.6)
    assert pair.first.events == [TransportFailed("handshake_timeout")]


@pytest.mark.parametrize("size", [MAX_RTCP_SIZE, MAX_RTCP_SIZE + 4, 100_000])
def test_rtcp_that_is_too_long_is_dropped_and_counted(size: int) -> None:
    pair = TransportPair().connect()
    report = REPORT[:2] + (size // 4 - 1).to_bytes(4, "big")[2:] + bytes(size - 4)
    pair.first.transport.send_rtcp(report)
    pair.time.run(0.5)
    fits = size == MAX_RTCP_SIZE
    assert pair.second.rtcp == ([report] if fits else [])
    assert pair.first.transport.rtcp_dropped == (0 if fits else 1)
    pair.second.rtcp.clear()
    assert_works(pair)


def test_silent_peer_fails_and_a_checking_one_does_not() -> None:
    pair = TransportPair().connect()
    pair.time.run(300)
    assert pair.connected()
    pair.second.checking = False
    pair.time.run(25)  # and up to 4 s since its last check
    assert pair.connected()
    pair.time.run(6)
    assert pair.first.events[-1] == TransportFailed("media_timeout")
    assert pair.second.transport.state == "connected"


def test_media_alone_keeps_a_transport_alive() -> None:
    pair = TransportPair().connect()
    pair.second.checking = False
    for number in range(100):
        pair.second.send_rtp(rtp(number))
        pair.time.run(2)
    assert pair.connected()


def test_goodbye_closes_the_other_end_at_once() -> None:
    pair = TransportPair().connect()
    pair.first.transport.close(now=pair.time.now)
    pair.first.transport.close(now=pair.time.now)
    pair.time.run(0.1)
    assert pair.first.transport.state == pair.second.transport.state == "closed"
    assert pair.second.events[-1] == TransportClosed("closed_by_peer")
    assert TransportClosed("closed_by_peer") not in pair.first.events
    for host in (pair.first, pair.second):
        assert host.timers.get_timer() is None
        host.transport.send_rtcp(REPORT)
        host.transport.send_application_data(b"x")
        assert host.outbox.datagrams() == []
        host.transport.start(
            TransportParameters(host.transport.local_ice, (), "server"), now=pair.time.now
        )


@pytest.mark.parametrize("nominate", [True, False])
def test_peer_behind_a_new_nat_binding_is_followed(nominate: bool) -> None:
    pair = TransportPair().connect()
    pair.second.nominate = nominate
    pair.time.run(20)
    after = Address("203.0.113.7", 40000)
    pair.second.address = after
    # One that nominates is followed at its next check; else nothing must have come from the old
    # address for longer than the pauses between checks.
    pair.time.run(4.5 if nominate else 8.5)
    assert pair.first.transport.address == after
    assert_works(pair)


@pytest.mark.parametrize("conditions", [{}, BAD_NETWORK], ids=["good", "bad"])
def test_ice_restart_keeps_the_media_flowing(conditions: dict[str, float]) -> None:
    for seed in range(10):
        pair = TransportPair(seed=seed, **conditions).connect()
        first, second = pair.first.transport, pair.second.transport
        first.restart_ice(pair.first.credentials(), now=pair.time.now)
        second.restart_ice(pair.second.credentials(), now=pair.time.now)
        assert len(first.username_fragments) == 2
        first.start(pair.second.parameters("server"), now=pair.time.now)
        second.start(pair.first.parameters("client"), now=pair.time.now)
        for number in range(10):
            pair.second.send_rtp(rtp(number))
        for host in (pair.first, pair.second):
            host._answered = False
        pair.time.run(30)
        assert pair.connected()
        assert pair.first.rtp
        assert len(first.username_fragments) == len(second.username_fragments) == 1
        assert first.username_fragments == (first.local_ice.username_fragment,)


def test_restarts_that_nobody_follows_leave_the_path_alone() -> None:
    """The peer's answers come late: until then its checks carry what they always carried."""
    pair = TransportPair().connect()
    first, second = pair.first.transport, pair.second.transport
    used, theirs = first.local_ice, second.local_ice
    for _ in range(5):
        first.restart_ice(pair.first.credentials(), now=pair.time.now)
        second.restart_ice(pair.second.credentials(), now=pair.time.now)
        first.start(pair.second.parameters("server"), now=pair.time.now)
        assert used.username_fragment in first.username_fragments
        assert len(first.username_fragments) <= 3
        check = binding_request(
            transaction_id=bytes(12),
            username=f"{used.username_fragment}:{theirs.username_fragment}",
            password=used.password,
            priority=1,
            controlling=1,
        )
        assert first.receive_stun(parse_stun(check), pair.second.address, now=pair.time.now)


def test_restart_with_another_certificate_or_role_is_refused() -> None:
    pair = TransportPair().connect()
    parameters = pair.second.parameters("server")
    with pytest.raises(RemoteError) as caught:
        pair.first.transport.start(pair.second.parameters("client"), now=pair.time.now)
    assert caught.value.name == "negotiation_failed"
    pair.second.certificate = Certificate.generate()
    with pytest.raises(RemoteError):
        pair.first.transport.start(pair.second.parameters("server"), now=pair.time.now)
    pair.first.transport.start(parameters, now=pair.time.now)
    assert pair.connected()


def test_ended_tcp_connection_gives_way_at_once() -> None:
    pair = TransportPair().connect()
    tcp = Address("203.0.113.7", 40000, "tcp")
    pair.second.nominate = False
    pair.first.transport.forget_address(pair.second.address)
    pair.second.address = tcp
    pair.second._answered = False
    pair.time.run(5)
    assert pair.first.transport.address == tcp


def test_event_handler_may_close_the_transport() -> None:
    pair = TransportPair()
    transport = pair.first.transport
    record = transport._on_event

    def close(event: TransportEvent) -> None:
        record(event)
        transport.close(now=1000.0)

    transport._on_event = close
    pair.start()
    pair.time.run(3)
    assert transport.state == "closed"
    assert pair.first.events == [TransportConnected()]


def test_random_bytes_never_raise_and_never_break_it() -> None:
    pair = TransportPair().connect()

    def mutated(host: Host) -> None:
        send = host.link.send

        def both(data: bytes, source: Address) -> None:
            send(data, source)
            for position in itertools.islice(itertools.count(len(data) % 7, 11), 5):
                damaged = bytearray(data)
                damaged[position % len(data)] ^= 0x55
                if damaged[0] > 3:
                    send(bytes(damaged), source)

        host.link.send = both  # type: ignore[method-assign]

    mutated(pair.first)
    mutated(pair.second)
    assert_works(pair)
    pair.time.run(60)
    assert pair.connected()
