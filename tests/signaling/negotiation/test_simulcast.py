import pytest

from sfu.wire.parameters import Extension
from sfu.wire.sdp import Rid, parse_sdp
from tests.support.descriptions import answer_to, sample, sections, slot

OFFER = sample("chrome_simulcast")
STREAMS = "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\na=simulcast:send q;h;f\r\n"
assert STREAMS in OFFER


def agreed_to(*lines: str, **options):
    """Our answer where the video line says this of its streams."""
    return answer_to(OFFER.replace(STREAMS, "".join(f"a={line}\r\n" for line in lines)), **options)


def simulcast_lines(agreed) -> list[str]:
    return [line for line in sections(agreed.sdp)[0] if line.startswith(("a=rid", "a=simulcast"))]


def test_three_streams_of_a_browser() -> None:
    agreed = answer_to(OFFER)
    assert simulcast_lines(agreed) == [
        "a=rid:q recv",
        "a=rid:h recv",
        "a=rid:f recv",
        "a=simulcast:recv q;h;f",
    ]
    video, audio = agreed.receive
    assert video.rids == ("q", "h", "f")
    assert audio.rids == ()
    assert {Extension.RID, Extension.REPAIRED_RID, Extension.MID} <= set(video.extensions.values())
    assert video.transport_cc
    assert video.remb
    answered = parse_sdp(agreed.sdp).media[0]
    assert answered.rids == (Rid("q", "recv"), Rid("h", "recv"), Rid("f", "recv"))
    assert {"transport-cc", "goog-remb", "nack pli"} <= answered.feedback(96)
    uris = {each.uri: each.id for each in answered.extensions}
    assert (uris[Extension.RID], uris[Extension.REPAIRED_RID]) == (10, 11)
    assert Extension.DEPENDENCY_DESCRIPTOR not in uris  # VP8 is first, and tells all itself


def test_streams_beyond_three_are_declined() -> None:
    agreed = agreed_to(*(f"rid:{n} send" for n in range(5)), "simulcast:send 4;0;2;1;3")
    assert agreed.receive[0].rids == ("4", "0", "2")
    assert simulcast_lines(agreed)[-1] == "a=simulcast:recv 4;0;2"
    assert len(simulcast_lines(agreed)) == 4


@pytest.mark.parametrize(
    ("offered", "rids"),
    [
        ("q,h;f", ("q", "f")),
        ("x,h;f", ("h", "f")),  # x has no line of its own
        ("q;q;h", ("q", "h")),
        ("q,h;q", ("q",)),
        ("~q;~h", ("q", "h")),
        ("x;y", ()),
        ("f", ("f",)),
    ],
)
def test_alternatives_pauses_and_nonsense(offered: str, rids: tuple[str, ...]) -> None:
    streams = STREAMS.replace("send q;h;f", f"send {offered}")
    agreed = answer_to(OFFER.replace(STREAMS, streams))
    assert agreed.receive[0].rids == rids
    assert [line for line in simulcast_lines(agreed) if "simulcast" in line] == (
        [f"a=simulcast:recv {';'.join(rids)}"] if rids else []
    )


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        ("a send", "a recv"),
        ("a send max-width=320;max-fps=29.97", "a recv max-width=320;max-fps=29.97"),
        ("a send pt=96,45;max-br=150000", "a recv pt=96,45;max-br=150000"),
        ("a send pt=96,122", "a recv pt=96"),
        ("a-1_B send", "a-1_B recv"),
    ],
)
def test_restrictions_are_agreed_to(said: str, answered: str) -> None:
    agreed = agreed_to(f"rid:{said}", f"simulcast:send {said.split()[0]}")
    assert simulcast_lines(agreed)[0] == f"a=rid:{answered}"


@pytest.mark.parametrize(
    "said",
    [
        "a recv",
        "a send pt=122",
        "a send max-width=wide",
        "a send max-width",
        "a send depend=b",
        "a send color=blue",
        "a. send",
        f"{'a' * 33} send",
    ],
)
def test_streams_that_we_cannot_agree_to_are_declined(said: str) -> None:
    agreed = agreed_to(f"rid:{said}", "rid:b send", f"simulcast:send {said.split()[0]};b")
    assert simulcast_lines(agreed) == ["a=rid:b recv", "a=simulcast:recv b"]
    assert agreed.receive[0].rids == ("b",)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"a=extmap:10 {Extension.RID}\r\n", ""),
        (f"a=extmap:10 {Extension.RID}", f"a=extmap:10/recvonly {Extension.RID}"),
        ("a=sendonly\r\na=msid:- 52fe", "a=recvonly\r\na=msid:- 52fe"),
        ("a=simulcast:send q;h;f", "a=simulcast:recv q;h;f"),
    ],
)
def test_no_simulcast_without_what_it_needs(old: str, new: str) -> None:
    assert old in OFFER
    agreed = answer_to(OFFER.replace(old, new), slots={"0": slot(0)})
    assert simulcast_lines(agreed) == []
    assert [each.rids for each in agreed.receive if each.kind == "video"] in ([()], [])


def test_who_may_not_publish_gets_no_simulcast() -> None:
    assert simulcast_lines(answer_to(OFFER, receive=False)) == []


def test_simulcast_on_a_line_of_both_directions() -> None:
    offer = OFFER.replace("a=sendonly\r\na=msid:- 52fe", "a=sendrecv\r\na=msid:- 52fe")
    agreed = answer_to(offer, slots={"0": slot(0)})
    assert agreed.receive[0].rids == ("q", "h", "f")
    assert Extension.RID not in agreed.send[0].extensions
    lines = sections(agreed.sdp)[0]
    assert "a=sendrecv" in lines
    assert "a=simulcast:recv q;h;f" in lines
