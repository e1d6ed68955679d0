"""A page that takes part in a room with our client library, and has no looks."""

from tests.support.chromium import Chromium, Tab
from tests.support.server import RunningServer

JOIN = """
async ({ room: name, identity, preferredCodec, publish }) => {
  const { Room } = await import("/client/room.js");
  const room = (window.room = new Room());
  window.problems = [];
  window.gone = [];
  room.on("error", (error) => problems.push(`${error.code}: ${error.message}`));
  room.on("participantleft", ({ participant }) => gone.push(participant.identity));
  room.on("tracksubscribed", ({ mediaStreamTrack }) => {
    const element = document.createElement(mediaStreamTrack.kind);
    element.autoplay = true;
    element.srcObject = new MediaStream([mediaStreamTrack]);
    document.body.append(element);
  });
  const url = location.origin.replace("http", "ws") + "/ws";
  await room.connect(url, { room: name, identity });
  if (!publish) return;
  const video = { width: 320, height: 240, frameRate: 10 };
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video });
  for (const track of media.getTracks()) {
    const source = track.kind === "audio" ? "microphone" : "camera";
    await room.publish(track, { source, preferredCodec });
  }
}
"""


async def enter(
    chromium: Chromium,
    server: RunningServer,
    identity: str,
    *,
    codec: str = "",
    publish: bool = True,
) -> Tab:
    """A tab in the room."""
    tab = await chromium.open(f"{server.url}/blank")
    await join(tab, identity, codec=codec, publish=publish)
    return tab


async def join(tab: Tab, identity: str, *, codec: str = "", publish: bool = True) -> None:
    await tab.evaluate(
        JOIN,
        {"room": "kitchen", "identity": identity, "preferredCodec": codec, "publish": publish},
    )
