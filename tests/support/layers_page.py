"""A page that publishes layers as a test wants them, and receives as it asks to.

It speaks the protocol by itself, so that what it sends does not depend on our client library,
which only stops and starts the layers as the server tells.
"""

from typing import Any

from tests.support.chromium import Chromium, Tab
from tests.support.polling import until
from tests.support.server import RunningServer, ServerProcess

JOIN = """
async ({ identity, relay }) => {
  const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws");
  const pending = new Map();
  const request = (message) => new Promise((resolve, reject) => {
    const id = pending.size + 1;
    pending.set(id, { resolve, reject });
    socket.send(JSON.stringify({ ...message, id }));
  });
  // With the relay as the server's only candidate.
  const narrow = (sdp) => !relay ? sdp : sdp
    .replace(/a=candidate:.*\\r\\n/g, "")
    .replace(/a=ice-pwd:.*\\r\\n/g, (line) =>
      `${line}a=candidate:1 1 udp 2130706431 127.0.0.1 ${relay} typ host\\r\\n`);
  const page = (window.page = { request, track: "", wanted: [], stall: 0 });

  page.publish = async ({ codec, encodings, video }) => {
    const media = await navigator.mediaDevices.getUserMedia({ video });
    const connection = new RTCPeerConnection();
    const options = { direction: "sendonly", sendEncodings: encodings };
    const transceiver = connection.addTransceiver(media.getVideoTracks()[0], options);
    page.sender = transceiver.sender;
    const { codecs } = RTCRtpSender.getCapabilities("video");
    const first = codecs.filter(({ mimeType }) => mimeType === `video/${codec}`);
    const others = codecs.filter((one) => !first.includes(one));
    transceiver.setCodecPreferences([...first, ...others]);
    const { width, height } = video;
    const layers = encodings.length < 2 ? [] : encodings.map(
      ({ rid, scaleResolutionDownBy: by, maxBitrate }) => (
        { rid, width: width / by, height: height / by, bitrate: maxBitrate }));
    const { track } = await request(
      { type: "add_track", kind: "video", source: "camera", width, height, layers });
    await connection.setLocalDescription();
    const { sdp } = await request({
      type: "publisher_offer",
      sdp: connection.localDescription.sdp,
      tracks: { [transceiver.mid]: track.sid },
    });
    await connection.setRemoteDescription({ type: "answer", sdp: narrow(sdp) });
  };

  const receive = async ({ offer, sdp, tracks }) => {
    page.connection ??= new RTCPeerConnection();
    page.connection.ontrack = ({ track }) => {
      const element = document.createElement("video");
      element.autoplay = element.muted = true;
      element.srcObject = new MediaStream([track]);
      document.body.append(element);
    };
    await page.connection.setRemoteDescription({ type: "offer", sdp: narrow(sdp) });
    await page.connection.setLocalDescription();
    const answer = page.connection.localDescription.sdp;
    await request({ type: "subscriber_answer", offer, sdp: answer });
    for (const { track } of Object.values(tracks)) page.track = track;
  };

  const obey = async ({ layers }) => {
    page.wanted = layers;
    const { LayerSwitch } = await import("/client/encodings.js");
    page.switch ??= new LayerSwitch(page.sender);
    page.switch.set(page.wanted);
  };

  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "subscriber_offer") receive(message);
    if (message.type === "layers_wanted") obey(message);
    if (message.type === "media_report") page.report = message.status;
    const { resolve, reject } = pending.get(message.id) ?? {};
    if (message.type === "error") reject?.(new Error(message.message));
    else resolve?.(message);
  };
  await new Promise((resolve, reject) => {
    Object.assign(socket, { onopen: resolve, onerror: reject });
  });
  await request({ type: "join", room: "kitchen", identity });
  await request({ type: "watch_media", enabled: true });
}
"""

