import itertools

import pytest

from sfu.transport.address import Address
from sfu.transport.ice import (
    LONG_SILENCE,
    MAX_ADDRESSES,
    NOMINATION_PAUSE,
    RESTART_OVERLAP,
    SILENCE,
    IceLite,
)
from sfu.wire.parameters import IceParameters
from sfu.wire.stun import StunMessage, binding_request, parse_stun

OURS = IceParameters("ours", "our-password-of-22-chars")
NEW = IceParameters("new-ours", "new-password-of-22-chars")
A = Address("192.0.2.1", 5000)
B = Address("2001:db8::2", 5001)
C = Address("192.0.2.3", 5002, "tcp")
_identifiers = itertools.count()


def check(
    *,
    ours: IceParameters = OURS,
    theirs: str = "theirs",
    nominate: bool = False,
    priority: int = 100,
    controlled: bool = False,
) -> StunMessage:
    return parse_stun(
        binding_request(
            transaction_id=next(_identifiers).to_bytes(12, "big"),
            username=f"{ours.username_fragment}:{theirs}",
            password=ours.password,
            priority=priority,
            controlling=None if controlled else 1,
            controlled=1 if controlled else None,
            use_candidate=nominate,
        )
    )


@pytest.fixture
def ice() -> IceLite:
    ice = IceLite(OURS)
    ice.set_remote("theirs")
    return ice


@pytest.mark.parametrize("address", [A, B, C, Address("fe80::1%2", 9)])
def test_authentic_check_is_answered_with_its_source(ice: IceLite, address: Address) -> None:
    request = check()
    response = ice.receive_request(request, address, now=0)
    assert response is not None
    message = parse_stun(response)
    assert message.message_class == "success"
    assert message.transaction_id == request.transaction_id
    assert message.mapped_address == (address.host.partition("%")[0], address.port)
    assert message.is_authentic(OURS.password)
    assert ice.knows(address)


@pytest.mark.parametrize(
    "message",
    [
        check(ours=IceParameters("ours", "wrong-password-of-22-chars")),
        check(ours=IceParameters("others", OURS.password)),
        check(theirs="somebody"),
        check(ours=IceParameters("", OURS.password), theirs=""),
    ],
)
def test_what_is_not_authentic_gets_no_answer_and_no_state(
    ice: IceLite, message: StunMessage
) -> None:
    assert ice.receive_request(message, A, now=0) is None
    assert not ice.knows(A)
    assert ice.selected is None


def test_check_before_the_description_is_answered() -> None:
    ice = IceLite(OURS)
    assert ice.receive_request(check(theirs="anybody", nominate=True), A, now=0)
    assert ice.selected == A


def test_peer_that_wants_to_be_controlled_is_told_of_the_conflict(ice: IceLite) -> None:
    response = ice.receive_request(check(controlled=True, nominate=True), A, now=0)
    assert response is not None
    message = parse_stun(response)
    assert message.error_code == 487
    assert message.is_authentic(OURS.password)
    assert ice.selected is None
    assert not ice.knows(A)


def test_only_nomination_selects_the_first_path(ice: IceLite) -> None:
    for now in range(100):
        ice.receive_request(check(), A, now=now)
    assert ice.selected is None
    ice.receive_request(check(nominate=True), B, now=100)
    assert ice.selected == B


def test_aggressive_nomination_ends_on_the_highest_priority(ice: IceLite) -> None:
    for address, priority in ((A, 1), (B, 3), (C, 2)):
        ice.receive_request(check(nominate=True, priority=priority), address, now=0)
    assert ice.selected == B


def test_peer_may_move_to_a_lower_priority(ice: IceLite) -> None:
    ice.receive_request(check(nominate=True, priority=3), A, now=0)
    ice.receive_request(check(priority=3), A, now=4)  # a spare path now
    ice.receive_request(check(nominate=True, priority=1), B, now=NOMINATION_PAUSE)
    assert ice.selected == A
    ice.receive_request(check(nominate=True, priority=1), B, now=NOMINATION_PAUSE + 0.1)
    assert ice.selected == B


def test_new_address_is_taken_when_the_selected_one_is_silent(ice: IceLite) -> None:
    """A NAT gave the peer another port; its consent checks do not nominate (aioice)."""
    ice.receive_request(check(nominate=True), A, now=0)
    ice.receive_request(check(), A, now=5)
    ice.receive_request(check(), B, now=5 + SILENCE)
    assert ice.selected == A
    ice.receive_request(check(), C, now=5 + SILENCE + 0.1)
    assert ice.selected == C


@pytest.mark.parametrize("interval", [1.0, 2.5, 4.0, 5.0, 6.0])
def test_new_address_does_not_take_over_from_a_living_path(ice: IceLite, interval: float) -> None:
    ice.receive_request(check(nominate=True), A, now=0)
    for number in range(1, 20):
        ice.receive_request(check(), Address("192.0.2.9", number), now=number * interval - 0.1)
        assert ice.selected == A
        ice.receive_request(check(), A, now=number * interval)


