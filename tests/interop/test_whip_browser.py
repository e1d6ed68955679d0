"""WHIP and WHEP from a page with nothing but the browser's own RTCPeerConnection."""

import re

import pytest

from tests.support.chromium import Chromium, Tab
from tests.support.clients import Clients, access_token, clients_of
from tests.support.media import PictureTrack, ToneTrack
from tests.support.polling import until
from tests.support.server import API_KEY, API_SECRET, RunningServer, running_server

PUBLISH = """
async ({ url, token }) => {
  const video = { width: 320, height: 240, frameRate: 10 };
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video });
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  for (const track of media.getTracks()) {
    connection.addTransceiver(track, { direction: "sendonly", streams: [media] });
  }
  return await negotiate(connection, url, token);
}
"""

PUBLISH_LAYERS = """
async ({ url, token, codec }) => {
  const video = { width: 1280, height: 720, frameRate: 10 };
  const media = await navigator.mediaDevices.getUserMedia({ video });
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const transceiver = connection.addTransceiver(media.getVideoTracks()[0], {
    direction: "sendonly",
    // Without a mode, Chromium would take three encodings of VP9 for one scalable stream.
    sendEncodings: [
      { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 150_000, scalabilityMode: "L1T1" },
      { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 500_000, scalabilityMode: "L1T1" },
      { rid: "f", maxBitrate: 1_700_000, scalabilityMode: "L1T1" },
    ],
  });
  const { codecs } = RTCRtpSender.getCapabilities("video");
  transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => (
    [`video/${codec}`, "video/rtx"].includes(mimeType))));
  return await negotiate(connection, url, token);
}
"""

WATCH = """
async ({ url, token }) => {
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  for (const kind of ["audio", "video"]) {
    const { receiver } = connection.addTransceiver(kind, { direction: "recvonly" });
    const element = document.createElement(kind);
    element.autoplay = true;
    element.srcObject = new MediaStream([receiver.track]);
    document.body.append(element);
  }
  return await negotiate(connection, url, token);
}
"""

NEGOTIATE = """
() => {
  window.negotiate = async (connection, url, token) => {
    await connection.setLocalDescription();
    const headers = { "Content-Type": "application/sdp" };
    if (token) headers.Authorization = `Bearer ${token}`;
    const body = connection.localDescription.sdp;
    const response = await fetch(url, { method: "POST", headers, body });
    if (response.status !== 201) return { status: response.status };
    let sdp = await response.text();
    if (window.tcpOnly) sdp = sdp.replace(/a=candidate:.* udp .*\\r\\n/g, "");
    await connection.setRemoteDescription({ type: "answer", sdp });
    return {
      status: response.status,
      resource: new URL(response.headers.get("Location"), response.url).href,
      etag: response.headers.get("ETag"),
    };
  };
}
"""

RESTART = """
async ({ resource, etag }) => {
  const [connection] = connections;
  connection.restartIce();
  const offer = await connection.createOffer();
  await connection.setLocalDescription(offer);
  const take = (name) => offer.sdp.match(new RegExp(`a=${name}:.*`))[0];
  const fragment = [take("ice-ufrag"), take("ice-pwd"), "a=end-of-candidates", ""].join("\\r\\n");
  const response = await fetch(resource, {
    method: "PATCH",
    headers: { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*" },
    body: fragment,
  });
  const text = await response.text();
  if (response.status !== 200) return { status: response.status, text };
  const fresh = (name) => text.match(new RegExp(`a=${name}:.*`))[0];
  let sdp = connection.remoteDescription.sdp;
  for (const name of ["ice-ufrag", "ice-pwd"]) {
    sdp = sdp.replaceAll(new RegExp(`a=${name}:.*`, "g"), fresh(name));
  }
  await connection.setRemoteDescription({ type: "answer", sdp });
  return { status: response.status, changed: response.headers.get("ETag") !== etag };
}
"""


async def page(chromium: Chromium, server: RunningServer) -> Tab:
    tab = await chromium.open(f"{server.url}/blank")
    await tab.evaluate(NEGOTIATE)
    return tab


async def negotiate(tab: Tab, script: str, path: str, token: str = "") -> dict[str, str]:
    session = await tab.evaluate(script, {"url": path, "token": token})
    assert session["status"] == 201
    return session


async def delete(tab: Tab, resource: str) -> int:
    return await tab.evaluate(
        "async (url) => (await fetch(url, { method: 'DELETE' })).status", resource
    )


