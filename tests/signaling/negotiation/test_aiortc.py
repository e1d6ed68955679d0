"""Our descriptions in the hands of aiortc."""

from contextlib import asynccontextmanager

import pytest
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from sfu.wire.parameters import OPUS, VP8
from signaling.negotiation import OfferSection, accept_answer, offer
from tests.support.descriptions import CONFIG, LOCAL, answer_to, slot


@asynccontextmanager
async def peer_connection():
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        yield connection
    finally:
        await connection.close()


async def offered(connection: RTCPeerConnection) -> str:
    await connection.setLocalDescription(await connection.createOffer())
    return connection.localDescription.sdp


async def answered(connection: RTCPeerConnection, sdp: str) -> str:
    await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    return connection.localDescription.sdp


async def test_publisher():
    async with peer_connection() as connection:
        connection.addTransceiver(AudioStreamTrack(), "sendonly")
        connection.addTransceiver(VideoStreamTrack(), "sendonly")
        connection.createDataChannel("reliable")
        agreed = answer_to(await offered(connection))
        assert agreed.data_channel
        audio, video = agreed.receive
        assert list(audio.codecs.values()) == [OPUS]
        assert VP8 in video.codecs.values()
        assert len(video.rtx) == len(video.codecs)
        assert len(audio.ssrcs) == len(video.ssrcs) == 1
        assert list(video.rtx_ssrcs.values()) == list(video.ssrcs)
        assert video.nack
        assert video.pli
        assert not video.transport_cc
        await connection.setRemoteDescription(RTCSessionDescription(agreed.sdp, "answer"))
        for transceiver in connection.getTransceivers():
            assert transceiver.currentDirection == "sendonly"


async def test_publisher_adds_a_track_later():
    async with peer_connection() as connection:
        connection.addTransceiver(AudioStreamTrack(), "sendonly")
        agreed = answer_to(await offered(connection))
        await connection.setRemoteDescription(RTCSessionDescription(agreed.sdp, "answer"))
        connection.addTransceiver(VideoStreamTrack(), "sendonly")
        agreed = answer_to(await offered(connection))
        assert [each.kind for each in agreed.receive] == ["audio", "video"]
        await connection.setRemoteDescription(RTCSessionDescription(agreed.sdp, "answer"))


@pytest.mark.parametrize("filled", [True, False])
async def test_viewer(filled):
    async with peer_connection() as connection:
        connection.addTransceiver("audio", "recvonly")
        connection.addTransceiver("video", "recvonly")
        slots = {"0": slot(0), "1": slot(1)} if filled else {}
        agreed = answer_to(await offered(connection), receive=False, slots=slots)
        assert len(agreed.send) == len(slots)
        await connection.setRemoteDescription(RTCSessionDescription(agreed.sdp, "answer"))
        if filled:
            tracks = [each.receiver.track.id for each in connection.getTransceivers()]
            assert tracks == ["TR_0", "TR_1"]


async def test_one_codec_only():
    async with peer_connection() as connection:
        transceiver = connection.addTransceiver(VideoStreamTrack(), "sendonly")
        transceiver.setCodecPreferences(
            [
                codec
                for codec in RTCRtpReceiver.getCapabilities("video").codecs
                if codec.mimeType == "video/VP8"
            ]
        )
        agreed = answer_to(await offered(connection))
        assert list(agreed.receive[0].codecs.values()) == [VP8]
        await connection.setRemoteDescription(RTCSessionDescription(agreed.sdp, "answer"))


async def test_subscriber_over_many_offers():
    async with peer_connection() as connection:
        rounds = [
            [OfferSection("0", "audio", slot(0))],
            [OfferSection("0", "audio", slot(0)), OfferSection("1", "video", slot(1))],
            [OfferSection("0", "audio"), OfferSection("1", "video", slot(1))],
            [OfferSection("0", "audio", slot(2)), OfferSection("1", "video")],
        ]
        for version, lines in enumerate(rounds, start=1):
            text = offer(lines, LOCAL, session_id=1, session_version=version)
            result = accept_answer(await answered(connection, text), lines, CONFIG)
            assert result.transport is not None
            assert result.transport.dtls_role == "server"
            for line in lines:
                send = result.send[line.mid]
                assert (send is None) == (line.slot is None)
                if send is not None:
                    assert send.payload_types[OPUS if line.kind == "audio" else VP8] in (111, 96)
                    assert not send.mixed
        assert len(connection.getTransceivers()) == 2
