"""Session descriptions ↔ parameters: pure functions, and all the SDP that we write (RFC 8829).

the peer offers   `answer(offer, local, …)` → Answer          publishers, WHIP, WHEP
we offer          `offer(sections, local, …)` → text          subscribers
                  `accept_answer(sdp, sections, …)` → OfferResult
"""

from signaling.negotiation.answerer import Answer, Slots, answer
from signaling.negotiation.candidates import IceCandidate, host_candidates
from signaling.negotiation.description import LocalTransport, SendSlot
from signaling.negotiation.offerer import OfferResult, OfferSection, accept_answer, offer

__all__ = [
    "Answer",
    "IceCandidate",
    "LocalTransport",
    "OfferResult",
    "OfferSection",
    "SendSlot",
    "Slots",
    "accept_answer",
    "answer",
    "host_candidates",
    "offer",
]
