import pytest

from sfu.transport.demultiplexer import (
    MEDIA_FIRST,
    MEDIA_LAST,
    RTCP_FIRST,
    RTCP_LAST,
    classify,
    is_dtls,
    is_media,
    is_rtcp,
    is_stun,
)


def test_first_bytes_as_rfc_7983_section_7_divides_them() -> None:
    kinds = {
        first: [test(first) for test in (is_stun, is_dtls, is_media)].index(True)
        for first in range(256)
        if is_stun(first) or is_dtls(first) or is_media(first)
    }
    assert [first for first, kind in kinds.items() if kind == 0] == list(range(4))
    assert [first for first, kind in kinds.items() if kind == 1] == list(range(20, 64))
    assert [first for first, kind in kinds.items() if kind == 2] == list(range(128, 192))


def test_bounds_of_media_and_rtcp() -> None:
    assert [MEDIA_FIRST, MEDIA_LAST] == [128, 191]
    assert [RTCP_FIRST, RTCP_LAST] == [192, 223]


@pytest.mark.parametrize(
    ("second", "rtcp"), [(191, False), (192, True), (200, True), (223, True), (224, False)]
)
def test_rtcp_as_rfc_5761_section_4_divides_it(second: int, rtcp: bool) -> None:
    assert is_rtcp(second) is rtcp
    assert classify(bytes([0x80, second]) + bytes(10)) == ("rtcp" if rtcp else "rtp")


@pytest.mark.parametrize(
    ("first", "kind"),
    [(0, "stun"), (22, "dtls"), (16, "unknown"), (64, "unknown"), (255, "unknown")],
)
def test_other_kinds(first: int, kind: str) -> None:
    assert classify(bytes([first]) + bytes(11)) == kind
    assert classify(memoryview(bytes([first]) + bytes(11))) == kind


@pytest.mark.parametrize("length", range(12))
def test_what_is_too_short_is_nothing(length: int) -> None:
    assert classify(bytes([0x80]) * length) == "unknown"