# The longest time in which no frame was decoded, in ms, since it was last asked for.
STALL = """
() => {
  if (!page.watching) {
    page.watching = true;
    let decoded = 0, since = performance.now();
    setInterval(async () => {
      const [video] = await statistics("inbound-rtp");
      const now = performance.now();
      if (video && video.framesDecoded !== decoded) {
        decoded = video.framesDecoded;
        since = now;
      }
      page.stall = Math.max(page.stall, now - since);
    }, 100);
  }
  const { stall } = page;
  page.stall = 0;
  return stall;
}
"""

SIZE = (960, 540)  # of less, Chromium sends no three layers
FRAME_RATE = 10  # what a busy machine encodes and decodes beside all else
RIDS = {"q": (4, 100_000), "h": (2, 250_000), "f": (1, 800_000)}


def simulcast(mode: str | None = None) -> list[dict[str, Any]]:
    """Three encodings, smallest first."""
    scalability = {"scalabilityMode": mode} if mode else {}
    return [
        {"rid": rid, "scaleResolutionDownBy": by, "maxBitrate": bitrate, **scalability}
        for rid, (by, bitrate) in RIDS.items()
    ]


def scalable(mode: str) -> list[dict[str, Any]]:
    """One encoding with layers of its own."""
    return [{"scalabilityMode": mode, "maxBitrate": 1_000_000}]


class Page:
    """A tab in the room."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    @classmethod
    async def join(
        cls,
        chromium: Chromium,
        server: RunningServer | ServerProcess,
        identity: str,
        *,
        relay: int = 0,
        page: str = "/blank",
    ) -> "Page":
        """A participant; its media goes to the relay's port where there is one.

        `page` is where on the server it sits, for servers that have no blank one.
        """
        tab = await chromium.open(f"{server.url}{page}")
        await tab.evaluate(JOIN, {"identity": identity, "relay": relay})
        return cls(tab)

    async def publish(
        self,
        codec: str,
        encodings: list[dict[str, Any]],
        *,
        size: tuple[int, int] = SIZE,
        frame_rate: int = FRAME_RATE,
    ) -> None:
        video = {"width": size[0], "height": size[1], "frameRate": frame_rate}
        await self.tab.evaluate(
            "(options) => page.publish(options)",
            {"codec": codec, "encodings": encodings, "video": video},
        )

    async def show(self, **settings: Any) -> None:
        """Tell how the track that is received is shown."""
        await self.tab.until("page.track", "a track is offered")
        await self.tab.evaluate(
            "(wish) => page.request({ type: 'track_settings', track: page.track, ...wish })",
            settings,
        )

    async def sent(self) -> dict[str, dict[str, Any]]:
        """What each encoding sends: statistics by rid."""
        found = await self.tab.statistics("outbound-rtp", kind="video")
        return {one.get("rid", ""): one for one in found}

    async def received(self) -> dict[str, Any]:
        """Statistics of the one video, empty before there are any."""
        found = await self.tab.statistics("inbound-rtp", kind="video")
        return found[0] if found else {}

    async def decodes(
        self, *widths: int, frames: int = 10, deadline: float = 40.0
    ) -> dict[str, Any]:
        """Wait until so many frames in a row had one of these widths; returns their statistics."""
        first: int | None = None

        async def check() -> dict[str, Any] | None:
            nonlocal first
            one = await self.received()
            if one.get("frameWidth") not in widths:
                first = None
            elif first is None:
                first = one["framesDecoded"]
            return one if first is not None and one["framesDecoded"] >= first + frames else None

        try:
            found: dict[str, Any] = await until(
                check, f"frames {widths} wide", deadline=deadline, interval=0.1
            )
        except TimeoutError as error:
            report = await self.tab.evaluate("page.report")
            raise TimeoutError(f"{error}; {report and report['tracks']}") from None
        return found

    async def longest_stall(self) -> float:
        """Seconds in which nothing was decoded, since this was called before."""
        return float(await self.tab.evaluate(STALL)) / 1000
