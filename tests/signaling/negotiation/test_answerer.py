import pytest

from sfu.config import Config
from sfu.errors import ParseError, RemoteError
from sfu.wire.parameters import OPUS, VP8, Extension, IceParameters, h264
from sfu.wire.sdp import parse_sdp
from signaling.negotiation import answer
from tests.support.descriptions import LOCAL, SAMPLES, answer_to, sample, sections, slot

OFFERS = sorted(path.stem for path in SAMPLES.glob("*.sdp") if not path.stem.endswith("_answer"))


@pytest.mark.parametrize("name", OFFERS)
def test_every_line_is_answered_in_its_place(name):
    offer = parse_sdp(sample(name))
    agreed = answer_to(sample(name), slots=lambda section: slot(0))
    answered = parse_sdp(agreed.sdp)
    assert [(each.kind, each.mid) for each in answered.media] == [
        (each.kind, each.mid) for each in offer.media
    ]
    assert answered.ice_lite
    assert answered.bundle == tuple(
        mid
        for mid in offer.bundle
        if any(each.mid == mid and not each.rejected for each in answered.media)
    )
    for theirs, ours in zip(offer.media, answered.media, strict=True):
        assert ours.protocol == theirs.protocol
        assert ours.ice == LOCAL.ice
        assert ours.fingerprints == LOCAL.fingerprints
        assert ours.setup in ("active", "passive")
        assert not ours.bundle_only
        assert theirs.rejected <= ours.rejected
        assert set(ours.formats) <= set(theirs.formats)
        assert {(each.id, each.uri) for each in ours.extensions} <= {
            (each.id, each.uri) for each in theirs.extensions
        }
    for lines in sections(agreed.sdp):
        assert ("a=end-of-candidates" in lines) != lines[0].split()[1].startswith("0")
    assert agreed.sdp.replace("\r\n", "").isprintable()


def test_chrome_publisher():
    agreed = answer_to(sample("chrome_publish"))
    audio, video = agreed.receive
    assert audio.mid == "0"
    assert audio.codecs[111] == OPUS
    assert audio.extensions[1] == Extension.AUDIO_LEVEL
    assert audio.transport_cc
    assert not audio.nack
    assert video.mid == "1"
    assert video.codecs[96] == VP8
    assert video.rtx[97] == 96
    assert video.nack
    assert video.pli
    assert video.fir
    assert video.transport_cc
    assert video.remb
    assert video.cname
    (primary,) = video.ssrcs
    assert list(video.rtx_ssrcs.values()) == [primary]
    assert agreed.send == ()
    assert agreed.data_channel
    assert agreed.transport.dtls_role == "server"
    assert agreed.transport.sctp_port == 5000
    assert agreed.transport.max_message_size == 262144
    directions = [each.direction for each in parse_sdp(agreed.sdp).media[:2]]
    assert directions == ["recvonly", "recvonly"]


def test_answer_in_full():
    agreed = answer_to(sample("plain"))
    assert agreed.sdp.split("\r\n") == [
        "v=0",
        "o=- 1 0 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        "a=group:BUNDLE a",
        "a=msid-semantic:WMS *",
        "m=video 9 UDP/TLS/RTP/SAVPF 100",
        "c=IN IP4 0.0.0.0",
        "a=mid:a",
        "a=ice-ufrag:our1",
        "a=ice-pwd:0123456789abcdefghijklmn",
        "a=ice-options:ice2",
        f"a=fingerprint:sha-256 {LOCAL.fingerprints[0].value}",
        "a=setup:passive",
        "a=candidate:3 1 udp 2130706175 127.0.0.1 7882 typ host",
        "a=candidate:1 1 udp 2130706431 ::1 7882 typ host",
        "a=candidate:4 1 tcp 1520434943 127.0.0.1 7881 typ host tcptype passive",
        "a=candidate:2 1 tcp 1520435199 ::1 7881 typ host tcptype passive",
        "a=end-of-candidates",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtpmap:100 VP8/90000",
        "a=rtcp-fb:100 nack pli",
        "",
    ]
    (video,) = agreed.receive
    assert video.codecs == {100: VP8}
    assert video.rtx == {}
    assert (video.nack, video.pli, video.fir) == (False, True, False)
    assert (video.transport_cc, video.remb) == (False, False)


def test_ffmpeg_waits_for_the_handshake_and_so_we_begin_it():
    agreed = answer_to(sample("ffmpeg_whip"), data=False)
    assert agreed.transport.dtls_role == "client"
    assert agreed.transport.ice.username_fragment == "8f2c4a10"
    assert agreed.sdp.count("a=setup:active\r\n") == 2
    audio, video = agreed.receive
    assert audio.ssrcs == (2754811093,)
    assert video.codecs == {106: h264("constrained-baseline", 1)}
    assert not video.pli
    first = next(line for line in agreed.sdp.splitlines() if line.startswith("a=candidate:"))
    assert " udp " in first
    assert " 127.0.0.1 " in first


