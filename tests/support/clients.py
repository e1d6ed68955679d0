"""Clients of the server in Python: the signaling protocol, WHIP and WHEP, with aiortc's media."""

import asyncio
import base64
import itertools
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urljoin

import aiohttp
import aioice.ice
import jwt
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)

from tests.support.media import Sink
from tests.support.polling import until
from tests.support.server import API_KEY, API_SECRET, websocket_url

Message = dict[str, Any]
Rewrite = Callable[[str], str]


def has_ipv6() -> bool:
    """Whether this machine has the IPv6 loopback address."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _loopback_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    return ["127.0.0.1"] * use_ipv4 + ["::1"] * (use_ipv6 and has_ipv6())


aioice.ice.get_host_addresses = _loopback_addresses  # aioice would leave these very ones out


def access_token(identity: str, *, lifetime: float = 600, **grants: Any) -> str:
    """A token as applications make it; `grants` is the `video` claim."""
    claims = {
        "iss": API_KEY,
        "sub": identity,
        "exp": int(time.time() + lifetime),
        "video": grants,
    }
    return jwt.encode(claims, API_SECRET, algorithm="HS256")


def peer_connection() -> RTCPeerConnection:
    """A peer connection that asks nobody on the Internet who it is."""
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def prefer(connection: RTCPeerConnection, mime_type: str) -> None:
    """Offer only this codec (and its retransmission) for what the connection sends of its kind."""
    kind = mime_type.split("/")[0]
    codecs = [
        codec
        for codec in RTCRtpSender.getCapabilities(kind).codecs
        if codec.mimeType.lower() in (mime_type.lower(), f"{kind}/rtx")
    ]
    for transceiver in connection.getTransceivers():
        if transceiver.kind == kind:
            transceiver.setCodecPreferences(codecs)


class ServerError(Exception):
    """The server refused a request.

    Attributes:
        name: The machine name of the error.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class Client:
    """A participant: one WebSocket, one peer connection to publish and one to subscribe.

    Attributes:
        participant: Our own description, from `joined`.
        participants: The others' descriptions by sid, kept up to date.
        events: All that the server sent unasked, oldest first.
        sinks: Track sid → what is received of it.
        states: Track sid → the newest `subscription_changed`.
        data: Messages that came over the data channels and the WebSocket.
        rewrite: Applied to every description of the server.
    """

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Message]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._secret = ""
        self._token = ""
        self._mids: dict[str, Sink] = {}
        self._published: dict[str, str] = {}
        self.participant: Message = {}
        self.participants: dict[str, Message] = {}
        self.joined: Message = {}
        self.events: list[Message] = []
        self.close_code: int | None = None
        self.publisher = peer_connection()
        self.subscriber: RTCPeerConnection | None = None
        self.channels: dict[str, Any] = {}
        self.data: list[Message] = []
        self.sinks: dict[str, Sink] = {}
        self.states: dict[str, Message] = {}
        self.rewrite: Rewrite = lambda sdp: sdp

    # -- signaling

    async def _open(self) -> None:
        self._socket = await self._http.ws_connect(self._url)
        self.close_code = None
        self._reader = asyncio.create_task(self._read(self._socket))

    async def _read(self, web_socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for text in web_socket:
                message = json.loads(text.data)
                if "id" in message:
                    self._replies.pop(message["id"]).set_result(message)
                else:
                    self.events.append(message)
                    await self._handle(message)
        finally:
            self.close_code = web_socket.close_code
            for reply in self._replies.values():
                reply.set_exception(ConnectionError(f"closed with {web_socket.close_code}"))
            self._replies.clear()

    async def request(self, type: str, **fields: Any) -> Message:
        """Send a request and return its reply; ServerError where it is refused."""
        assert self._socket is not None
        number = next(self._ids)
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"type": type, "id": number, **fields})
        message = await asyncio.wait_for(reply, 15)
        if message["type"] == "error":
            raise ServerError(message["error"], message["message"])
        return message

    async def join(self, room: str = "", identity: str = "", **fields: Any) -> Message:
        """Enter a room."""
        await self._open()
        self._token = fields.get("token", "")
        named = {k: v for k, v in (("room", room), ("identity", identity)) if v}
        return self._take_snapshot(await self.request("join", **named, **fields))

    async def resume(self) -> Message:
        """Go on after `drop`."""
        await self._open()
        token = {"token": self._token} if self._token else {}
        return self._take_snapshot(
            await self.request("resume", sid=self.participant["sid"], secret=self._secret, **token)
        )

    def _take_snapshot(self, joined: Message) -> Message:
        assert joined["type"] == "joined"
        self.joined = joined
        self.participant = joined["participant"]
        self._secret = joined["resume_secret"]
        self.participants = {one["sid"]: one for one in joined["participants"]}
        return joined

    async def drop(self) -> None:
        """Lose the WebSocket without a word, as on a broken network."""
        assert self._socket is not None
        assert self._reader is not None
        connection = self._socket._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.abort()
        await self._reader

    async def leave(self) -> None:
        await self.request("leave")

    async def _handle(self, event: Message) -> None:
        match event["type"]:
            case "participant_joined" | "participant_updated":
                self.participants[event["participant"]["sid"]] = event["participant"]
            case "participant_left":
                self.participants.pop(event["participant"], None)
            case "track_published" | "track_updated":
                tracks = self._tracks_of(event["participant"])
                tracks[:] = [t for t in tracks if t["sid"] != event["track"]["sid"]]
                tracks.append(event["track"])
            case "track_unpublished":
                tracks = self._tracks_of(event["participant"])
                tracks[:] = [t for t in tracks if t["sid"] != event["track"]]
            case "subscriber_offer":
                await self._answer(event)
            case "subscription_changed":
                self.states[event["track"]] = event
            case "data":
                self.data.append(event)

    def _tracks_of(self, sid: str) -> list[Message]:
        owner = self.participant if sid == self.participant["sid"] else self.participants.get(sid)
        return owner["tracks"] if owner else []

    def event(self, type: str, **fields: Any) -> Message | None:
        """The newest event of this type that has these fields."""
        for event in reversed(self.events):
            if event["type"] == type and fields.items() <= event.items():
                return event
        return None

    async def wait_for(self, type: str, *, deadline: float = 15.0, **fields: Any) -> Message:
        """That event, as soon as it has come."""
        return await until(
            lambda: self.event(type, **fields), f"{type} with {fields}", deadline=deadline
        )

    # -- publishing

    async def publish(
        self, *tracks: MediaStreamTrack, codec: str = "", **announcement: Any
    ) -> list[str]:
        """Announce and send tracks; returns their sids."""
        sids = []
        for track in tracks:
            source = {"audio": "microphone", "video": "camera"}[track.kind]
            added = await self.request(
                "add_track", **{"kind": track.kind, "source": source, **announcement}
            )
            self._published[track.id] = added["track"]["sid"]
            sids.append(added["track"]["sid"])
            self.publisher.addTrack(track)
        if codec:
            prefer(self.publisher, codec)
        await self.offer()
        return sids

    async def offer(self) -> None:
        """Offer what the publisher connection has, once more or for the first time."""
        await self.publisher.setLocalDescription(await self.publisher.createOffer())
        tracks = {
            transceiver.mid: self._published[transceiver.sender.track.id]
            for transceiver in self.publisher.getTransceivers()
            if transceiver.sender.track is not None
        }
        reply = await self.request(
            "publisher_offer", sdp=self.publisher.localDescription.sdp, tracks=tracks
        )
        await self.publisher.setRemoteDescription(
            RTCSessionDescription(self.rewrite(reply["sdp"]), "answer")
        )

    async def open_channels(self) -> None:
        """Create both data channels, offer them and wait until they are open."""
        for label, options in (
            ("reliable", {"ordered": True}),
            ("lossy", {"ordered": False, "maxRetransmits": 0}),
        ):
            channel = self.channels[label] = self.publisher.createDataChannel(label, **options)
            channel.on("message", lambda text: self.data.append(json.loads(text)))
        await self.offer()
        for channel in self.channels.values():
            await until(
                lambda channel=channel: channel.readyState == "open", f"{channel.label} opens"
            )

    def send_data(self, payload: bytes, *, reliable: bool = True, **fields: Any) -> None:
        """Send a message over the data channel of that kind."""
        message = {"type": "send_data", "payload": base64.b64encode(payload).decode(), **fields}
        self.channels["reliable" if reliable else "lossy"].send(
            json.dumps({**message, "reliable": reliable})
        )

    # -- subscribing

    async def _answer(self, event: Message) -> None:
        connection = self.subscriber
        if connection is None:
            connection = self.subscriber = peer_connection()
        await connection.setRemoteDescription(
            RTCSessionDescription(self.rewrite(event["sdp"]), "offer")
        )
        await connection.setLocalDescription(await connection.createAnswer())
        for mid, carried in event["tracks"].items():
            if mid not in self._mids:
                transceiver = next(t for t in connection.getTransceivers() if t.mid == mid)
                self._mids[mid] = Sink(transceiver.receiver.track)
            self.sinks[carried["track"]] = self._mids[mid]
        assert self._socket is not None
        # The test may have ended, and closed the socket, while we were busy answering.
        with suppress(aiohttp.ClientConnectionResetError):
            await self._socket.send_json(
                {
                    "type": "subscriber_answer",
                    "offer": event["offer"],
                    "sdp": connection.localDescription.sdp,
                }
            )

    async def received(self, sid: str, *, frames: int = 1, deadline: float = 15.0) -> Sink:
        """What arrives of a track, once that many more frames of it have been decoded."""
        sink = await until(lambda: self.sinks.get(sid), f"{sid} is offered", deadline=deadline)
        target = sink.frames + frames
        await until(
            lambda: sink.frames >= target,
            f"{frames} more frames of {sid}",
            deadline=deadline,
        )
        return sink

    async def close(self) -> None:
        """End everything, without leaving the room."""
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader
        for sink in self._mids.values():
            await sink.close()
        await self.publisher.close()
        if self.subscriber is not None:
            await self.subscriber.close()


