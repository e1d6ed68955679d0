import random

import pytest

from sfu.errors import ParseError
from sfu.wire.parameters import IceParameters
from signaling.sdpfrag import MAX_LINES, MAX_SIZE, Fragment, fragment_of, parse_fragment

TRICKLE = (
    "a=ice-ufrag:EsAw\r\n"
    "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
    "a=mid:0\r\n"
    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\n"
    "a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n"
    "a=end-of-candidates\r\n"
)

ANSWER = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=ice-options:ice2\r\n"
    "a=group:BUNDLE 1\r\n"
    "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=inactive\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=ice-ufrag:oldu\r\na=ice-pwd:oldpassword\r\n"
    "a=fingerprint:sha-256 AB\r\na=candidate:1 1 udp 1 192.0.2.1 7882 typ host\r\n"
    "a=end-of-candidates\r\na=rtpmap:96 VP8/90000\r\n"
)


def test_credentials_and_candidates() -> None:
    fragment = parse_fragment(TRICKLE)
    assert fragment.ice == IceParameters("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    assert len(fragment.candidates) == 2
    assert fragment.candidates[0].startswith("candidate:1387637174 1 udp")
    assert fragment.complete


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n\r\n"])
def test_line_ends_do_not_matter(end: str) -> None:
    assert parse_fragment(TRICKLE.replace("\r\n", end)) == parse_fragment(TRICKLE)


def test_credentials_may_stand_in_every_section_when_they_agree() -> None:
    assert parse_fragment(TRICKLE + TRICKLE).ice == parse_fragment(TRICKLE).ice


def test_nothing_is_a_fragment_that_says_nothing() -> None:
    assert parse_fragment("") == Fragment(None)


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "a\r\n",
        "=a\r\n",
        "A=mid:0\r\n",
        "a=mid:\x00\r\n",
        "a=ice-ufrag:abcd\r\n",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n",
        TRICKLE + "a=ice-ufrag:other\r\n",
        TRICKLE.replace("EsAw", "abc"),
        TRICKLE.replace("EsAw", "a" * 257),
        TRICKLE.replace("EsAw", "a b c d"),
        TRICKLE.replace("P2uYro0UCOQ4zxjKXaWCBui1", "short"),
        TRICKLE.replace("P2uYro0UCOQ4zxjKXaWCBui1", "p" * 257),
        '{"candidate": ""}',
    ],
)
def test_what_is_no_fragment_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_fragment(text)


def test_size_and_lines_are_bounded() -> None:
    assert parse_fragment("a=x\n" * MAX_LINES) == Fragment(None)
    for text in ("a=x\n" * (MAX_LINES + 1), "a=" + "x" * MAX_SIZE):
        with pytest.raises(ParseError) as caught:
            parse_fragment(text)
        assert caught.value.name == "too_large"


def test_junk_raises_nothing_but_parse_errors() -> None:
    random_source = random.Random(1)
    for _ in range(5000):
        text = list(TRICKLE)
        for _ in range(random_source.randrange(1, 20)):
            text[random_source.randrange(len(text))] = chr(random_source.randrange(0x300))
        try:
            fragment = parse_fragment("".join(text))
        except ParseError:
            continue
        assert fragment.ice is None or 4 <= len(fragment.ice.username_fragment) <= 256


def test_restart_tells_new_credentials_and_what_the_answer_said() -> None:
    ice = IceParameters("newu", "n" * 24)
    text = fragment_of(ANSWER, ice)
    assert text.splitlines() == [
        "a=ice-lite",
        "a=ice-options:ice2",
        "a=group:BUNDLE 1",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=mid:1",
        "a=ice-ufrag:newu",
        "a=ice-pwd:" + "n" * 24,
        "a=candidate:1 1 udp 1 192.0.2.1 7882 typ host",
        "a=end-of-candidates",
    ]
    assert parse_fragment(text).ice == ice
