from sfu.stream.key_frame_allowance import BURST, INTERVAL, REPEAT_TIME, KeyFrameAllowance


def test_the_first_requests_pass_at_once():
    allowance = KeyFrameAllowance()
    assert [allowance.take(now=float(t)) for t in range(BURST)] == [True] * BURST
    assert allowance.refused == 0


def test_a_flood_is_cut_to_the_rate():
    allowance = KeyFrameAllowance()
    passed = sum(allowance.take(now=t / 100) for t in range(6000))
    assert passed <= BURST + 60 / INTERVAL
    assert allowance.refused > 100


def test_a_repetition_neither_passes_nor_counts():
    allowance = KeyFrameAllowance()
    assert allowance.take(now=1.0)
    assert not any(allowance.take(now=1.0 + t / 100) for t in range(1, int(REPEAT_TIME * 100)))
    assert allowance.refused == 0
    assert all(allowance.take(now=2.0 + t) for t in range(BURST - 1))


def test_patience_is_rewarded():
    allowance = KeyFrameAllowance()
    assert all(allowance.take(now=0.3 * number) for number in range(BURST))
    assert not allowance.take(now=0.5 * INTERVAL)
    assert allowance.take(now=1.1 * INTERVAL)
    assert not allowance.take(now=1.5 * INTERVAL)