class _HttpPeer:
    """What WHIP and WHEP have in common: one offer, one answer, one resource."""

    def __init__(self, url: str, http: aiohttp.ClientSession, token: str = "") -> None:
        self.url = url
        self.connection = peer_connection()
        self.resource = ""
        self.etag = ""
        self.rewrite: Rewrite = lambda sdp: sdp
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def _negotiate(self) -> None:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        async with self._http.post(
            self.url,
            data=self.connection.localDescription.sdp,
            headers={"Content-Type": "application/sdp", **self._headers},
        ) as response:
            text = await response.text()
            if response.status != 201:
                raise ServerError(str(response.status), text)
            assert response.content_type == "application/sdp"
            self.resource = urljoin(self.url, response.headers["Location"])
            self.etag = response.headers["ETag"]
        await self.connection.setRemoteDescription(
            RTCSessionDescription(self.rewrite(text), "answer")
        )

    async def delete(self) -> int:
        """End the session; returns the status."""
        async with self._http.delete(self.resource, headers=self._headers) as response:
            return response.status

    async def close(self) -> None:
        await self.connection.close()


class WhipClient(_HttpPeer):
    """Publishes over HTTP (RFC 9725)."""

    async def publish(self, *tracks: MediaStreamTrack, codec: str = "") -> None:
        for track in tracks:
            self.connection.addTransceiver(track, direction="sendonly")
        if codec:
            prefer(self.connection, codec)
        await self._negotiate()


