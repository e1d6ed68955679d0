"""Answers a participant's offers: its descriptions to and from what the room understands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sfu.config import Config
from sfu.errors import LocalError
from sfu.room.endpoint import Endpoint
from sfu.room.events import MediaTarget
from sfu.room.participant import Participant
from sfu.room.peer import Peer
from sfu.room.permissions import Source
from sfu.room.subscription import Slot
from sfu.room.track import Track
from sfu.wire.parameters import IceParameters, Kind, ReceiveParameters, TransportParameters
from sfu.wire.sdp import MediaSection, SessionDescription, parse_sdp
from signaling.negotiation.answerer import Answer, answer
from signaling.negotiation.description import LocalTransport, SendSlot

# For the look at an offer that comes before a transport is chosen for it.
NOWHERE = LocalTransport(ice=IceParameters("none", "-" * 22), fingerprints=(), candidates=())
_NOTHING = SendSlot(stream_id="-", track_id="-", ssrc=0, rtx_ssrc=0, cname="-")

# What an m-line is taken to carry where no track was announced for it.
SOURCES: Mapping[Kind, Source] = {"audio": "microphone", "video": "camera"}


@dataclass(frozen=True, slots=True)
class Media:
    """What negotiators need of the server.

    Attributes:
        config: Limits.
        endpoint: Makes the peers.
        describe: Our end of a peer's transport, with today's candidates.
        open_channels: Gives a participant data channels over a peer that negotiated them.
    """

    config: Config
    endpoint: Endpoint
    describe: Callable[[Peer], LocalTransport]
    open_channels: Callable[[Participant, Peer], None]

    def parse(self, sdp: str) -> SessionDescription:
        """Parse a client's description.

        Raises:
            ParseError: It is malformed, or longer than may be.
        """
        return parse_sdp(
            sdp,
            max_size=self.config.max_sdp_size,
            max_media_sections=self.config.max_media_sections,
        )


class PeerNegotiator:
    """Answers the offers that a client makes for one of its peer connections.

    The client may publish, receive, or both, as its m-lines say and as we were told to let it.
    """

    def __init__(
        self,
        media: Media,
        participant: Participant,
        *,
        target: MediaTarget = "publisher",
        publishes: bool = True,
        receives: bool = False,
        announces: bool = False,
    ) -> None:
        """Nothing is negotiated before the first `answer`.

        Args:
            media: The server's means.
            participant: Whose peer connection it is.
            target: Which of the participant's peers it is.
            publishes: Whether m-lines on which the client sends are accepted.
            receives: Whether m-lines on which it wants to receive are filled.
            announces: Whether a sending m-line without an announced track gets one.
        """
        self._media = media
        self._participant = participant
        self._target = target
        self._publishes = publishes and participant.permissions.can_publish
        self._receives = receives and participant.permissions.can_subscribe
        self._announces = announces
        self._tracks: dict[str, str] = {}
        self.peer: Peer | None = None

    def answer(
        self,
        offered: str | SessionDescription,
        *,
        tracks: Mapping[str, str] | None = None,
        now: float,
    ) -> str:
        """Take an offer and answer it.

        Args:
            offered: The offer; parsed where the caller has done so, since that takes half a
                millisecond.
            tracks: MID → sid of the announced track that it carries.
            now: Monotonic seconds.

        Returns:
            The answer.

        Raises:
            ParseError: The offer is malformed.
            RemoteError: "negotiation_failed" or "codec_unsupported".
            LocalError: "track_not_found" or "bad_request": an m-line names no track of ours.
        """
        description = self._media.parse(offered) if isinstance(offered, str) else offered
        # Answering is a pure function, so we may answer for a look at what the offer means, and
        # again when its transport is decided: nothing is changed by an offer that is refused.
        glance = self._answer(description, NOWHERE, lambda _: _NOTHING)
        carried = self._carried(glance.receive, tracks or {}, now=now)
        peer = self._peer_for(glance.transport, now=now)
        agreed = self._answer(description, self._media.describe(peer), self._slot)
        peer.start(agreed.transport, now=now)
        peer.publisher.configure(agreed.receive, carried)
        if self._receives:
            subscriptions = self._participant.subscriptions
            subscriptions.retain([parameters.mid for parameters in agreed.send])
            for parameters in agreed.send:
                subscriptions.offered(
                    parameters.mid, parameters.kind, stream_id=self._participant.room.sid
                )
            subscriptions.agreed({p.mid: p for p in agreed.send}, now=now)
        if agreed.data_channel:
            self._media.open_channels(self._participant, peer)
        return agreed.sdp

    def _peer_for(self, told: TransportParameters, *, now: float) -> Peer:
        """The present peer, perhaps with new ICE credentials, or another one."""
        peer = self.peer
        remote = peer.remote if peer is not None and peer.alive else None
        if (
            peer is not None
            and remote is not None
            and (told.fingerprints, told.dtls_role) == (remote.fingerprints, remote.dtls_role)
        ):
            if told.ice != remote.ice:
                self._media.endpoint.restart_ice(peer, now=now)
            return peer
        participant = self._participant
        peer = self._media.endpoint.create_peer(f"{participant.sid}/{self._target}", now=now)
        participant.set_peer(self._target, peer, now=now)
        if self._receives and self._target == "publisher":
            participant.set_peer("subscriber", peer, now=now)
        self.peer = peer
        return peer

    def _answer(
        self,
        description: SessionDescription,
        local: LocalTransport,
        slots: Callable[[MediaSection], SendSlot | None],
    ) -> Answer:
        return answer(
            description,
            local,
            receive=self._publishes,
            slots=slots if self._receives else {},
            data=self._target == "publisher",
            config=self._media.config,
        )

    def _slot(self, section: MediaSection) -> SendSlot | None:
        if self._publishes and section.direction != "recvonly":
            # Who publishes says recvonly where it means to receive; sendrecv is what browsers
            # write for a camera when nobody told them better.
            return None
        kind: Kind = "audio" if section.kind == "audio" else "video"
        return send_slot(
            self._participant.subscriptions.offered(
                section.mid, kind, stream_id=self._participant.room.sid
            )
        )

    def _carried(
        self, sections: tuple[ReceiveParameters, ...], named: Mapping[str, str], *, now: float
    ) -> dict[str, Track]:
        """MID → the track that each accepted m-line carries."""
        carried: dict[str, Track] = {}
        for section in sections:
            sid = named.get(section.mid) or self._tracks.get(section.mid, "")
            track = self._participant.tracks.get(sid)
            if track is not None and track in carried.values():
                raise LocalError(f"two m-lines name the track {sid}")
            if track is None:
                if section.mid in named:
                    raise LocalError(f"you have no track {sid!r}", name="track_not_found")
                if not self._announces:
                    raise LocalError(
                        f"the m-line with mid {section.mid!r} names no track: add_track first, and "
                        "send its sid with the offer"
                    )
                track = self._participant.add_track(
                    kind=section.kind, source=SOURCES[section.kind], now=now
                )
            elif track.kind != section.kind:
                raise LocalError(f"{sid} is {track.kind}, its m-line is {section.kind}")
            carried[section.mid] = track
        self._tracks = {mid: track.sid for mid, track in carried.items()}
        return carried


def send_slot(slot: Slot) -> SendSlot:
    """What a description says of an m-line that we send on."""
    return SendSlot(
        stream_id=slot.stream_id,
        track_id=slot.track_id,
        ssrc=slot.identity.ssrc,
        rtx_ssrc=slot.identity.rtx_ssrc,
        cname=slot.identity.cname,
    )
