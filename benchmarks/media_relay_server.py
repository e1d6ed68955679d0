"""The straightforward way to a room with aiortc: decode what comes in once, encode it per viewer.

    python -m benchmarks.media_relay_server [--host HOST] [--port PORT]

A WHIP and WHEP server out of aiortc's RTCPeerConnection and MediaRelay, to compare with.
"""

import argparse
import asyncio
import secrets

import aioice.ice
from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

DISCARD_PORT = 9  # RFC 863: nobody answers there


class Rooms:
    """Tracks by room, and the peer connections that carry them."""

    def __init__(self) -> None:
        self._relay = MediaRelay()
        self._tracks: dict[str, list[MediaStreamTrack]] = {}
        self._peers: dict[str, RTCPeerConnection] = {}

    def routes(self) -> list[web.RouteDef]:
        """WHIP (RFC 9725) and WHEP, as far as a load needs them."""
        return [
            web.post("/whip/{room}", self._publish),
            web.post("/whep/{room}", self._view),
            web.delete("/resource/{resource}", self._end),
        ]

    async def _publish(self, request: web.Request) -> web.Response:
        peer = _peer()
        tracks = self._tracks.setdefault(request.match_info["room"], [])

        @peer.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            tracks.append(track)
            track.on("ended", lambda: tracks.remove(track))

        return await self._answer(peer, await _offer(request))

    async def _view(self, request: web.Request) -> web.Response:
        peer = _peer()
        offer = await _offer(request)
        await peer.setRemoteDescription(offer)
        for track in self._tracks.get(request.match_info["room"], ()):
            peer.addTrack(self._relay.subscribe(track))
        return await self._answer(peer, None)

    async def _answer(
        self, peer: RTCPeerConnection, offer: RTCSessionDescription | None
    ) -> web.Response:
        resource = secrets.token_urlsafe(12)
        self._peers[resource] = peer

        @peer.on("connectionstatechange")
        async def on_state_change() -> None:
            if peer.connectionState in ("failed", "closed"):
                await self._close(resource)

        if offer is not None:
            await peer.setRemoteDescription(offer)
        await peer.setLocalDescription(await peer.createAnswer())
        return web.Response(
            status=201,
            text=peer.localDescription.sdp,
            content_type="application/sdp",
            headers={"Location": f"/resource/{resource}", "ETag": '"1"'},
        )

    async def _end(self, request: web.Request) -> web.Response:
        await self._close(request.match_info["resource"])
        return web.Response()

    async def _close(self, resource: str) -> None:
        peer = self._peers.pop(resource, None)
        if peer is not None:
            await peer.close()

    async def close(self) -> None:
        """End all sessions."""
        await asyncio.gather(*(self._close(resource) for resource in list(self._peers)))


def _peer() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))  # nobody on the Internet is asked


async def _offer(request: web.Request) -> RTCSessionDescription:
    text = await request.text()
    if "a=candidate" not in text:
        # aioice gives up at once where it has nobody to check. This keeps it waiting for the check
        # of a client that, as WHIP allows, tells no candidates.
        candidate = f"a=candidate:1 1 udp 1 {request.remote} {DISCARD_PORT} typ host\r\n"
        head, *sections = text.split("m=")
        text = "m=".join([head, *(section + candidate for section in sections)])
    return RTCSessionDescription(sdp=text, type="offer")


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A naive room server, to compare with.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    # aioice would offer all addresses but the loopback ones.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [arguments.host]  # noqa: ARG005
    rooms = Rooms()
    app = web.Application()
    app.add_routes(rooms.routes())

    async def close(_: web.Application) -> None:
        await rooms.close()

    app.on_shutdown.append(close)
    web.run_app(app, host=arguments.host, port=arguments.port)


if __name__ == "__main__":
    main()