def test_ffmpeg_without_audio_still_names_it_in_the_group():
    text = sample("ffmpeg_whip")
    start, end = text.index("m=audio"), text.index("m=video")
    agreed = answer_to(text[:start] + text[end:])
    assert parse_sdp(agreed.sdp).bundle == ("1",)


@pytest.mark.parametrize("name", ["obs_whip", "gstreamer_whip", "firefox_publish"])
def test_bundle_only_lines_are_accepted_with_a_port(name):
    agreed = answer_to(sample(name))
    assert all(lines[0].split()[1] == "9" for lines in sections(agreed.sdp))
    assert [each.kind for each in agreed.receive] == [
        each.kind for each in parse_sdp(sample(name)).media if each.kind != "application"
    ]


def test_lines_of_many_kinds_in_one_offer():
    asked = []

    def slots(section):
        asked.append(section.mid)
        return slot(1) if section.mid == "1" else None

    agreed = answer_to(sample("safari_mixed"), slots=slots)
    answered = parse_sdp(agreed.sdp)
    assert [(each.mid, each.port, each.direction) for each in answered.media] == [
        ("0", 0, "inactive"),
        ("1", 9, "sendrecv"),
        ("3", 9, "recvonly"),
        ("4", 9, "inactive"),
        ("5", 9, "inactive"),
    ]
    assert answered.bundle == ("3", "1", "4", "5")
    assert "a=end-of-candidates" in sections(agreed.sdp)[2]
    assert asked == ["1", "4"]
    assert [each.mid for each in agreed.receive] == ["1", "3"]
    (send,) = agreed.send
    assert send.payload_types[h264("constrained-high", 1)] == 96
    assert send.payload_types[VP8] == 102
    assert send.rtx[96] == 97
    assert Extension.VIDEO_ORIENTATION in send.extensions
    assert send.mixed
    assert send.nack


@pytest.mark.parametrize(
    ("direction", "receive", "filled", "answered"),
    [
        ("sendonly", True, True, "recvonly"),
        ("sendonly", False, True, "inactive"),
        ("recvonly", True, True, "sendonly"),
        ("recvonly", True, False, "inactive"),
        ("sendrecv", True, True, "sendrecv"),
        ("sendrecv", True, False, "recvonly"),
        ("sendrecv", False, True, "sendonly"),
        ("sendrecv", False, False, "inactive"),
        ("inactive", True, True, "inactive"),
    ],
)
def test_directions(direction, receive, filled, answered):
    offer = sample("plain").replace("a=sendonly", f"a={direction}")
    agreed = answer_to(offer, receive=receive, slots={"a": slot(1)} if filled else {})
    assert parse_sdp(agreed.sdp).media[0].direction == answered
    assert bool(agreed.receive) == (answered in ("recvonly", "sendrecv"))
    assert bool(agreed.send) == (answered in ("sendonly", "sendrecv"))


def test_what_we_send_is_described():
    offer = sample("chrome_publish").replace("a=sendonly", "a=recvonly")
    audio, video, _ = sections(answer_to(offer, slots={"0": slot(1), "1": slot(2)}).sdp)
    assert audio[-3:] == [
        "a=msid:PA_1 TR_1",
        "a=ssrc:1001 cname:cname-1",
        "a=ssrc:1001 msid:PA_1 TR_1",
    ]
    assert video[-6:] == [
        "a=msid:PA_2 TR_2",
        "a=ssrc-group:FID 1002 2002",
        "a=ssrc:1002 cname:cname-2",
        "a=ssrc:1002 msid:PA_2 TR_2",
        "a=ssrc:2002 cname:cname-2",
        "a=ssrc:2002 msid:PA_2 TR_2",
    ]


def test_data_channel_alone():
    agreed = answer_to(sample("chrome_data"))
    assert agreed.data_channel
    assert agreed.receive == ()
    assert sections(agreed.sdp)[0][-2:] == ["a=sctp-port:5000", "a=max-message-size:262144"]


def test_data_channel_may_be_refused():
    agreed = answer_to(sample("chrome_publish"), data=False)
    assert not agreed.data_channel
    assert agreed.transport.sctp_port is None
    assert sections(agreed.sdp)[2][0] == "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"
    assert parse_sdp(agreed.sdp).bundle == ("0", "1")


def test_unbounded_message_size():
    offer = sample("chrome_data").replace("message-size:262144", "message-size:0")
    assert answer_to(offer).transport.max_message_size > 1 << 30


