import pytest

from sfu.stream.keyframe_requester import MAX_INTERVAL, MIN_INTERVAL, KeyFrameRequester


def test_nothing_is_due_before_a_wish():
    requester = KeyFrameRequester()
    assert not requester.due(100.0)
    assert requester.next_time() is None


def test_the_first_wish_is_due_at_once_and_only_once():
    requester = KeyFrameRequester()
    requester.request(1.0)
    assert requester.next_time() == 1.0
    assert requester.due(1.0)
    assert not requester.due(1.0)
    assert requester.sent == 1


def test_fifty_wishes_are_one_request():
    requester = KeyFrameRequester()
    for i in range(50):
        requester.request(1.0 + i / 1000)
        requester.due(1.0 + i / 1000)
    assert requester.sent == 1


def test_it_asks_again_with_growing_patience_until_a_key_frame_comes():
    requester = KeyFrameRequester()
    requester.request(0.0)
    times = []
    for _ in range(6):
        when = requester.next_time()
        assert when is not None
        assert not requester.due(when - 0.001)
        assert requester.due(when)
        times.append(when)
    assert times == pytest.approx([0.0, 0.4, 1.2, 2.8, 4.8, 6.8])
    requester.received()
    assert requester.next_time() is None
    assert not requester.due(100.0)


def test_it_never_gives_up():
    requester = KeyFrameRequester()
    requester.request(0.0)
    while requester.sent < 1000:
        when = requester.next_time()
        assert when is not None
        requester.due(when)
    assert when < 1000 * MAX_INTERVAL


def test_a_new_wish_right_after_a_key_frame_waits_its_turn():
    requester = KeyFrameRequester()
    requester.request(0.0)
    requester.due(0.0)
    requester.received()
    requester.request(0.1)
    assert requester.next_time() == MIN_INTERVAL
    assert not requester.due(0.1)
    assert requester.due(MIN_INTERVAL)


def test_patience_is_short_again_after_a_key_frame():
    requester = KeyFrameRequester()
    requester.request(0.0)
    for _ in range(5):
        requester.due(requester.next_time() or 0.0)
    requester.received()
    requester.request(100.0)
    assert requester.due(100.0)
    assert requester.next_time() == 100.0 + MIN_INTERVAL
