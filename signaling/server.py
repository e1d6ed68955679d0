"""The media side of the server: built once, used by every kind of signaling."""

from collections.abc import Sequence
from ipaddress import ip_address

import ifaddr

from recorder.link.supervisor import RecorderSupervisor
from recorder.manager import RecordingManager
from recorder.repairs import Repairs
from sfu.config import Config
from sfu.errors import LimitError
from sfu.net.worker import Worker
from sfu.room.peer import Peer
from sfu.room.rooms import Rooms
from signaling.health import Health, health_of
from signaling.negotiation.candidates import IceCandidate, host_candidates
from signaling.negotiation.description import LocalTransport
from signaling.negotiator import Media
from signaling.recording_log import log_recording


class MediaServer:
    """A running worker and what signaling needs to know of it.

    Attributes:
        config: All settings.
        worker: Sockets, clock, endpoint.
        rooms: All rooms.
        media: For negotiators.
        recordings: Those that run, and those that are kept.
    """

    def __init__(self, config: Config) -> None:
        """Use `start`."""
        self.config = config
        self.worker = Worker(config)
        self.rooms: Rooms = self.worker.rooms
        self._candidates: tuple[IceCandidate, ...] = ()
        self._fingerprints = (self.worker.endpoint.certificate.fingerprint(),)
        self.media = Media(
            config=config,
            endpoint=self.worker.endpoint,
            describe=self._describe,
            open_channels=self.worker.open_channels,
        )
        endpoint = self.worker.endpoint
        self.recordings = RecordingManager(
            config,
            make_recorder=RecorderSupervisor,
            repairs=Repairs(),
            identify=lambda: endpoint.identifiers.sid("RC"),
            clock=lambda: self.now() + endpoint.wall_offset,
        )
        self.recordings.on_changed.append(log_recording)
        self.rooms.on_opened = self.recordings.open_room

    @classmethod
    async def start(cls, config: Config) -> "MediaServer":
        """Open the media ports.

        Raises:
            OSError: A port is in use, or an address is not ours.
            LocalError: No address that clients could reach.
        """
        server = cls(config)
        await server.worker.start()
        server._candidates = host_candidates(
            config.announce or reachable_addresses(config.media_hosts),
            udp_port=server.worker.udp.port,
            tcp_port=None if server.worker.tcp is None else server.worker.tcp.port,
        )
        await server.recordings.open()
        return server

    def now(self) -> float:
        """Monotonic seconds."""
        return self.worker.now()

    def health(self) -> Health:
        """How it does, for operators."""
        return health_of(self.worker)

    def check_capacity(self) -> None:
        """Make sure that one more transport can be set up, before that changes anything.

        Raises:
            LimitError: "server_full".
        """
        if self.worker.endpoint.pending >= self.config.max_pending_transports:
            raise LimitError(
                "Too many connections are being set up: try again.", name="server_full"
            )

    async def close(self) -> None:
        """Finish all recordings, close all rooms and ports."""
        await self.recordings.close()
        await self.worker.close()

    def _describe(self, peer: Peer) -> LocalTransport:
        return LocalTransport(
            ice=peer.transport.local_ice,
            fingerprints=self._fingerprints,
            candidates=self._candidates,
        )


def reachable_addresses(hosts: Sequence[str]) -> tuple[str, ...]:
    """Addresses that candidates can show for the addresses that we listen on.

    A wildcard stands for the addresses of all interfaces: link-local ones are left out, and
    loopback ones too unless there is nothing else.
    """
    addresses: list[str] = []
    for host in hosts:
        address = ip_address(host)
        if not address.is_unspecified:
            addresses.append(str(address))
            continue
        found = []
        for adapter in ifaddr.get_adapters():
            for ip in adapter.ips:
                text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
                candidate = ip_address(text.partition("%")[0])
                if candidate.version == address.version and not candidate.is_link_local:
                    found.append(candidate)
        outside = [candidate for candidate in found if not candidate.is_loopback]
        addresses += [str(candidate) for candidate in outside or found]
    return tuple(dict.fromkeys(addresses))
