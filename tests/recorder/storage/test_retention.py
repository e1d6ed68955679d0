from recorder.storage.retention import DAY, Kept, expired

NOW = 1_000 * DAY


def kept(id: str, days: float, size: int = 1) -> Kept:
    return Kept(id, NOW - days * DAY, size)


def test_nothing_is_deleted_without_bounds():
    assert expired([kept("a", 900, 10**12)], now=NOW, days=0, most=0) == []


def test_what_is_too_old_goes():
    recordings = [kept("new", 1), kept("older", 9), kept("old", 7.1), kept("week", 6.9)]
    assert expired(recordings, now=NOW, days=7, most=0) == ["older", "old"]


def test_the_oldest_go_where_there_is_too_much():
    recordings = [kept("a", 3, 40), kept("c", 1, 40), kept("b", 2, 40)]
    assert expired(recordings, now=NOW, days=0, most=120) == []
    assert expired(recordings, now=NOW, days=0, most=100) == ["a"]
    assert expired(recordings, now=NOW, days=0, most=50) == ["a", "b"]
    assert expired(recordings, now=NOW, days=0, most=1) == ["a", "b", "c"]


def test_both_bounds_count():
    recordings = [kept("a", 30, 10), kept("b", 3, 60), kept("c", 2, 60)]
    assert expired(recordings, now=NOW, days=7, most=100) == ["a", "b"]
