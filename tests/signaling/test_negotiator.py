"""Descriptions become what the room understands, and an offer that is refused changes nothing."""

from dataclasses import replace

import pytest

from sfu.errors import LocalError, RemoteError
from sfu.room.events import NegotiationNeeded, RoomEvent
from sfu.room.participant import Participant
from sfu.room.permissions import Permissions
from sfu.wire.parameters import AV1, VP8
from sfu.wire.sdp import parse_sdp
from signaling.negotiator import PeerNegotiator
from signaling.subscriber_negotiator import SubscriberNegotiator
from tests.support.descriptions import sample
from tests.support.sessions import SessionServer

MIXED = sample("safari_mixed")
FINGERPRINT = "a=fingerprint:sha-256 E5"


class Room:
    """A room with one participant under test, and others that publish by announcement."""

    def __init__(self, **permissions: bool) -> None:
        self.server = SessionServer()
        self.events: list[RoomEvent] = []
        self.room = self.server.rooms.open("room", now=self.now)
        self.me = self.room.join(
            identity="me",
            permissions=replace(Permissions(), **permissions),
            listener=self.events.append,
            now=self.now,
        )

    @property
    def now(self) -> float:
        return self.server.now()

    def other(self, identity: str) -> Participant:
        return self.room.join(
            identity=identity, permissions=Permissions(), listener=lambda event: None, now=self.now
        )

    def negotiator(self, **options: bool) -> PeerNegotiator:
        return PeerNegotiator(self.server.media, self.me, **options)


def directions(sdp: str) -> dict[str, str]:
    """MID → direction of the living m-lines."""
    return {m.mid: m.direction for m in parse_sdp(sdp).media if not m.rejected}


def test_one_offer_may_publish_and_receive() -> None:
    room = Room()
    bob = room.other("bob")
    track = bob.add_track(kind="video", source="camera", now=room.now)
    negotiator = room.negotiator(receives=True, announces=True)
    answer = negotiator.answer(MIXED, now=room.now)
    assert directions(answer) == {
        "1": "recvonly",
        "3": "recvonly",
        "4": "sendonly",
        "5": "inactive",
    }
    assert sorted((t.kind, t.source) for t in room.me.tracks.values()) == [
        ("audio", "microphone"),
        ("video", "camera"),
    ]
    assert room.me.publisher is room.me.subscriber is negotiator.peer
    (slot,) = room.me.subscriptions.slots
    assert slot.subscription
    assert slot.subscription.track is track
    assert f"a=ssrc:{slot.identity.ssrc} " in answer


def test_who_may_not_receive_gets_nothing_and_who_may_not_publish_gives_nothing() -> None:
    deaf = Room(can_subscribe=False)
    answer = deaf.negotiator(receives=True, announces=True).answer(MIXED, now=deaf.now)
    assert directions(answer)["4"] == "inactive"
    mute = Room(can_publish=False)
    answer = mute.negotiator(receives=True, announces=True).answer(MIXED, now=mute.now)
    assert set(directions(answer).values()) == {"inactive", "sendonly"}
    assert not mute.me.tracks


def test_a_second_offer_keeps_the_peer_the_tracks_and_the_streams() -> None:
    room = Room()
    negotiator = room.negotiator(receives=True, announces=True)
    first = negotiator.answer(MIXED, now=room.now)
    peer, tracks = negotiator.peer, dict(room.me.tracks)
    second = negotiator.answer(MIXED, now=room.now)
    assert negotiator.peer is peer
    assert room.me.tracks == tracks
    assert [line for line in first.splitlines() if "ssrc" in line] == [
        line for line in second.splitlines() if "ssrc" in line
    ]


def test_new_credentials_restart_ice_on_the_same_peer() -> None:
    room = Room()
    negotiator = room.negotiator(announces=True)
    first = parse_sdp(negotiator.answer(MIXED, now=room.now)).media[1].ice
    peer = negotiator.peer
    again = MIXED.replace("ice-ufrag:nB7x", "ice-ufrag:nEw1")
    second = parse_sdp(negotiator.answer(again, now=room.now)).media[1].ice
    assert negotiator.peer is peer
    assert first != second
    assert peer
    assert second == peer.transport.local_ice
    assert first
    assert first.username_fragment in peer.transport.username_fragments


