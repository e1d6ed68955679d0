"""A WHIP or WHEP client that costs almost nothing: no decoder, no jitter buffer, no decryption.

It does what it must (one ICE check, a DTLS handshake, consent) with our own transport code, sends
ready-made RTP, and counts what arrives by the RTP headers, which SRTP leaves in the clear.
"""

import asyncio
import os
import socket
import time
from struct import unpack_from

import aiohttp

from sfu.transport.address import Address
from sfu.transport.demultiplexer import is_dtls, is_stun
from sfu.transport.dtls import Certificate, DtlsConnection
from sfu.transport.outbox import Outbox
from sfu.transport.srtp import SrtpSession
from sfu.wire.parameters import IceParameters
from sfu.wire.rtcp import PictureLossIndication, parse_compound
from sfu.wire.sdp import parse_sdp
from sfu.wire.stun import binding_request

CONSENT_INTERVAL = 5.0  # s; RFC 7675 5.1

OFFER = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=ice-ufrag:{ufrag}
a=ice-pwd:{password}
a=fingerprint:sha-256 {fingerprint}
a=setup:active
m=video 9 UDP/TLS/RTP/SAVPF 96 97
c=IN IP4 0.0.0.0
a=mid:0
a={direction}
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
"""


class LeanClient:
    """One WHIP publisher or WHEP viewer.

    Attributes:
        packets: RTP packets received.
        octets: Their bytes, as they came.
        sequence_numbers: Of the stream with most packets: how many different numbers came.
        key_frames_wanted: How often we were asked for a key frame.
    """

    _certificate: Certificate | None = None  # a key is slow to make, and one serves all

    def __init__(self, url: str, *, publishes: bool) -> None:
        """`url` is that of the WHIP or WHEP endpoint."""
        self.url = url
        self.publishes = publishes
        self.packets = 0
        self.octets = 0
        self.highest = -1
        self.first = -1
        self.key_frames_wanted = 0
        LeanClient._certificate = LeanClient._certificate or Certificate.generate()
        self._ice = IceParameters(os.urandom(4).hex(), os.urandom(12).hex())
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._buffer = bytearray(2048)
        self._dtls: DtlsConnection | None = None
        self._srtp: SrtpSession | None = None
        self._outbox = Outbox(1 << 20)
        self._connected = asyncio.Event()
        self._remote: IceParameters | None = None
        self._address = ("", 0)
        self._resource = ""
        self._consent: asyncio.TimerHandle | None = None

    async def start(self, http: aiohttp.ClientSession) -> None:
        """Negotiate and connect.

        Raises:
            RuntimeError: The server refused the offer.
            TimeoutError: The transport did not connect within 10 s.
        """
        certificate = LeanClient._certificate
        assert certificate is not None
        offer = OFFER.format(
            ufrag=self._ice.username_fragment,
            password=self._ice.password,
            fingerprint=certificate.fingerprint().value,
            direction="sendonly" if self.publishes else "recvonly",
        ).replace("\n", "\r\n")
        headers = {"Content-Type": "application/sdp"}
        async with http.post(self.url, data=offer, headers=headers) as response:
            text = await response.text()
            if response.status != 201:
                raise RuntimeError(f"{self.url}: {response.status} {text}")
            self._resource = response.headers["Location"]
        answer = parse_sdp(text, max_size=1 << 16, max_media_sections=4)
        section = answer.media[0]
        assert section.ice is not None
        self._remote = section.ice
        candidate = next(
            line.split() for line in text.splitlines() if line.startswith("a=candidate")
        )
        self._address = (candidate[4], int(candidate[5]))
        self._dtls = DtlsConnection(certificate, role="client", fingerprints=section.fingerprints)
        self._socket.connect(self._address)
        asyncio.get_running_loop().add_reader(self._socket, self._readable)
        self._check()
        await asyncio.wait_for(self._connected.wait(), 10)

    def close(self) -> None:
        """Close the socket; the server notices by its timeout."""
        if self._consent:
            self._consent.cancel()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _check(self) -> None:
        assert self._remote is not None
        self._socket.send(
            binding_request(
                transaction_id=os.urandom(12),
                username=f"{self._remote.username_fragment}:{self._ice.username_fragment}",
                password=self._remote.password,
                priority=1,
                controlling=1,
                use_candidate=True,
            )
        )
        delay = CONSENT_INTERVAL if self._connected.is_set() else 0.2
        self._consent = asyncio.get_running_loop().call_later(delay, self._check)

    def _readable(self) -> None:
        buffer, receive = self._buffer, self._socket.recv_into
        while True:
            try:
                size = receive(buffer)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                return  # the server is gone; whoever measures will see it
            if buffer[0] >= 128 and not 192 <= buffer[1] <= 223:
                self.packets += 1
                self.octets += size
                (number,) = unpack_from("!H", buffer, 2)
                self._count(number)
            else:
                self._receive_control(bytes(buffer[:size]))

    def _count(self, number: int) -> None:
        if self.highest < 0:
            self.highest = self.first = number
        else:
            ahead = (number - self.highest) & 0xFFFF
            if ahead < 0x8000:
                self.highest += ahead

    @property
    def expected(self) -> int:
        """How many packets the sequence numbers say that there were."""
        return self.highest - self.first + 1 if self.highest >= 0 else 0

    def _receive_control(self, data: bytes) -> None:
        dtls = self._dtls
        assert dtls is not None
        if is_stun(data[0]):
            if self._srtp is None:
                dtls.start(now=time.monotonic())
        elif is_dtls(data[0]):
            dtls.receive(data, now=time.monotonic())
            if dtls.state == "connected" and self._srtp is None:
                self._srtp = dtls.srtp_session()
                self._connected.set()
        elif self._srtp is not None and self.publishes:
            plain = self._srtp.unprotect_rtcp(data)
            if plain is not None:
                for packet in parse_compound(plain):
                    self.key_frames_wanted += isinstance(packet, PictureLossIndication)
        for datagram in dtls.datagrams():
            self._socket.send(datagram)

    def send(self, packets: list[bytes]) -> None:
        """Protect RTP packets and send them back to back."""
        srtp, outbox = self._srtp, self._outbox
        assert srtp is not None
        sizes = [len(packet) for packet in packets]
        start = position = outbox.reserve(sum(sizes) + len(sizes) * srtp.overhead)
        for packet, size in zip(packets, sizes, strict=True):
            outbox.view[position : position + size] = packet
            position += size + srtp.overhead
        srtp.protect_run(outbox.base, start, sizes)
        outbox.commit(Address("", 0), start, [size + srtp.overhead for size in sizes])
        for _, datagram in outbox.datagrams():
            try:
                self._socket.send(datagram)
            except BlockingIOError:
                return