class WhepClient(_HttpPeer):
    """Watches over HTTP (draft-ietf-wish-whep).

    Attributes:
        sinks: Kind → what is received of it.
    """

    def __init__(self, url: str, http: aiohttp.ClientSession, token: str = "") -> None:
        super().__init__(url, http, token)
        self.sinks: dict[str, Sink] = {}

    async def watch(self, *kinds: str) -> None:
        receivers = [
            self.connection.addTransceiver(kind, direction="recvonly").receiver for kind in kinds
        ]
        await self._negotiate()
        self.sinks = {receiver.track.kind: Sink(receiver.track) for receiver in receivers}

    async def close(self) -> None:
        for sink in self.sinks.values():
            await sink.close()
        await super().close()


class Clients:
    """Makes clients of one server and closes them all."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http
        self._all: list[Client | WhipClient | WhepClient] = []

    async def join(self, room: str = "", identity: str = "", **fields: Any) -> Client:
        """A client that has joined."""
        client = self.client()
        await client.join(room, identity, **fields)
        return client

    def client(self) -> Client:
        """A client that has done nothing yet."""
        client = Client(websocket_url(self.url), self.http)
        self._all.append(client)
        return client

    def whip(self, room: str, *, token: str = "") -> WhipClient:
        client = WhipClient(f"{self.url}/whip/{room}", self.http, token)
        self._all.append(client)
        return client

    def whep(self, room: str, *, token: str = "", **query: str) -> WhepClient:
        text = "".join(f"{'&' if i else '?'}{k}={v}" for i, (k, v) in enumerate(query.items()))
        client = WhepClient(f"{self.url}/whep/{room}{text}", self.http, token)
        self._all.append(client)
        return client

    async def close(self) -> None:
        for client in self._all:
            await client.close()


@asynccontextmanager
async def clients_of(url: str) -> AsyncIterator[Clients]:
    """Clients of the server at `url`."""
    async with aiohttp.ClientSession() as http:
        clients = Clients(url, http)
        try:
            yield clients
        finally:
            await clients.close()
