"""Our descriptions in the hands of headless Chromium; no media flows."""

import os
import shutil
from contextlib import asynccontextmanager

from playwright.async_api import async_playwright

from sfu.wire.parameters import OPUS, VP8, IceParameters
from sfu.wire.sdp import parse_sdp
from signaling.negotiation import LocalTransport, OfferSection, accept_answer, offer
from tests.support.descriptions import CONFIG, LOCAL, answer_to, slot

CHROMIUM = shutil.which(os.environ.get("CHROMIUM") or "chromium")

PAGE = """
window.audio = () => new AudioContext().createMediaStreamDestination().stream.getAudioTracks()[0];
window.video = () => {
  const canvas = document.createElement('canvas');
  canvas.getContext('2d').fillRect(0, 0, 8, 8);
  return canvas.captureStream(5).getVideoTracks()[0];
};
window.offered = async () => {
  await pc.setLocalDescription();
  return pc.localDescription.sdp;
};
window.tracks = [];
window.answered = async (sdp) => {
  await pc.setRemoteDescription({type: 'offer', sdp});
  await pc.setLocalDescription();
  return pc.localDescription.sdp;
};
window.accept = (sdp) => pc.setRemoteDescription({type: 'answer', sdp});
window.lines = () => pc.getTransceivers().map((each) => [each.mid, each.currentDirection]);
window.pc = new RTCPeerConnection();
pc.ontrack = ({transceiver, streams}) => tracks.push([transceiver.mid, streams[0].id]);
null;
"""


@asynccontextmanager
async def browser_page():
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        try:
            page = await browser.new_page()
            await page.evaluate(PAGE)
            yield page
        finally:
            await browser.close()


async def test_publisher_stops_and_reuses_lines():
    async with browser_page() as page:
        await page.evaluate(
            "pc.addTransceiver(audio(), {direction: 'sendonly'});"
            "pc.addTransceiver(video(), {direction: 'sendonly'});"
            "pc.createDataChannel('reliable');"
        )
        agreed = answer_to(await page.evaluate("offered()"))
        assert [each.mid for each in agreed.receive] == ["0", "1"]
        assert agreed.data_channel
        await page.evaluate("accept", agreed.sdp)
        assert await page.evaluate("lines()") == [["0", "sendonly"], ["1", "sendonly"]]

        await page.evaluate("pc.getTransceivers()[1].stop()")
        text = await page.evaluate("offered()")
        assert [each.rejected for each in parse_sdp(text).media] == [False, True, False]
        agreed = answer_to(text)
        assert [each.mid for each in agreed.receive] == ["0"]
        await page.evaluate("accept", agreed.sdp)

        await page.evaluate("pc.addTransceiver(video(), {direction: 'sendonly'})")
        text = await page.evaluate("offered()")
        assert [each.mid for each in parse_sdp(text).media] == ["0", "3", "2"]
        agreed = answer_to(text)
        assert [each.mid for each in agreed.receive] == ["0", "3"]
        await page.evaluate("accept", agreed.sdp)
        assert await page.evaluate("lines()") == [["0", "sendonly"], ["3", "sendonly"]]


async def test_publisher_with_simulcast_keeps_all_layers_from_offer_to_offer():
    async with browser_page() as page:
        await page.evaluate(
            "pc.addTransceiver(video(), {direction: 'sendonly',"
            " sendEncodings: [{rid: 'q'}, {rid: 'h'}, {rid: 'f'}]})"
        )
        for _ in range(2):
            agreed = answer_to(await page.evaluate("offered()"))
            assert agreed.receive[0].rids == ("q", "h", "f")
            assert agreed.receive[0].remb
            await page.evaluate("accept", agreed.sdp)
            encodings = "pc.getSenders()[0].getParameters().encodings.map((each) => each.rid)"
            assert await page.evaluate(encodings) == ["q", "h", "f"]
            await page.evaluate("pc.restartIce()")


