import itertools

from recorder.live.pacer import Pacer


def run(pacer: Pacer, seconds: float, cost: float) -> list[int]:
    """The numbers that are made in so many seconds of a machine that takes `cost` for each."""
    now, made = 0.0, []
    while now < seconds:
        number = pacer.next(now)
        if number is None:
            now += 0.001
            continue
        made.append(number)
        now += cost
        pacer.made(cost)
    return made


def test_every_picture_is_made_where_there_is_time():
    pacer = Pacer(30)
    assert run(pacer, 10, 0.01) == list(range(300))
    assert pacer.dropped == 0


def test_pictures_are_left_out_evenly_where_there_is_none():
    pacer = Pacer(30)
    made = run(pacer, 20, 0.05)  # 20 a second at most
    late = made[len(made) // 2 :]
    assert pacer.stride == 3
    assert {after - before for before, after in itertools.pairwise(late)} == {3}
    assert pacer.dropped == made[-1] + pacer.stride - len(made)


def test_it_keeps_up_after_a_standstill():
    pacer = Pacer(30)
    assert pacer.next(0.0) == 0
    pacer.made(0.01)
    assert pacer.next(60.0) == 1800
    assert pacer.dropped == 1799


def test_at_the_end_nothing_is_left_out():
    pacer = Pacer(30)
    numbers = []
    while (number := pacer.next(2.0, hurry=False)) is not None:
        numbers.append(number)
        pacer.made(0.0)
    assert numbers == list(range(61))
