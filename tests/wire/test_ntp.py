from datetime import UTC, datetime

import pytest
from aiortc.clock import datetime_from_ntp, datetime_to_ntp

from sfu.wire.ntp import from_ntp, middle32, to_ntp

TIMES = (0.0, 1.5, 1_700_000_000.0, 1_763_692_800.123456, 2_085_978_495.75)


@pytest.mark.parametrize("seconds", TIMES)
def test_round_trip_loses_less_than_a_microsecond(seconds):
    assert from_ntp(to_ntp(seconds)) == pytest.approx(seconds, abs=1e-6, rel=0)


@pytest.mark.parametrize("seconds", TIMES)
def test_agrees_with_aiortc(seconds):
    moment = datetime.fromtimestamp(seconds, UTC)
    # aiortc cuts to microseconds.
    assert abs(datetime_to_ntp(moment) - to_ntp(seconds)) < (2 << 32) / 1e6
    assert abs((datetime_from_ntp(to_ntp(seconds)) - moment).total_seconds()) < 2e-6


def test_the_scale_wraps_in_2036_and_goes_on():
    rollover = (1 << 32) - 2_208_988_800
    assert to_ntp(rollover) == 0
    assert to_ntp(rollover - 0.5) == 0xFFFFFFFF_80000000
    assert from_ntp(0) == rollover
    assert from_ntp(to_ntp(rollover + 1000.25)) == rollover + 1000.25


def test_middle32_is_seconds_and_fraction():
    assert middle32(0x01234567_89ABCDEF) == 0x456789AB
