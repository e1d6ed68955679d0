import random

import pytest

from sfu.errors import ParseError
from sfu.wire.parameters import IceParameters
from signaling.sdpfrag import MAX_SIZE, fragment_of, parse_fragment

CREDENTIALS = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
MEDIA = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
    "a=mid:0\r\n"
    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\n"
    "a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n"
    "a=end-of-candidates\r\n"
)
ICE = IceParameters("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")

ANSWER = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=ice-options:ice2\r\n"
    "a=group:BUNDLE 1\r\na=msid-semantic:WMS *\r\n"
    "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=inactive\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=ice-ufrag:oldu\r\na=ice-pwd:oldpassword\r\n"
    "a=fingerprint:sha-256 AB\r\na=candidate:1 1 udp 1 192.0.2.1 7882 typ host\r\n"
    "a=end-of-candidates\r\na=rtpmap:96 VP8/90000\r\n"
)


@pytest.mark.parametrize(
    "text",
    [
        CREDENTIALS + MEDIA,
        MEDIA + CREDENTIALS,
        CREDENTIALS,
        CREDENTIALS + "a=end-of-candidates\r\n",
        MEDIA + CREDENTIALS + MEDIA.replace("mid:0", "mid:1") + CREDENTIALS,
        (CREDENTIALS + MEDIA).replace("\r\n", "\n"),
        (CREDENTIALS + MEDIA).rstrip(),
    ],
)
def test_credentials_may_stand_anywhere(text: str) -> None:
    assert parse_fragment(text) == ICE


@pytest.mark.parametrize("text", ["", "\r\n", MEDIA])
def test_fragment_without_credentials(text: str) -> None:
    assert parse_fragment(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        '{"candidate": ""}',
        "a=mid:\x00\r\n",
        "a=ice-ufrag:abcd\r\n",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n",
        MEDIA + "a=ice-ufrag:abcd\r\n",
        CREDENTIALS.replace("EsAw", "abc"),
        CREDENTIALS.replace("EsAw", "a" * 257),
        CREDENTIALS.replace("EsAw", "a b c d"),
        CREDENTIALS.replace("P2uYro0UCOQ4zxjKXaWCBui1", "p" * 257),
        MEDIA + CREDENTIALS + MEDIA.replace("mid:0", "mid:1") + CREDENTIALS.replace("EsA", "Oth"),
        "a=" + "x" * MAX_SIZE,
    ],
)
def test_what_is_no_fragment_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_fragment(text)


def test_junk_raises_nothing_but_parse_errors() -> None:
    random_source = random.Random(1)
    for _ in range(5000):
        text = list(CREDENTIALS + MEDIA)
        for _ in range(random_source.randrange(1, 20)):
            text[random_source.randrange(len(text))] = chr(random_source.randrange(0x300))
        try:
            ice = parse_fragment("".join(text))
        except ParseError:
            continue
        assert ice is None or 4 <= len(ice.username_fragment) <= 256


def test_restart_tells_new_credentials_and_what_the_answer_said() -> None:
    ice = IceParameters("newu", "n" * 24)
    text = fragment_of(ANSWER, ice)
    assert text.splitlines() == [
        "a=ice-lite",
        "a=ice-options:ice2",
        "a=group:BUNDLE 1",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=ice-ufrag:newu",
        "a=ice-pwd:" + "n" * 24,
        "a=mid:1",
        "a=candidate:1 1 udp 1 192.0.2.1 7882 typ host",
        "a=end-of-candidates",
    ]
    assert parse_fragment(text) == ice
