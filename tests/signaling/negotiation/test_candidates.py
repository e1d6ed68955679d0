import pytest
from aioice import Candidate

from sfu.errors import LocalError
from signaling.negotiation.candidates import host_candidates


def test_text():
    udp, tcp = host_candidates(["192.0.2.1"], udp_port=7882, tcp_port=7881)
    assert udp.to_sdp() == "candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host"
    assert tcp.to_sdp() == "candidate:2 1 tcp 1520435199 192.0.2.1 7881 typ host tcptype passive"


def test_text_is_read_by_others():
    for candidate in host_candidates(["192.0.2.1", "2001:db8::1"], udp_port=1, tcp_port=65535):
        read = Candidate.from_sdp(candidate.to_sdp().removeprefix("candidate:"))
        assert (read.host, read.port, read.transport) == (
            candidate.host,
            candidate.port,
            candidate.protocol,
        )
        assert read.priority == candidate.priority
        assert read.foundation == candidate.foundation
        assert read.tcptype == ("passive" if candidate.protocol == "tcp" else None)


def test_priorities():
    hosts = ["192.0.2.1", "2001:db8::1", "192.0.2.2"]
    candidates = host_candidates(hosts, udp_port=7882, tcp_port=7881)
    ranked = sorted(candidates, key=lambda each: -each.priority)
    assert [(each.protocol, each.host) for each in ranked] == [
        ("udp", "2001:db8::1"),
        ("udp", "192.0.2.1"),
        ("udp", "192.0.2.2"),
        ("tcp", "2001:db8::1"),
        ("tcp", "192.0.2.1"),
        ("tcp", "192.0.2.2"),
    ]
    assert all(each.priority < 1 << 31 for each in candidates)
    assert len({each.priority for each in candidates}) == 6
    assert len({each.foundation for each in candidates}) == 6


def test_ipv4_and_udp_stand_first():
    hosts = ["2001:db8::1", "192.0.2.1"]
    candidates = host_candidates(hosts, udp_port=7882, tcp_port=7881)
    assert [(each.protocol, each.host) for each in candidates] == [
        ("udp", "192.0.2.1"),
        ("udp", "2001:db8::1"),
        ("tcp", "192.0.2.1"),
        ("tcp", "2001:db8::1"),
    ]


def test_one_protocol_only():
    assert [each.protocol for each in host_candidates(["::1"], udp_port=1, tcp_port=None)] == [
        "udp"
    ]
    assert [each.protocol for each in host_candidates(["::1"], udp_port=None, tcp_port=1)] == [
        "tcp"
    ]


def test_addresses_are_told_once_and_in_their_shortest_form():
    candidates = host_candidates(["0:0:0::1", "::1", "::1"], udp_port=1, tcp_port=None)
    assert [each.host for each in candidates] == ["::1"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "224.0.0.1", "example.org", "", "1.2.3"])
def test_addresses_that_nobody_can_reach(host):
    with pytest.raises(LocalError):
        host_candidates([host], udp_port=1, tcp_port=1)
