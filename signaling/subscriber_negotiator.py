"""Offers a participant what it receives, and takes its answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from sfu.errors import LocalError
from sfu.room.events import NegotiationNeeded
from sfu.room.participant import Participant
from sfu.room.track import Track
from signaling.negotiation.offerer import OfferSection, accept_answer, offer
from signaling.negotiator import Media, send_slot


@dataclass(frozen=True, slots=True)
class SubscriberOffer:
    """An offer to the client.

    Attributes:
        number: The client's answer names it.
        sdp: The description.
        tracks: MID → the track that it carries; idle m-lines are left out.
    """

    number: int
    sdp: str
    tracks: Mapping[str, Track]


class SubscriberNegotiator:
    """Offers a participant what it receives: one offer in flight, later changes in the next."""

    def __init__(self, media: Media, participant: Participant) -> None:
        self._media = media
        self._participant = participant
        self._number = 0
        self._sections: tuple[OfferSection, ...] | None = None
        self._again = False

    def offer(self, *, now: float) -> SubscriberOffer | None:
        """The next offer; None when there is nothing to tell, or one is in flight already.

        Raises:
            LimitError: "server_full".
        """
        if self._sections is not None:
            self._again = True
            return None
        participant = self._participant
        peer = participant.subscriber
        slots = participant.subscriptions.slots
        if not slots and not len(participant.subscriptions):
            return None
        if peer is None:
            peer = self._media.endpoint.create_peer(f"{participant.sid}/subscriber", now=now)
            participant.set_peer("subscriber", peer, now=now)
        elif not peer.alive:
            return None  # the client was told, and has to join again
        slots = list(participant.subscriptions.plan())
        self._sections = tuple(
            OfferSection(
                slot.mid,
                slot.kind,
                send_slot(slot) if slot.subscription and not slot.stopped else None,
                stopped=slot.stopped,
            )
            for slot in slots
        )
        self._number += 1
        sdp = offer(
            self._sections,
            self._media.describe(peer),
            session_id=1,
            session_version=self._number,
        )
        tracks = {
            slot.mid: slot.subscription.track
            for slot in slots
            if slot.subscription and not slot.stopped
        }
        return SubscriberOffer(self._number, sdp, tracks)

    def accept(self, number: int, sdp: str, *, now: float) -> None:
        """Take the client's answer to offer `number`.

        Raises:
            ParseError: The answer is malformed.
            RemoteError: "negotiation_failed".
            LocalError: "conflict": that offer is not the one in flight.
        """
        if self._sections is None or number != self._number:
            raise LocalError(f"offer {number} is not the one in flight", name="conflict")
        peer = self._participant.subscriber
        assert peer is not None
        # An answer that is refused leaves the offer in flight: the client may answer again.
        result = accept_answer(sdp, self._sections, self._media.config)
        if result.transport is not None:
            peer.start(result.transport, now=now)
        self._sections = None
        self._participant.subscriptions.agreed(result.send, result.rejected, now=now)
        if self._again:
            self._again = False
            self._participant.notify(NegotiationNeeded())

    def restart_ice(self, *, now: float) -> None:
        """The client wants a new path: the next offer has new credentials.

        Raises:
            LocalError: "negotiation_failed": the transport is gone, join again.
        """
        peer = self._participant.subscriber
        if peer is None or not peer.alive:
            raise LocalError(
                "there is no connection left to restart: join again", name="negotiation_failed"
            )
        self._media.endpoint.restart_ice(peer, now=now)
        self.renew()

    def renew(self) -> None:
        """What was in flight may be lost (signaling was): offer again."""
        self._sections = None
        self._again = False
        self._participant.notify(NegotiationNeeded())
