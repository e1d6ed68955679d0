"""Scenes: who gets a tile, and what is told of them."""

from recorder.compose.scene import Scene, Seat
from recorder.values import ParticipantInfo, TrackInfo


def make(*tracks: TrackInfo) -> Scene:
    scene = Scene()
    scene.add_participant(ParticipantInfo("PA_1", "ann", "Ann"))
    scene.add_participant(ParticipantInfo("PA_2", "bob"))
    for track in tracks:
        scene.add_track(track)
    return scene


CAMERA = TrackInfo("TR_C", "PA_1", "ann", "video", "camera")
MICROPHONE = TrackInfo("TR_M", "PA_1", "ann", "audio", "microphone")
SCREEN = TrackInfo("TR_S", "PA_1", "ann", "video", "screen_share")
OTHER = TrackInfo("TR_O", "PA_2", "bob", "audio", "microphone")


def test_who_sends_nothing_has_no_seat() -> None:
    assert make().seats() == []
    assert make(CAMERA).seats() == [Seat("PA_1", "ann", "Ann", "TR_C", silent=True)]


def test_camera_off_keeps_the_seat() -> None:
    scene = make(CAMERA, MICROPHONE)
    scene.set_muted("TR_C", True)
    assert scene.seats() == [Seat("PA_1", "ann", "Ann", None)]
    scene.set_muted("TR_C", False)
    assert scene.seats() == [Seat("PA_1", "ann", "Ann", "TR_C")]


def test_without_a_name_the_identity_is_shown() -> None:
    assert [seat.name for seat in make(OTHER).seats()] == ["bob"]


def test_shared_screens_come_first_and_end_with_their_mute() -> None:
    scene = make(CAMERA, SCREEN)
    assert [seat.key for seat in scene.seats()] == ["TR_S", "PA_1"]
    assert scene.seats()[0].share
    scene.set_muted("TR_S", True)
    assert [seat.key for seat in scene.seats()] == ["PA_1"]


def test_a_second_camera_has_a_seat_of_its_own() -> None:
    second = TrackInfo("TR_D", "PA_1", "ann", "video", "unknown")
    assert [(seat.key, seat.track) for seat in make(CAMERA, second).seats()] == [
        ("PA_1", "TR_C"),
        ("TR_D", "TR_D"),
    ]


def test_muted_people_are_silent_and_do_not_speak() -> None:
    scene = make(MICROPHONE)
    scene.set_speakers(["ann"])
    assert scene.seats() == [Seat("PA_1", "ann", "Ann", None, speaking=True)]
    scene.set_muted("TR_M", True)
    assert scene.seats() == [Seat("PA_1", "ann", "Ann", None, silent=True)]


def test_dominant_speaker_stays_it_in_silence() -> None:
    scene = make(MICROPHONE, OTHER)
    assert scene.focus(scene.seats()) is None
    scene.set_speakers(["bob", "ann"])
    scene.set_speakers([])
    assert scene.focus(scene.seats()) == "PA_2"


def test_who_leaves_takes_all_tracks_away() -> None:
    scene = make(CAMERA, SCREEN, OTHER)
    scene.remove_participant("PA_1")
    assert [seat.key for seat in scene.seats()] == ["PA_2"]
    assert not scene.is_on("TR_C")


def test_things_happen_in_the_order_of_their_times() -> None:
    scene = make()
    scene.at(2.0, lambda: scene.set_muted("TR_C", True))
    scene.at(1.0, lambda: scene.add_track(CAMERA))
    assert scene.advance(1.5)
    assert scene.is_on("TR_C")
    assert scene.advance(2.0)
    assert not scene.is_on("TR_C")
    assert not scene.advance(3.0)
