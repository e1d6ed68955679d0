"""Participants that came by WebSocket: what of them outlives one WebSocket."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

from sfu.errors import LocalError
from sfu.room.participant import Participant
from signaling.limits import TokenBucket
from signaling.logs import get_logger
from signaling.negotiator import Media, PeerNegotiator
from signaling.subscriber_negotiator import SubscriberNegotiator

if TYPE_CHECKING:
    from signaling.session import Session

SECRET_SIZE = 16  # bytes; 128 bits cannot be guessed


class Member:
    """A participant, its negotiations, and the secret that lets it come back.

    Attributes:
        participant: In its room.
        publisher: Answers its offers.
        subscriber: Makes offers to it.
        secret: Whoever knows it may resume.
        data_rate: Of the data messages that it sends.
        session: Its present one; None while signaling is lost.
        log: With fields that tell who it is.
    """

    def __init__(
        self, participant: Participant, media: Media, session: Session, *, now: float
    ) -> None:
        self.participant = participant
        self.publisher = PeerNegotiator(media, participant)
        self.subscriber = SubscriberNegotiator(media, participant)
        self.secret = secrets.token_urlsafe(SECRET_SIZE)
        rate = media.config.max_data_rate
        self.data_rate = TokenBucket(rate=rate, burst=2 * rate, now=now)
        self.session: Session | None = session
        self.log = get_logger(__name__).bind(
            room=participant.room.name,
            identity=participant.identity,
            participant=participant.sid,
        )


class Members:
    """All members of one server, by sid, as long as they are in a room."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}

    def __len__(self) -> int:
        return len(self._members)

    def add(self, member: Member) -> None:
        """It has joined."""
        self._members[member.participant.sid] = member

    def remove(self, member: Member) -> None:
        """It is out of its room; nothing happens when that was known."""
        self._members.pop(member.participant.sid, None)

    def find(self, sid: str, secret: str) -> Member:
        """The member that knows this secret.

        Raises:
            LocalError: "resume_failed": it is not in a room any more, or the secret is wrong.
        """
        member = self._members.get(sid)
        known = member is not None and member.participant.present
        # One answer for both: nobody learns by it who is here.
        if member is None or not known or not _same(member.secret, secret):
            raise LocalError("There is nothing to resume: join again.", name="resume_failed")
        return member

    def detach(self, member: Member, *, now: float) -> None:
        """Its signaling was lost: it has the grace period to come back."""
        member.session = None
        participant = member.participant
        participant.detach(now=now)
        room = participant.room

        def check(_: float) -> None:
            if participant.sid in self._members and not participant.present:
                self.remove(member)
                member.log.info("participant did not come back")

        # Set after the participant's own timer of the same moment, it runs after that one.
        room.endpoint.timers.call_at(now + room.config.grace_period, check)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