def test_recycled_line_is_a_line_like_any_other():
    offer = sample("chrome_publish")
    stopped = offer.replace("m=video 9", "m=video 0").replace("BUNDLE 0 1 2", "BUNDLE 0 2")
    first = answer_to(stopped)
    assert [each.mid for each in first.receive] == ["0"]
    assert sections(first.sdp)[1][0].startswith("m=video 0 ")
    recycled = offer.replace("a=mid:1\r", "a=mid:7\r").replace("BUNDLE 0 1 2", "BUNDLE 0 7 2")
    assert [each.mid for each in answer_to(recycled).receive] == ["0", "7"]


def test_line_without_a_codec_of_ours_is_rejected():
    offer = sample("chrome_publish").replace("opus/48000", "speex/8000").replace("red/", "blue/")
    agreed = answer_to(offer)
    assert [each.mid for each in agreed.receive] == ["1"]
    assert sections(agreed.sdp)[0][0].startswith("m=audio 0 ")
    assert parse_sdp(agreed.sdp).bundle == ("1", "2")
    assert "a=end-of-candidates" in sections(agreed.sdp)[1]
    assert agreed.transport.ice is not None


def test_line_of_an_unknown_kind_is_rejected():
    offer = sample("plain").replace("BUNDLE a", "BUNDLE a b")
    agreed = answer_to(offer + "m=text 9 TCP/MSRP *\r\na=mid:b\r\na=rtcp-mux\r\n")
    assert sections(agreed.sdp)[1][0] == "m=text 0 TCP/MSRP *"


def test_line_outside_of_the_group_is_rejected():
    agreed = answer_to(sample("chrome_publish").replace("BUNDLE 0 1 2", "BUNDLE 1 2"))
    assert [each.mid for each in agreed.receive] == ["1"]


def test_credentials_are_those_of_the_first_of_the_group():
    second = sample("plain").split("\r\n", 9)[9].replace("a=mid:a", "a=mid:b")
    offer = sample("plain").replace("BUNDLE a", "BUNDLE b a") + (
        second + "a=ice-ufrag:tag1\r\na=ice-pwd:ABCDEFGHIJKLMNOPQRSTUV\r\na=setup:passive\r\n"
    )
    agreed = answer_to(offer)
    assert agreed.transport.ice == IceParameters("tag1", "ABCDEFGHIJKLMNOPQRSTUV")
    assert agreed.transport.dtls_role == "client"


def test_version_follows_the_offer():
    assert "\r\no=- 1 5 IN IP4" in answer_to(sample("safari_mixed")).sdp
    agreed = answer(
        sample("safari_mixed"),
        LOCAL,
        receive=True,
        slots={},
        data=True,
        config=Config(),
        session_id=77,
    )
    assert "\r\no=- 77 5 IN IP4" in agreed.sdp


def test_25_receiving_lines():
    head, line = sample("plain").replace("sendonly", "recvonly").split("m=video")
    mids = [str(number) for number in range(25)]
    offer = head.replace("BUNDLE a", "BUNDLE " + " ".join(mids))
    offer += "".join(f"m=video{line.replace('mid:a', f'mid:{mid}')}" for mid in mids)
    agreed = answer_to(offer, receive=False, slots={"3": slot(3), "24": slot(24)})
    assert [each.mid for each in agreed.send] == ["3", "24"]
    directions = [each.direction for each in parse_sdp(agreed.sdp).media]
    assert directions.count("inactive") == 23
    assert directions[24] == "sendonly"


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("a=group:BUNDLE a\r\n", "", "BUNDLE"),
        ("a=group:BUNDLE a\r\n", "a=group:BUNDLE\r\n", "m-line"),
        ("m=video 9", "m=video 0", "m-line"),
        ("a=rtcp-mux\r\n", "", "rtcp-mux"),
        ("a=ice-pwd:abcdefghijklmnopqrstuv\r\n", "", "ICE credentials"),
        ("a=fingerprint:sha-256", "a=fingerprint:sha-1", "fingerprint"),
        ("a=setup:actpass", "a=setup:holdconn", "hold"),
        ("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", "ICE-lite"),
    ],
)
def test_offers_that_cannot_be_agreed_to(old, new, what):
    assert old in sample("plain")
    with pytest.raises(RemoteError, match=what) as raised:
        answer_to(sample("plain").replace(old, new))
    assert raised.value.name == "negotiation_failed"


def test_offer_without_any_codec_of_ours():
    with pytest.raises(RemoteError) as raised:
        answer_to(sample("plain").replace("VP8/90000", "H263/90000"))
    assert raised.value.name == "codec_unsupported"


def test_offer_without_setup_is_active():
    agreed = answer_to(sample("plain").replace("a=setup:actpass\r\n", ""))
    assert agreed.transport.dtls_role == "server"


def test_bounds_of_the_settings_hold():
    with pytest.raises(ParseError):
        answer(
            sample("chrome_publish"),
            LOCAL,
            receive=True,
            slots={},
            data=True,
            config=Config(max_media_sections=2),
        )