async def test_viewer_with_many_lines():
    async with browser_page() as page:
        await page.evaluate(
            "pc.addTransceiver('audio', {direction: 'recvonly'});"
            "for (let i = 0; i < 25; i++) pc.addTransceiver('video', {direction: 'recvonly'});"
        )
        slots = {"0": slot(0), "7": slot(7)}
        agreed = answer_to(await page.evaluate("offered()"), receive=False, slots=slots)
        assert [each.mid for each in agreed.send] == ["0", "7"]
        await page.evaluate("accept", agreed.sdp)
        lines = dict(await page.evaluate("lines()"))
        assert [mid for mid in lines if lines[mid] == "recvonly"] == ["0", "7"]
        assert await page.evaluate("tracks") == [["0", "PA_0"], ["7", "PA_7"]]


async def test_lines_that_we_refuse():
    async with browser_page() as page:
        await page.evaluate(
            "const line = pc.addTransceiver('audio', {direction: 'sendonly'});"
            "line.setCodecPreferences(RTCRtpReceiver.getCapabilities('audio').codecs"
            "  .filter((codec) => codec.mimeType == 'audio/PCMU'));"
            "pc.addTransceiver(video(), {direction: 'sendonly'});"
            "pc.createDataChannel('x');"
        )
        agreed = answer_to(await page.evaluate("offered()"), data=False)
        assert [each.mid for each in agreed.receive] == ["1"]
        await page.evaluate("accept", agreed.sdp)
        assert await page.evaluate("lines()") == [["1", "sendonly"]]


async def test_restart_of_ice():
    async with browser_page() as page:
        await page.evaluate("pc.addTransceiver(audio(), {direction: 'sendonly'})")
        first = answer_to(await page.evaluate("offered()"))
        await page.evaluate("accept", first.sdp)
        await page.evaluate("pc.restartIce()")
        second = answer_to(await page.evaluate("offered()"))
        assert second.transport.ice != first.transport.ice
        assert second.transport.fingerprints == first.transport.fingerprints
        await page.evaluate("accept", second.sdp)


async def test_subscriber_over_many_offers():
    restarted = LocalTransport(
        IceParameters("our2", "ABCDEFGHIJKLMNOPQRSTUVWX"), LOCAL.fingerprints, LOCAL.candidates
    )
    audio, video = OfferSection("0", "audio", slot(0)), OfferSection("1", "video", slot(1))
    rounds = [
        (LOCAL, [audio]),
        (LOCAL, [audio, video]),
        (LOCAL, [audio, OfferSection("1", "video")]),
        (LOCAL, [audio, OfferSection("1", "video", slot(2)), OfferSection("2", "video", slot(3))]),
        (restarted, [audio, OfferSection("1", "video", slot(2)), OfferSection("2", "video")]),
        (LOCAL, [audio, OfferSection("1", "video", stopped=True), OfferSection("2", "video")]),
        (LOCAL, [audio, OfferSection("3", "video", slot(4)), OfferSection("2", "video")]),
    ]
    async with browser_page() as page:
        for version, (local, lines) in enumerate(rounds, start=1):
            text = offer(lines, local, session_id=1, session_version=version)
            result = accept_answer(await page.evaluate("answered", text), lines, CONFIG)
            assert result.transport is not None
            assert result.transport.dtls_role == "server"
            assert result.rejected == {each.mid for each in lines if each.stopped}
            for line in lines:
                send = result.send[line.mid]
                assert (send is not None) == (line.slot is not None)
                if send is not None:
                    assert send.payload_types[OPUS if line.kind == "audio" else VP8] in (111, 96)
                    assert send.mixed
                    assert send.transport_cc
        assert await page.evaluate("tracks") == [
            ["0", "PA_0"],
            ["1", "PA_1"],
            ["1", "PA_2"],
            ["2", "PA_3"],
            ["3", "PA_4"],
        ]


async def test_subscriber_that_stops_a_line_gets_nothing_on_it():
    async with browser_page() as page:
        lines = [OfferSection("0", "audio", slot(0)), OfferSection("1", "video", slot(1))]
        text = offer(lines, LOCAL, session_id=1, session_version=1)
        await page.evaluate("(sdp) => pc.setRemoteDescription({type: 'offer', sdp})", text)
        await page.evaluate("pc.getTransceivers()[1].stop()")
        result = accept_answer(await page.evaluate("offered()"), lines, CONFIG)
        assert result.send["0"] is not None
        assert result.send["1"] is None