def test_a_new_certificate_is_a_new_peer_and_the_old_one_is_closed() -> None:
    room = Room()
    negotiator = room.negotiator(announces=True)
    negotiator.answer(MIXED, now=room.now)
    old, tracks = negotiator.peer, dict(room.me.tracks)
    negotiator.answer(MIXED.replace(FINGERPRINT, "a=fingerprint:sha-256 00"), now=room.now)
    assert old
    assert negotiator.peer is not old
    assert not old.alive
    assert room.server.core.endpoint.peers == [negotiator.peer]
    assert room.me.tracks == tracks, "the tracks go on under the new peer"


@pytest.mark.parametrize("fault", ["rtcp-mux", "group:BUNDLE", "fingerprint"])
def test_a_refused_offer_changes_nothing(fault: str) -> None:
    room = Room()
    negotiator = room.negotiator(announces=True)
    bad = "\r\n".join(line for line in MIXED.splitlines() if f"a={fault}" not in line) + "\r\n"
    with pytest.raises(RemoteError):
        negotiator.answer(bad, now=room.now)
    assert negotiator.peer is None
    assert not room.me.tracks
    assert not room.server.core.endpoint.peers


def test_m_lines_must_name_announced_tracks_of_their_kind() -> None:
    room = Room()
    negotiator = room.negotiator()
    video = room.me.add_track(kind="video", source="camera", now=room.now)
    for tracks, name in (
        ({"1": video.sid}, "bad_request"),  # mid 3 names none
        ({"1": video.sid, "3": "TR_none"}, "track_not_found"),
        ({"1": video.sid, "3": video.sid}, "bad_request"),  # audio is not video
    ):
        with pytest.raises(LocalError) as refusal:
            negotiator.answer(MIXED, tracks=tracks, now=room.now)
        assert refusal.value.name == name
    assert not room.server.core.endpoint.peers
    audio = room.me.add_track(kind="audio", source="microphone", now=room.now)
    negotiator.answer(MIXED, tracks={"1": video.sid, "3": audio.sid}, now=room.now)
    assert negotiator.peer in room.server.core.endpoint.peers


def answered(offer: str, *, reject: frozenset[str] = frozenset(), codec: str = "VP8") -> str:
    """What a receiver of one video codec answers to our offer."""
    lines = [
        "v=0",
        "o=- 7 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE " + " ".join(m.mid for m in parse_sdp(offer).media if m.mid not in reject),
    ]
    for media in parse_sdp(offer).media:
        payload_type = next(pt for pt, rtp in media.rtp_maps.items() if rtp.name == codec)
        port = 0 if media.mid in reject or media.rejected else 9
        lines += [
            f"m={media.kind} {port} UDP/TLS/RTP/SAVPF {payload_type}",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{media.mid}",
            "a=recvonly" if media.direction == "sendonly" else "a=inactive",
            "a=rtcp-mux",
            "a=ice-ufrag:them",
            "a=ice-pwd:0123456789abcdefghijklmn",
            FINGERPRINT + ":00" * 31,
            "a=setup:active",
            f"a=rtpmap:{payload_type} {codec}/90000",
        ]
    return "\r\n".join(lines) + "\r\n"


def test_one_offer_is_in_flight_and_the_rest_follows_in_the_next() -> None:
    room = Room()
    bob = room.other("bob")
    negotiator = SubscriberNegotiator(room.server.media, room.me)
    assert negotiator.offer(now=room.now) is None, "there is nothing to offer yet"
    first = bob.add_track(kind="video", source="camera", now=room.now)
    offer = negotiator.offer(now=room.now)
    assert offer
    assert list(offer.tracks.values()) == [first]
    second = bob.add_track(kind="video", source="screen_share", now=room.now)
    assert negotiator.offer(now=room.now) is None
    with pytest.raises(LocalError) as refusal:
        negotiator.accept(offer.number + 1, answered(offer.sdp), now=room.now)
    assert refusal.value.name == "conflict"
    room.events.clear()
    negotiator.accept(offer.number, answered(offer.sdp), now=room.now)
    assert any(isinstance(event, NegotiationNeeded) for event in room.events)
    following = negotiator.offer(now=room.now)
    assert following
    assert list(following.tracks.values()) == [first, second]
    assert [s.state for s in room.me.subscriptions] == ["active", "paused"]


