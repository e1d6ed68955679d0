import random
from itertools import pairwise

import pytest

from sfu.room.speakers import (
    NOTICE_INTERVAL,
    LoudestSpeakers,
    Speaker,
    SpeakerObserver,
    last_n,
)

SPEECH = 25  # -dBov
ROOM = 75


class Call:
    """A room in virtual time whose participants send a level every 20 ms."""

    def __init__(self, *names):
        self.observer = SpeakerObserver()
        self.now = 1000.0
        self.names = list(names)
        self.notices = []
        self.dominants = []
        for name in names:
            self.observer.join(name)

    def run(self, seconds, speaking="", level=SPEECH):
        """`speaking` has the names (one letter each) of those who speak."""
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            for name in self.names:
                loudness = level if name in speaking else ROOM
                self.observer.add(name, loudness, False, now=self.now)
            notice = self.observer.changed(now=self.now)
            if notice is not None:
                self.notices.append((self.now, notice))
            if self.observer.dominant not in self.dominants[-1:]:
                self.dominants.append(self.observer.dominant)
        return self


def test_nobody_speaks():
    call = Call("a", "b").run(10)
    assert call.observer.dominant is None
    assert call.observer.order == ["a", "b"]
    assert call.notices == []


def test_one_begins_and_stops():
    call = Call("a", "b").run(1).run(2, "b").run(2)
    first, last = call.notices[0], call.notices[-1]
    assert 1001.0 < first[0] < 1001.5
    assert [(s.key, s.active) for s in first[1]] == [("b", True)]
    assert last[1] == [Speaker("b", 0.0, False)]
    assert 1003.0 < last[0] < 1004.5
    assert call.observer.dominant == "b"
    assert call.observer.order == ["b", "a"]


def test_the_level_is_linear():
    # Told to within 6 dB, a factor of 2.
    call = Call("a").run(3, "a", level=20)
    assert 0.05 <= call.notices[-1][1][0].level <= 0.1
    call.run(3, "a", level=40)
    assert 0.01 <= call.notices[-1][1][0].level <= 0.02


@pytest.mark.parametrize("seed", range(5))
def test_notices_are_rare(seed):
    rng = random.Random(seed)
    call = Call(*"abcdef")
    for _ in range(100):
        call.run(rng.uniform(0.02, 0.5), rng.sample("abcdef", 3), level=rng.randint(10, 45))
    times = [when for when, _ in call.notices]
    assert len(times) > 10
    assert all(b - a >= NOTICE_INTERVAL - 1e-9 for a, b in pairwise(times))


def test_nothing_is_told_while_nothing_changes():
    call = Call("a", "b").run(5, "a")
    count = len(call.notices)
    call.run(60, "a")
    assert len(call.notices) == count


def test_notices_add_up_to_who_speaks():
    rng = random.Random(3)
    call = Call(*"abcdef")
    for _ in range(60):
        call.run(rng.uniform(0.02, 2), rng.sample("abcdef", rng.randint(0, 3)))
    call.run(2, "bd")
    active = {}
    for _, notice in call.notices:
        for speaker in notice:
            active[speaker.key] = speaker.active
    assert {key for key, value in active.items() if value} == {"b", "d"}


def test_a_conversation_takes_turns():
    call = Call("a", "b", "c")
    for name in "abcab":
        call.run(4, name)
    assert [d for d in call.dominants if d] == ["a", "b", "c", "a", "b"]
    assert call.observer.order == ["b", "a", "c"]


def test_a_new_dominant_speaker_is_found_within_two_seconds():
    call = Call("a", "b").run(20, "a").run(2, "b")
    assert call.observer.dominant == "b"


def test_remarks_and_coughs_do_not_take_the_floor():
    call = Call("a", "b")
    call.run(5, "a")
    for _ in range(10):
        call.run(2, "a").run(0.4, "ab", level=15).run(1, "a")
    assert call.dominants == [None, "a"]


def test_a_pause_for_breath_keeps_the_floor_while_another_hums():
    call = Call("a", "b").run(5, "a")
    for _ in range(20):
        call.run(0.4, "b", level=40).run(3, "a")
    assert call.dominants == [None, "a"]


def test_two_at_once_do_not_alternate():
    rng = random.Random(5)
    call = Call("a", "b").run(3, "a")
    for _ in range(1000):
        call.now += 0.02
        for name in "ab":
            call.observer.add(name, rng.randint(20, 30), False, now=call.now)
        call.observer.changed(now=call.now)
        assert call.observer.dominant == "a"
    order = list(call.observer.order)
    call.run(20, "ab")
    assert call.observer.order == order


def test_the_floor_stays_with_the_last_speaker_in_silence():
    call = Call("a", "b").run(5, "b").run(60)
    assert call.observer.dominant == "b"


def test_those_who_were_heard_come_before_those_who_were_not():
    call = Call(*"abcdef").run(5, "d").run(2, "df").run(2, "db")
    assert call.observer.order[0] == "d"
    assert set(call.observer.order[1:3]) == {"b", "f"}
    assert call.observer.order[3:] == ["a", "c", "e"]


def test_those_who_discuss_keep_their_order():
    call = Call(*"abcdef").run(4, "c").run(3, "cd").run(3, "cde")
    order = list(call.observer.order)
    assert order[:3] == ["c", "d", "e"]
    for _ in range(5):
        call.run(1, "ce").run(0.6, "d").run(0.4, "cd")
        assert call.observer.order == order


