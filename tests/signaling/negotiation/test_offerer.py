import re

import pytest
from msgspec.json import encode as encode_json

from sfu.config import Config
from sfu.errors import ParseError, RemoteError
from sfu.wire.parameters import AV1, OPUS, VP8, Extension, h264
from sfu.wire.sdp import parse_sdp
from signaling.negotiation import OfferSection, accept_answer, offer
from tests.support.descriptions import CONFIG, LOCAL, answer_to, sample, sections, slot

SECTIONS = [
    OfferSection("0", "audio", slot(0)),
    OfferSection("1", "video", slot(1)),
    OfferSection("2", "video"),
]


SMALL = Config(max_sdp_size=100, max_media_sections=1)


def our_offer(*lines: OfferSection, version: int = 1) -> str:
    return offer(lines or SECTIONS, LOCAL, session_id=5, session_version=version)


def test_offer():
    text = our_offer()
    described = parse_sdp(text)
    assert described.ice_lite
    assert described.mixed
    assert described.bundle == ("0", "1", "2")
    assert "o=- 5 1 IN IP4 127.0.0.1" in text
    assert [(each.mid, each.kind, each.direction) for each in described.media] == [
        ("0", "audio", "sendonly"),
        ("1", "video", "sendonly"),
        ("2", "video", "inactive"),
    ]
    for media in described.media:
        assert media.setup == "actpass"
        assert media.ice == LOCAL.ice
        assert media.fingerprints == LOCAL.fingerprints
        assert media.rtcp_mux
        assert media.rtcp_reduced_size
    _, video, idle = sections(text)
    assert "a=msid:PA_1 TR_1" in video
    assert "a=ssrc-group:FID 1001 2001" in video
    assert not any(line.startswith(("a=msid", "a=ssrc")) for line in idle)
    assert all(lines.count("a=end-of-candidates") == 1 for lines in sections(text))


def test_every_line_of_a_kind_offers_the_same():
    _, video, idle = sections(our_offer())
    kept = ("a=rtpmap", "a=fmtp", "a=rtcp-fb", "a=extmap", "m=")
    assert [line for line in video if line.startswith(kept)] == [
        line for line in idle if line.startswith(kept)
    ]


def test_stopped_line_keeps_its_place():
    lines = [OfferSection("0", "audio", stopped=True), OfferSection("1", "video", slot(1))]
    text = our_offer(*lines)
    assert parse_sdp(text).bundle == ("1",)
    stopped, video = sections(text)
    assert stopped[0].startswith("m=audio 0 ")
    assert "a=inactive" in stopped
    assert "a=end-of-candidates" in video
    assert "a=end-of-candidates" not in stopped


def test_offer_that_we_would_accept_ourselves():
    agreed = answer_to(our_offer().replace("a=ice-lite\r\n", ""))
    assert [each.mid for each in agreed.receive] == ["0", "1"]
    assert len(agreed.receive[1].codecs) == 14
    assert len(agreed.receive[1].rtx) == 14
    assert agreed.receive[1].ssrcs == (1001,)
    assert agreed.receive[1].rtx_ssrcs == {2001: 1001}


def test_answer_of_chrome():
    result = accept_answer(sample("chrome_answer"), SECTIONS, CONFIG)
    assert result.transport is not None
    assert result.transport.dtls_role == "server"
    assert result.rejected == frozenset()
    audio, video, idle = (result.send[mid] for mid in "012")
    assert audio is not None
    assert audio.payload_types[OPUS] == 111
    assert audio.mixed
    assert audio.transport_cc
    assert video is not None
    assert video.payload_types[VP8] == 96
    assert video.payload_types[AV1] == 45
    assert video.payload_types[h264("constrained-baseline", 1)] == 106
    assert video.rtx[96] == 97
    assert video.extensions[Extension.MID] == 4
    assert video.extensions[Extension.DEPENDENCY_DESCRIPTOR] == 9
    assert video.nack
    assert idle is None


def test_peer_may_take_the_other_role():
    text = sample("chrome_answer").replace("a=setup:active", "a=setup:passive")
    result = accept_answer(text, SECTIONS, CONFIG)
    assert result.transport is not None
    assert result.transport.dtls_role == "client"


def test_peer_may_use_payload_types_of_its_own():
    text = sample("chrome_answer").replace("63", "62").replace("111", "35")
    result = accept_answer(text, SECTIONS, CONFIG)
    assert result.send["0"] is not None
    assert result.send["0"].payload_types[OPUS] == 35


