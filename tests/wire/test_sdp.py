import pytest

from sfu.errors import ParseError
from sfu.wire.parameters import Fingerprint, IceParameters
from sfu.wire.sdp import ExtMap, Rid, RtpMap, SsrcGroup, parse_sdp
from tests.support.descriptions import SAMPLES, sample

HEAD = "v=0\r\no=- 1 7 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"


def section(*lines: str):
    """The one m-section with these attributes."""
    text = HEAD + AUDIO + "".join(f"a={line}\r\n" for line in lines)
    return parse_sdp(text).media[0]


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.glob("*.sdp")))
def test_samples_of_real_peers_are_read(name):
    description = parse_sdp(sample(name))
    assert description.media
    for media in description.media:
        assert media.mid
        if not media.rejected:
            assert media.ice is not None
            assert media.fingerprints
            assert media.setup


def test_chrome_offer():
    description = parse_sdp(sample("chrome_publish"))
    assert description.bundle == ("0", "1", "2")
    assert description.mixed
    assert not description.ice_lite
    audio, video, data = description.media
    assert (audio.kind, audio.port, audio.protocol) == ("audio", 9, "UDP/TLS/RTP/SAVPF")
    assert audio.direction == "sendonly"
    assert audio.rtcp_mux
    assert audio.rtcp_reduced_size
    assert audio.rtp_maps[111] == RtpMap("opus", 48000, 2)
    assert audio.parameters[111] == {"minptime": "10", "useinbandfec": "1"}
    assert audio.parameters[63] == {"111/111": ""}
    assert audio.feedback(111) == {"transport-cc"}
    assert video.feedback(96) == {"goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"}
    assert video.parameters[97] == {"apt": "96"}
    assert ExtMap(13, "urn:3gpp:video-orientation") in video.extensions
    assert [group.semantics for group in video.ssrc_groups] == ["FID"]
    assert tuple(video.sources) == video.ssrc_groups[0].ssrcs
    assert all("cname" in attributes for attributes in video.sources.values())
    assert (data.formats, data.sctp_port) == (("webrtc-datachannel",), 5000)
    assert data.max_message_size == 262144


def test_simulcast_offer_keeps_its_rids():
    video = parse_sdp(sample("chrome_simulcast")).media[0]
    assert video.rids == (Rid("q", "send"), Rid("h", "send"), Rid("f", "send"))
    assert video.simulcast == (("q",), ("h",), ("f",))


def test_simulcast_alternatives_and_pauses():
    assert section("simulcast:recv a;b send 1,~2;3").simulcast == (("1", "2"), ("3",))
    assert section("simulcast:recv a;b").simulcast == ()


def test_restrictions_of_a_stream():
    (rid,) = section("rid:q send pt=96,97; Max-Width=320;;x").rids
    assert rid == Rid("q", "send", (("pt", "96,97"), ("max-width", "320"), ("x", "")))
    (rid,) = section("rid:q recv").rids
    assert rid == Rid("q", "recv")


def test_session_level_counts_for_every_section():
    text = (
        HEAD
        + "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n"
        + "a=fingerprint:SHA-256 aa:bb\r\na=setup:actpass\r\na=recvonly\r\n"
        + "a=extmap:1 urn:x\r\na=extmap-allow-mixed\r\na=ice-lite\r\n"
        + AUDIO
        + AUDIO
        + "a=sendonly\r\na=ice-ufrag:efgh\r\na=ice-pwd:ABCDEFGHIJKLMNOPQRSTUV\r\n"
        + "a=fingerprint:sha-512 CC:DD\r\na=setup:active\r\na=extmap:2 urn:y\r\n"
    )
    description = parse_sdp(text)
    assert description.ice_lite
    assert description.version == 7
    first, second = description.media
    assert first.ice == IceParameters("abcd", "abcdefghijklmnopqrstuv")
    assert first.fingerprints == (Fingerprint("sha-256", "AA:BB"),)
    assert (first.setup, first.direction) == ("actpass", "recvonly")
    assert first.extensions == (ExtMap(1, "urn:x"),)
    assert first.extmap_allow_mixed
    assert second.ice == IceParameters("efgh", "ABCDEFGHIJKLMNOPQRSTUV")
    assert second.fingerprints == (Fingerprint("sha-512", "CC:DD"),)
    assert (second.setup, second.direction) == ("active", "sendonly")
    assert second.extensions == (ExtMap(2, "urn:y"),)


def test_half_of_the_credentials_is_none():
    assert section("ice-ufrag:abcd").ice is None
    assert section("ice-pwd:abcdefghijklmnopqrstuv").ice is None


def test_sendrecv_of_a_section_is_stronger_than_the_session_level():
    text = HEAD + "a=inactive\r\n" + AUDIO + "a=sendrecv\r\n" + AUDIO
    assert [media.direction for media in parse_sdp(text).media] == ["sendrecv", "inactive"]


@pytest.mark.parametrize(
    ("port", "lines", "rejected"),
    [("0", "", True), ("0", "a=bundle-only\r\n", False), ("9", "", False), ("40000/2", "", False)],
)
def test_port_zero_means_rejected_unless_bundle_only(port, lines, rejected):
    text = f"{HEAD}m=audio {port} UDP/TLS/RTP/SAVPF 111\r\n{lines}"
    assert parse_sdp(text).media[0].rejected is rejected


def test_line_ends_and_blank_lines_do_not_matter():
    crlf = sample("firefox_publish")
    assert parse_sdp(crlf) == parse_sdp(crlf.replace("\r\n", "\n")) == parse_sdp(crlf + "\r\n\r\n")