def test_those_who_spoke_long_ago_give_way_to_who_is_heard_now():
    call = Call(*"abcdef").run(4, "c").run(3, "cd").run(20).run(3, "b")
    assert call.observer.order[:3] == ["b", "c", "d"]
    call.run(1, "bd")
    assert call.observer.order[:3] == ["b", "d", "c"]


def test_nobody_is_chosen_for_no_places():
    call = Call("a").run(1, "a")
    assert choose(call, LoudestSpeakers(0)) == set()


def test_a_cough_moves_nobody():
    call = Call("a", "b", "c").run(5, "a")
    for _ in range(5):
        call.run(0.14, "c", level=15).run(4)
        assert call.observer.order == ["a", "b", "c"]


def test_those_who_shout_in_turns_do_not_take_each_others_places():
    call = Call(*"abc").run(0.5)
    loudest = LoudestSpeakers(1)
    choose(call, loudest)
    places = []
    for i in range(1500):
        call.now += 0.02
        turn = "abc"[i // 15 % 3]  # all speak, and take turns at shouting every 0.3 s
        for name in "abc":
            call.observer.add(name, 1 if name == turn else 44, False, now=call.now)
        call.observer.changed(now=call.now)
        chosen = choose(call, loudest)
        if i >= 100:  # who has spoken for two seconds is known
            places.append(chosen)
    assert len(set(places)) == 1


def test_leaving_is_told_and_forgotten():
    call = Call("a", "b").run(3, "a")
    call.observer.leave("a")
    call.names.remove("a")
    call.observer.leave("unknown")
    assert call.observer.dominant is None
    call.run(1)
    assert call.notices[-1][1] == [Speaker("a", 0.0, False)]
    assert call.observer.order == ["b"]
    assert list(call.observer.meters) == ["b"]
    call.run(2, "b")
    assert call.observer.dominant == "b"


def test_who_leaves_and_comes_back_while_speaking_is_told_of_as_speaking():
    call = Call("a", "b").run(3, "a")
    call.observer.leave("a")
    call.run(2, "a")
    assert call.notices[-1][1][-1].key == "a"
    assert call.notices[-1][1][-1].active


def test_who_comes_back_silent_is_told_of_once():
    call = Call("a", "b").run(3, "a")
    call.observer.leave("a")
    call.run(2)
    assert call.notices[-1][1] == [Speaker("a", 0.0, False)]


def test_last_n_takes_speakers_first():
    order = ["d", "a", "b", "c"]
    assert last_n(order, 2) == ["d", "a"]
    assert last_n(order, 2, exclude={"d", "b"}) == ["a", "c"]
    assert last_n(order, 0) == []
    assert last_n(order, 9) == order


def test_last_n_changes_by_one_when_another_is_heard():
    call = Call(*"abcdefgh").run(3, "a")
    before = set(last_n(call.observer.order, 4))
    call.run(60)
    assert set(last_n(call.observer.order, 4)) == before
    call.run(3, "h")
    after = set(last_n(call.observer.order, 4))
    assert after - before == {"h"}
    assert len(before - after) == 1
    assert "a" in after


def choose(call, loudest):
    return loudest.choose(call.observer.order, call.observer.meters, now=call.now)


def test_all_places_are_taken_and_never_more():
    rng = random.Random(1)
    call = Call(*"abcdefgh")
    loudest = LoudestSpeakers(3)
    for _ in range(100):
        call.run(0.1, rng.sample("abcdefgh", rng.randint(0, 6)), level=rng.randint(10, 50))
        assert len(choose(call, loudest)) == 3
    assert choose(call, LoudestSpeakers(99)) == set("abcdefgh")


def test_who_speaks_takes_a_silent_place_within_a_third_of_a_second():
    call = Call(*"abcdefgh").run(3, "a")
    loudest = LoudestSpeakers(3)
    assert choose(call, loudest) == {"a", "b", "c"}
    call.run(0.3, "ah")
    assert choose(call, loudest) == {"a", "b", "h"}


def test_of_those_who_speak_only_a_clearly_louder_one_takes_a_place():
    call = Call(*"abcd").run(3, "ab")
    loudest = LoudestSpeakers(2)
    assert choose(call, loudest) == {"a", "b"}
    for level, expected in ((22, {"a", "b"}), (10, {"b", "d"})):
        for _ in range(100):
            call.now += 0.02
            for name, loudness in (("a", 26), ("b", 20), ("c", 75), ("d", level)):
                call.observer.add(name, loudness, False, now=call.now)
            call.observer.changed(now=call.now)
            chosen = choose(call, loudest)
        assert chosen == expected


def test_equally_loud_speakers_do_not_change_places():
    rng = random.Random(2)
    call = Call(*"abcdef").run(3, "abcdef")
    loudest = LoudestSpeakers(3)
    before = choose(call, loudest)
    for _ in range(3000):
        call.now += 0.02
        for name in call.names:
            call.observer.add(name, rng.randint(15, 35), False, now=call.now)
        call.observer.changed(now=call.now)
        assert choose(call, loudest) == before


def test_a_place_of_one_who_left_is_given_to_another():
    call = Call(*"abc").run(1)
    loudest = LoudestSpeakers(2)
    assert choose(call, loudest) == {"a", "b"}
    call.observer.leave("a")
    assert choose(call, loudest) == {"b", "c"}