def test_peer_may_not_use_extension_ids_of_its_own():
    text = sample("chrome_answer").replace("a=extmap:4 ", "a=extmap:7 ")
    result = accept_answer(text, SECTIONS, CONFIG)
    assert result.send["1"] is not None
    assert Extension.MID not in result.send["1"].extensions
    assert Extension.ABS_SEND_TIME in result.send["1"].extensions


def test_answer_without_mids_is_matched_by_its_order():
    lines = sample("chrome_answer").splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith(("a=mid", "a=group")))
    result = accept_answer(text, SECTIONS, CONFIG)
    assert result.send["1"] is not None
    assert result.send["1"].mid == "1"


def test_rejected_and_unwanted_lines():
    text = sample("chrome_answer").replace("m=audio 9", "m=audio 0")
    text = text.replace("BUNDLE 0 1 2", "BUNDLE 1 2").replace("a=recvonly", "a=inactive")
    result = accept_answer(text, SECTIONS, CONFIG)
    assert result.send == {"0": None, "1": None, "2": None}
    assert result.rejected == {"0"}
    assert result.transport is not None


def test_line_without_a_common_codec():
    text = sample("chrome_answer").replace("opus/48000", "speex/8000").replace("red/", "blue/")
    result = accept_answer(text, SECTIONS, CONFIG)
    assert result.send["0"] is None
    assert result.send["1"] is not None


def test_everything_rejected_leaves_no_transport():
    text = (
        sample("chrome_answer").replace("m=audio 9", "m=audio 0").replace("m=video 9", "m=video 0")
    )
    result = accept_answer(text, SECTIONS, CONFIG)
    assert result.transport is None
    assert result.rejected == {"0", "1", "2"}


def test_stopped_line_stays_rejected():
    text = sample("chrome_answer").replace("m=audio 9", "m=audio 0")
    stopped = [OfferSection("0", "audio", stopped=True), *SECTIONS[1:]]
    assert accept_answer(text, stopped, CONFIG).rejected == {"0"}
    with pytest.raises(RemoteError, match="not offered"):
        accept_answer(sample("chrome_answer"), stopped, CONFIG)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=mid:1", "a=mid:9"),
        ("m=audio", "m=video"),
        ("a=setup:active", "a=setup:actpass"),
        ("a=rtcp-mux\r\n", ""),
        ("a=ice-ufrag", "a=x-ufrag"),
        ("a=fingerprint", "a=x-fingerprint"),
        ("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"),
    ],
)
def test_answers_that_do_not_fit(old, new):
    assert old in sample("chrome_answer")
    with pytest.raises(RemoteError) as raised:
        accept_answer(sample("chrome_answer").replace(old, new), SECTIONS, CONFIG)
    assert raised.value.name == "negotiation_failed"


def test_answer_with_other_lines():
    with pytest.raises(RemoteError):
        accept_answer(sample("chrome_answer"), SECTIONS[:2], CONFIG)


def test_malformed_answer():
    with pytest.raises(ParseError):
        accept_answer("", SECTIONS, CONFIG)
    with pytest.raises(ParseError):
        accept_answer(sample("chrome_answer") + "a=x\r\n" * 5000, SECTIONS, SMALL)


def long_answer(count: int) -> tuple[str, list[OfferSection]]:
    """An answer of Chrome to an offer of many videos."""
    answered = sample("chrome_answer")
    head, audio, video, _ = re.split(r"(?=^m=)", answered, flags=re.MULTILINE)
    bundle = " ".join(map(str, range(count)))
    head = re.sub("a=group:BUNDLE.*\r", f"a=group:BUNDLE {bundle}\r", head)
    # Some browsers know more codecs than that of the sample: at most they repeat all of ours.
    video += "a=more:of what every other codec has\r\n" * 60
    videos = [video.replace("a=mid:1\r", f"a=mid:{number}\r") for number in range(1, count)]
    lines = [OfferSection(str(number), "video", slot(number)) for number in range(1, count)]
    return "".join([head, audio, *videos]), [SECTIONS[0], *lines]


@pytest.mark.parametrize("config", [Config(), SMALL], ids=["default", "small"])
def test_answer_is_as_long_as_the_offer_makes_it(config):
    text, lines = long_answer(256)
    assert len(text) > len(offer(lines, LOCAL, session_id=1, session_version=1))
    assert sum(each is not None for each in accept_answer(text, lines, config).send.values()) == 256


def test_answer_to_the_longest_offer_fits_in_a_message():
    text, _ = long_answer(CONFIG.max_media_sections)
    assert len(encode_json({"sdp": text})) < CONFIG.max_message_size
    for browser in ("chrome_answer", "firefox_publish", "safari_mixed"):
        described = sample(browser)
        size = len(described) / described.count("\r\nm=")
        assert size * CONFIG.max_media_sections < CONFIG.max_sdp_size