def test_format_parameters_come_before_or_after_the_rtpmap():
    media = section("fmtp:111 stereo=1; UseInbandFEC=1 ;;bare", "rtpmap:111 opus/48000/2")
    assert media.parameters[111] == {"stereo": "1", "useinbandfec": "1", "bare": ""}


def test_format_parameters_of_formats_that_are_not_in_the_line_are_skipped():
    assert section("fmtp:112 a=b", "rtcp-fb:112 nack").parameters == {}


def test_feedback_wildcard():
    media = section("rtcp-fb:* nack", "rtcp-fb:111 nack  pli")
    assert media.feedback(111) == {"nack", "nack pli"}
    assert media.feedback(96) == {"nack"}


def test_first_bundle_group_counts():
    text = HEAD + "a=group:LS a b\r\na=group:BUNDLE b a\r\na=group:BUNDLE c\r\n" + AUDIO
    assert parse_sdp(text).bundle == ("b", "a")
    assert parse_sdp(HEAD + AUDIO).bundle is None
    assert parse_sdp(HEAD + "a=group:BUNDLE\r\n" + AUDIO).bundle == ()
    assert parse_sdp(HEAD + "a=group:\r\n" + AUDIO).bundle is None


def test_ssrc_groups():
    media = section("ssrc-group:SIM 1 2 4294967295", "ssrc:1 cname:a:b", "ssrc:1 msid:x y")
    assert media.ssrc_groups == (SsrcGroup("SIM", (1, 2, 0xFFFFFFFF)),)
    assert media.sources == {1: {"cname": "a:b", "msid": "x y"}}


def test_unknown_attributes_and_lines_are_skipped():
    text = HEAD + "b=AS:500\r\nk=clear:x\r\n" + AUDIO + "i=é\r\na=\r\na=x-unknown:;;;\r\na=:\r\n"
    assert parse_sdp(text).media[0].kind == "audio"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\r\n",
        "v=1\r\n",
        "o=- 1 1 IN IP4 0.0.0.0\r\nv=0\r\n",
        HEAD + "hello\r\n",
        HEAD + "m\r\n",
        HEAD + "m=\r\n",
        HEAD + "m=audio\r\n",
        HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF\r\n",
        HEAD + "m=audio 65536 UDP/TLS/RTP/SAVPF 1\r\n",
        HEAD + "m=audio -1 UDP/TLS/RTP/SAVPF 1\r\n",
        HEAD + "m=audio ٣ UDP/TLS/RTP/SAVPF 1\r\n",
        HEAD + "m=audio 9 UDP;TLS 1\r\n",
        HEAD + "m=audi\u00f6 9 UDP/TLS/RTP/SAVPF 1\r\n",
        HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF" + 257 * " 1" + "\r\n",
        HEAD + "a=x\rm=audio 9 RTP/AVP 0\r\n",
        HEAD + "a=x\0\r\n",
        HEAD + "s=\ud800\r\n",
        HEAD + AUDIO + "a=mid:0\r\n" + AUDIO + "a=mid:0\r\n",
        HEAD + 257 * AUDIO,
        HEAD + "a=x:" + 600_000 * "x",
    ],
)
def test_malformed_descriptions(text):
    with pytest.raises(ParseError):
        parse_sdp(text)


@pytest.mark.parametrize(
    "line",
    [
        "mid:",
        "mid:a b",
        "mid:" + 65 * "x",
        "ice-ufrag:abc",
        "ice-ufrag:ab:cd",
        "ice-ufrag:" + 257 * "a",
        "ice-pwd:tooshort",
        "fingerprint:sha-256",
        "fingerprint:sha-256 XY",
        "fingerprint:sha-256 AA:",
        "setup:both",
        "rtpmap:111",
        "rtpmap:111 opus",
        "rtpmap:128 opus/48000/2",
        "rtpmap:x opus/48000/2",
        "rtpmap:111 opus/0",
        "rtpmap:111 opus/48000/2/1",
        "rtpmap:111 opus/99999999999",
        "fmtp:111",
        "rtcp-fb:111",
        "extmap:0 urn:x",
        "extmap:4352 urn:x",
        "extmap:1/sideways urn:x",
        "extmap:1",
        "ssrc:1",
        "ssrc:4294967296 cname:a",
        "ssrc-group:FID a",
        "rid:a up",
        "rid:a",
        "rid:a send " + "x;" * 33,
        "simulcast:send " + ";".join("a" * 65),
        "simulcast:send a;;b",
        "sctp-port:65536",
        "max-message-size:-1",
        "max-message-size:٣",
        "max-message-size:" + 30 * "9",
    ],
)
def test_malformed_attributes(line):
    with pytest.raises(ParseError):
        section(line)


def test_error_names_the_attribute_but_keeps_the_password_to_itself():
    with pytest.raises(ParseError, match="a=ice-pwd") as raised:
        section("ice-pwd:secret secret secret secret")
    assert "secret" not in raised.value.message


@pytest.mark.parametrize(
    "line", ["ssrc:{} cname:a", "rid:{} send", "extmap:1 urn:{}", "fingerprint:sha-256 AA:{:02X}"]
)
def test_collections_are_bounded(line):
    section(*(line.format(number) for number in range(1, 17)))
    with pytest.raises(ParseError):
        section(*(line.format(number % 256) for number in range(1, 300)))


def test_bounds_are_settings():
    text = sample("chrome_publish")
    assert parse_sdp(text, max_size=len(text), max_media_sections=3)
    with pytest.raises(ParseError):
        parse_sdp(text, max_size=len(text) - 1)
    with pytest.raises(ParseError):
        parse_sdp(text, max_media_sections=2)
    with pytest.raises(ParseError):  # bytes, not characters
        parse_sdp(HEAD + "i=ä\r\n", max_size=len(HEAD) + 5)
