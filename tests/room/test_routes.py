"""A datagram is of the peer that showed the address to be its own, and of no other."""

from sfu.room.routes import MAX_ADDRESSES, RoutingTable
from sfu.transport.address import Address
from tests.support.virtual_room import VirtualServer


def address(number: int) -> Address:
    return Address("198.51.100.9", 10_000 + number)


def test_a_peer_keeps_its_newest_addresses() -> None:
    server, routes = VirtualServer(), RoutingTable()
    peer = server.endpoint.create_peer("x", now=0.0)
    routes.add(peer)
    for number in range(MAX_ADDRESSES + 5):
        routes.route_address(peer, address(number))
    assert list(routes.by_address) == [address(number) for number in range(5, MAX_ADDRESSES + 5)]


def test_the_address_in_use_is_kept_however_old_it_is() -> None:
    server, routes = VirtualServer(), RoutingTable()
    alice = server.join("alice")
    alice.publish()
    client = alice.publisher
    assert client
    assert client.peer
    peer = client.peer
    routes.add(peer)
    routes.route_address(peer, client.address)
    for number in range(MAX_ADDRESSES + 5):
        routes.route_address(peer, address(number))
    assert len(routes.by_address) == MAX_ADDRESSES
    assert routes.by_address[client.address] is peer
    assert address(0) not in routes.by_address


def test_an_address_that_another_peer_proves_its_own_is_that_ones() -> None:
    server, routes = VirtualServer(), RoutingTable()
    first, second = (server.endpoint.create_peer(name, now=0.0) for name in "ab")
    routes.add(first)
    routes.add(second)
    routes.route_address(first, address(1))
    routes.route_address(second, address(1))
    assert routes.by_address == {address(1): second}
    routes.remove(first)
    assert routes.by_address == {address(1): second}
    routes.remove(second)
    assert not routes.by_address
    assert not routes.by_username