def test_an_m_line_rests_for_one_offer_before_another_track_takes_it() -> None:
    room = Room()
    bob = room.other("bob")
    negotiator = SubscriberNegotiator(room.server.media, room.me)
    first = bob.add_track(kind="video", source="camera", now=room.now)
    offer = negotiator.offer(now=room.now)
    assert offer
    negotiator.accept(offer.number, answered(offer.sdp), now=room.now)
    ssrc = room.me.subscriptions.slots[0].identity.ssrc
    bob.remove_track(first.sid, now=room.now)
    offer = negotiator.offer(now=room.now)
    assert offer
    assert directions(offer.sdp) == {"0": "inactive"}
    assert not offer.tracks
    negotiator.accept(offer.number, answered(offer.sdp), now=room.now)
    second = bob.add_track(kind="video", source="camera", now=room.now)
    offer = negotiator.offer(now=room.now)
    assert offer
    assert directions(offer.sdp) == {"0": "sendonly"}
    assert offer.tracks == {"0": second}
    assert room.me.subscriptions.slots[0].identity.ssrc != ssrc


def test_a_rejected_m_line_fails_its_subscription_alone_and_is_recycled() -> None:
    room = Room()
    bob = room.other("bob")
    negotiator = SubscriberNegotiator(room.server.media, room.me)
    tracks = [bob.add_track(kind="video", now=room.now) for _ in range(2)]
    offer = negotiator.offer(now=room.now)
    assert offer
    negotiator.accept(offer.number, answered(offer.sdp, reject=frozenset({"0"})), now=room.now)
    states = [(s.state, s.reason) for s in room.me.subscriptions]
    assert states == [("failed", "codec_unsupported"), ("active", "")]
    bob.remove_track(tracks[0].sid, now=room.now)
    third = bob.add_track(kind="video", now=room.now)
    offers = [negotiator.offer(now=room.now)]
    assert offers[0]
    negotiator.accept(offers[0].number, answered(offers[0].sdp), now=room.now)
    assert third in offers[0].tracks.values()
    media = parse_sdp(offers[0].sdp).media
    assert len({m.mid for m in media}) == len(media)


def test_a_receiver_of_another_codec_is_told_so_when_the_codec_is_known() -> None:
    room = Room()
    bob = room.other("bob")
    track = bob.add_track(kind="video", now=room.now)
    track.codec = AV1
    negotiator = SubscriberNegotiator(room.server.media, room.me)
    offer = negotiator.offer(now=room.now)
    assert offer
    negotiator.accept(offer.number, answered(offer.sdp, codec=VP8.name), now=room.now)
    (subscription,) = room.me.subscriptions
    assert (subscription.state, subscription.reason) == ("failed", "codec_unsupported")


def test_a_restart_of_ice_is_a_new_offer_with_other_credentials() -> None:
    room = Room()
    room.other("bob").add_track(kind="video", now=room.now)
    negotiator = SubscriberNegotiator(room.server.media, room.me)
    with pytest.raises(LocalError) as refusal:
        negotiator.restart_ice(now=room.now)
    assert refusal.value.name == "negotiation_failed"
    first = negotiator.offer(now=room.now)
    assert first
    negotiator.restart_ice(now=room.now)
    second = negotiator.offer(now=room.now)
    assert second
    assert parse_sdp(first.sdp).media[0].ice != parse_sdp(second.sdp).media[0].ice


def test_tracks_beyond_what_one_description_may_have_wait_and_are_told_why() -> None:
    room = Room()
    room.me.subscriptions._max_slots = 2
    bob = room.other("bob")
    tracks = [bob.add_track(kind="video", now=room.now) for _ in range(3)]
    negotiator = SubscriberNegotiator(room.server.media, room.me)
    offer = negotiator.offer(now=room.now)
    assert offer
    assert list(offer.tracks.values()) == tracks[:2]
    last = room.me.subscriptions.get(tracks[2].sid)
    assert last
    assert (last.state, last.reason) == ("paused", "limit_reached")
    negotiator.accept(offer.number, answered(offer.sdp), now=room.now)
    bob.remove_track(tracks[0].sid, now=room.now)
    for _ in range(2):  # the m-line rests for one offer
        offer = negotiator.offer(now=room.now)
        assert offer
        negotiator.accept(offer.number, answered(offer.sdp), now=room.now)
    assert (last.state, last.reason) == ("active", "")
