"""Simulcast as a server that takes it sees it: three streams, told apart by their rids."""

from struct import unpack_from

import pytest

from benchmarks.load.payloads import VP8_START
from sfu.wire.payload import vp8
from tests.benchmarks.load.crew import PUBLISHER, WATCHERS, crew
from tests.benchmarks.load.simulcast_server import Got, simulcast_server
from tests.support.polling import until

Options = dict[str, object]


def picture_size(packets: list[Got]) -> tuple[int, int]:
    """Of the first key frame (RFC 6386 9.1)."""
    key = next(
        each.payload
        for each in packets
        if each.payload[0] & 0x10 and vp8.is_key_frame(each.payload)
    )
    width, height = unpack_from("<HH", key, len(VP8_START) + 6)
    return width & 0x3FFF, height & 0x3FFF


async def test_three_encodings_are_sent_to_who_takes_them(simulcast_clip: Options) -> None:
    async with simulcast_server() as (url, server), crew(url, **simulcast_clip) as load:
        await load.fleet.join([PUBLISHER])
        await until(lambda: len(server.got) > 150, "media")
        assert load[PUBLISHER].note == ""
    assert "a=simulcast:send q;h;f\r\n" in server.offer
    by_rid = {rid: [each for each in server.got if each.rid == rid] for rid in ("q", "h", "f")}
    assert sum(map(len, by_rid.values())) == len(server.got)
    ssrcs = {rid: {each.ssrc for each in packets} for rid, packets in by_rid.items()}
    assert [len(each) for each in ssrcs.values()] == [1, 1, 1]
    assert len(set.union(*ssrcs.values())) == 3
    assert {each.mid for each in server.got} == {"0"}
    octets = {rid: sum(each.size for each in packets) for rid, packets in by_rid.items()}
    assert octets["q"] < octets["h"] < octets["f"]
    sizes = {rid: picture_size(packets) for rid, packets in by_rid.items()}
    assert sizes == {"q": (160, 90), "h": (320, 180), "f": (640, 360)}


@pytest.mark.parametrize("rid", ["q", "h", "f"])
async def test_the_layer_that_a_viewer_gets_is_told(rid: str, simulcast_clip: Options) -> None:
    async with simulcast_server(forwarded=rid) as (url, _), crew(url, **simulcast_clip) as load:
        await load.fleet.join([WATCHERS[0]])
        await load.reach(WATCHERS[0], lambda sample: sample.state == "connected")
        await load.fleet.join([PUBLISHER])
        await load.reach(WATCHERS[0], lambda sample: sample.layer)
        assert load[WATCHERS[0]].layer == rid
        assert load[WATCHERS[0]].frames_decodable > 0


async def test_a_server_that_takes_two_of_three_gets_two_and_it_is_told(
    simulcast_clip: Options,
) -> None:
    async with (
        simulcast_server(taken=("q", "f")) as (url, server),
        crew(url, **simulcast_clip) as load,
    ):
        await load.fleet.join([PUBLISHER])
        await until(lambda: len(server.got) > 100, "media")
        await load.reach(PUBLISHER, lambda sample: sample.note)
        assert load[PUBLISHER].note == "The server does not take the encodings h."
    assert {each.rid for each in server.got} == {"q", "f"}