@pytest.mark.parametrize("interval", [1.0, 2.5, 4.0, 5.0, 6.0])
def test_new_nat_binding_is_followed_at_most_one_interval_late(
    ice: IceLite, interval: float
) -> None:
    ice.receive_request(check(nominate=True), A, now=0)
    now = 0.0
    while ice.selected == A:
        now += interval
        ice.receive_request(check(), B, now=now)
    assert SILENCE < now <= SILENCE + interval
    assert ice.selected == B


def test_spare_path_does_not_take_over_between_two_checks(ice: IceLite) -> None:
    ice.receive_request(check(), B, now=0)
    ice.receive_request(check(nominate=True), A, now=0)
    for now in range(3, 60, 3):
        ice.receive_request(check(), B, now=now - 0.1)
        assert ice.selected == A
        ice.receive_request(check(), A, now=now)
    ice.receive_request(check(), B, now=57 + LONG_SILENCE + 0.1)
    assert ice.selected == B


def test_forgotten_address_gives_way_to_any_other(ice: IceLite) -> None:
    ice.receive_request(check(), B, now=0)
    ice.receive_request(check(nominate=True), C, now=0)
    ice.forget_address(C)
    ice.forget_address(Address("192.0.2.99", 1))
    ice.receive_request(check(), B, now=0.1)
    assert ice.selected == B
    ice.forget_address(C)
    assert not ice.knows(C)


def test_known_addresses_are_bounded_and_the_selected_one_stays(ice: IceLite) -> None:
    ice.receive_request(check(nominate=True), A, now=0)
    for port in range(1000):
        ice.receive_request(check(), Address("192.0.2.9", port), now=0)
    known = [port for port in range(1000) if ice.knows(Address("192.0.2.9", port))]
    assert known == list(range(1000 - MAX_ADDRESSES + 1, 1000))
    assert ice.selected == A
    assert ice.knows(A)


def test_restart_answers_both_generations_until_it_is_over(ice: IceLite) -> None:
    ice.receive_request(check(nominate=True), A, now=0)
    ice.restart(NEW)
    ice.set_remote("new-theirs")
    assert ice.username_fragments == ("new-ours", "ours")
    assert ice.selected == A

    # Until the new credentials are used, the old ones work as before.
    assert ice.receive_request(check(nominate=True), B, now=10)
    assert ice.selected == B
    assert ice.previous_expires is None

    ice.receive_request(check(), B, now=19)
    assert ice.receive_request(check(ours=NEW, theirs="new-theirs"), C, now=20)
    assert ice.previous_expires == 20 + RESTART_OVERLAP
    assert ice.selected == B
    assert ice.receive_request(check(nominate=True), A, now=21)
    assert ice.selected == B
    assert ice.receive_request(check(ours=NEW, theirs="new-theirs", nominate=True), C, now=23)
    assert ice.selected == C

    ice.end_restart()
    assert ice.username_fragments == ("new-ours",)
    assert ice.receive_request(check(), A, now=26) is None
    assert ice.receive_request(check(ours=NEW, theirs="theirs"), A, now=26) is None
    assert ice.receive_request(check(ours=NEW, theirs="new-theirs"), A, now=26)


THIRD = IceParameters("third", "third-password-of-22-chars")
FOURTH = IceParameters("fourth", "fourth-password-of-22-chars")


def test_restarts_in_a_row_keep_the_credentials_in_use(ice: IceLite) -> None:
    ice.receive_request(check(nominate=True), A, now=0)
    for number, credentials in enumerate((NEW, THIRD, FOURTH)):
        ice.restart(credentials)
        ice.set_remote(f"theirs-{number}")
    assert ice.username_fragments == ("fourth", "third", "ours")
    assert ice.receive_request(check(), A, now=1)
    assert ice.receive_request(check(ours=NEW, theirs="theirs-0"), A, now=2) is None
    assert ice.receive_request(check(ours=THIRD, theirs="theirs-1", nominate=True), B, now=3)
    assert ice.selected == B
    assert ice.previous_expires is None, "the newest are still to be used"
    assert ice.receive_request(check(nominate=True, priority=999), A, now=4)
    assert ice.selected == B, "a late one"
    assert ice.receive_request(check(ours=FOURTH, theirs="theirs-2"), B, now=5)
    assert ice.previous_expires == 5 + RESTART_OVERLAP
    ice.end_restart()
    assert ice.username_fragments == ("fourth",)
    assert ice.receive_request(check(ours=FOURTH, theirs="theirs"), B, now=6) is None
    assert ice.receive_request(check(ours=FOURTH, theirs="theirs-2"), B, now=6)


def test_restart_during_the_overlap_of_another_forgets_what_is_no_longer_used(
    ice: IceLite,
) -> None:
    ice.restart(NEW)
    assert ice.receive_request(check(ours=NEW), A, now=0)
    ice.restart(THIRD)
    assert ice.username_fragments == ("third", "new-ours")
    assert ice.previous_expires is None
    assert ice.receive_request(check(), A, now=0) is None
    assert ice.receive_request(check(ours=NEW), A, now=0)


def test_same_remote_told_twice_is_no_restart(ice: IceLite) -> None:
    ice.set_remote("second")
    ice.set_remote("second")
    assert ice.receive_request(check(theirs="theirs"), A, now=0)