async def test_page_publishes_and_pages_watch(chromium: Chromium, server: RunningServer) -> None:
    publisher = await page(chromium, server)
    published = await negotiate(publisher, PUBLISH, "/whip/kitchen")
    viewers = [await page(chromium, server) for _ in range(2)]
    watched = [await negotiate(viewer, WATCH, "/whep/kitchen") for viewer in viewers]

    for viewer in viewers:
        await viewer.decodes(1)
        await viewer.hears(1)

    assert await delete(viewers[0], watched[0]["resource"]) == 200
    await viewers[1].decodes(1)
    assert await delete(publisher, published["resource"]) == 200
    for tab in (publisher, *viewers):
        assert tab.errors == []


@pytest.mark.parametrize("codec", ["VP8", "VP9"])
async def test_page_publishes_three_layers(
    chromium: Chromium, server: RunningServer, codec: str
) -> None:
    publisher = await page(chromium, server)
    options = {"url": "/whip/kitchen", "token": "", "codec": codec}
    session = await publisher.evaluate(PUBLISH_LAYERS, options)
    assert session["status"] == 201
    room = server.media.rooms.get("kitchen")
    assert room is not None
    (participant,) = room.participants.values()
    (track,) = participant.tracks.values()

    def rids() -> set[str]:
        peer = participant.publisher
        return {stream.rid for stream in peer.publisher.streams} if peer else set()

    await until(lambda: {"q", "h", "f"} <= rids(), "all layers arrive")
    assert rids() == {"q", "h", "f"}
    assert track.mime_type == f"video/{codec}"
    viewer = await page(chromium, server)
    await negotiate(viewer, WATCH, "/whep/kitchen")
    await viewer.decodes(1)
    assert publisher.errors == viewer.errors == []


async def test_page_watches_an_aiortc_publisher(
    chromium: Chromium, server: RunningServer, clients: Clients
) -> None:
    viewer = await page(chromium, server)
    await negotiate(viewer, WATCH, "/whep/kitchen?identity=ann")
    publisher = await clients.join("kitchen", "ann")
    await publisher.publish(PictureTrack(), ToneTrack())
    (video,) = await viewer.decodes(1)
    assert (video["frameWidth"], video["frameHeight"]) == (320, 240)
    await viewer.hears(1)


async def test_media_over_tcp(chromium: Chromium, server: RunningServer) -> None:
    publisher, viewer = [await page(chromium, server) for _ in range(2)]
    for tab in (publisher, viewer):
        await tab.evaluate("() => { window.tcpOnly = true; }")
    await negotiate(publisher, PUBLISH, "/whip/kitchen")
    await negotiate(viewer, WATCH, "/whep/kitchen")

    await viewer.decodes(1)
    await viewer.hears(1)

    for tab in (publisher, viewer):
        (remote,) = await tab.statistics("remote-candidate")
        assert remote["protocol"] == "tcp"
    assert server.media.worker.udp.counters.packets_received == 0


async def test_page_restarts_ice_of_both_kinds(chromium: Chromium, server: RunningServer) -> None:
    publisher = await page(chromium, server)
    published = await negotiate(publisher, PUBLISH, "/whip/kitchen")
    viewer = await page(chromium, server)
    watched = await negotiate(viewer, WATCH, "/whep/kitchen")
    await viewer.decodes(1)

    for tab, session in ((publisher, published), (viewer, watched)):
        (before,) = await tab.statistics("transport")
        assert await tab.evaluate(RESTART, session) == {"status": 200, "changed": True}

        async def renewed(tab: Tab = tab, before: dict[str, object] = before) -> bool:
            (now,) = await tab.statistics("transport")
            old = before["iceLocalUsernameFragment"]
            return now["iceLocalUsernameFragment"] != old and now["iceState"] == "connected"

        await until(renewed, "ICE has restarted")
        await viewer.decodes(1)
        await viewer.hears(1)
    assert publisher.errors == viewer.errors == []


async def test_tokens_are_asked_for(chromium: Chromium) -> None:
    async with (
        running_server(api_key=API_KEY, api_secret=API_SECRET) as server,
        clients_of(server.url) as clients,
    ):
        tab = await page(chromium, server)
        for token in ("", access_token("ann", roomJoin=True, room="other")):
            refused = await tab.evaluate(PUBLISH, {"url": "/whip/kitchen", "token": token})
            assert refused["status"] in (401, 403)
        token = access_token("ann", roomJoin=True, room="kitchen")
        await negotiate(tab, PUBLISH, "/whip/kitchen", token)

        viewer = clients.whep("kitchen", token=access_token("ben", roomJoin=True, room="kitchen"))
        await viewer.watch("audio", "video")
        await until(lambda: viewer.sinks["video"].frames > 5, "pictures")
        assert [re.sub(r"\(.*", "", error) for error in tab.errors] == [
            "Failed to load resource: the server responded with a status of 401 ",
            "Failed to load resource: the server responded with a status of 403 ",
        ]
