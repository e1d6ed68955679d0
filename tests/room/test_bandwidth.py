"""What is known of a path begins with what its client has agreed to tell."""

from sfu.room.bandwidth import MAXIMUM, START, Bandwidth
from sfu.room.media_settings import TrackSettings
from sfu.wire.parameters import VP8
from tests.support.virtual_room import VirtualServer


def bandwidth() -> Bandwidth:
    server = VirtualServer()
    return server.endpoint.create_peer("peer", now=server.time.now).subscriber.bandwidth


def test_who_tells_nothing_but_losses_gets_everything() -> None:
    path = bandwidth()
    path.begin(transport_cc=False, remb=False, now=0.0)
    assert path.estimator.estimate == MAXIMUM
    assert not path.fed


def test_feedback_that_is_agreed_on_later_begins_low_all_the_same() -> None:
    path = bandwidth()
    path.begin(transport_cc=False, remb=False, now=0.0)  # audio
    path.begin(transport_cc=True, remb=False, now=0.0)  # video
    assert path.estimator.estimate == START


def test_another_m_line_does_not_forget_what_was_learned() -> None:
    for transport_cc in (False, True):
        path = bandwidth()
        path.begin(transport_cc=transport_cc, remb=False, now=0.0)
        known = path.estimator
        path.begin(transport_cc=transport_cc, remb=False, now=1.0)
        assert path.estimator is known


def test_settings_of_a_track_that_has_ended_are_forgotten() -> None:
    server = VirtualServer()
    alice, bob = server.join("alice"), server.join("bob")
    (track,) = alice.publish(("v", "video", {96: VP8})).values()
    bob.receive()
    now = server.time.now
    bob.participant.set_track_settings(track.sid, TrackSettings(layer=0), now=now)
    alice.participant.remove_track(track.sid, now=now)
    server.time.run(2)
    assert not bob.participant.reception._demands._settings
