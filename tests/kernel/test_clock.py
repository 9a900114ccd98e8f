"""Time: integers inside, RFC 3339 at the edge, and known times that never repeat."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.kernel.clock import (
    DAY,
    GRID,
    HOUR,
    MINUTE,
    SECOND,
    FrozenClock,
    LiveClock,
    ReplayClock,
    Stamp,
    boundary,
    parse_clock,
    parse_duration,
    parse_time,
    rfc3339,
    show_duration,
    to_datetime,
    to_us,
)
from zhongshu.kernel.problem import Problem

moments = st.datetimes(
    datetime(1, 1, 2),
    datetime(9999, 12, 30),
    timezones=st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(lambda d: timezone(timedelta(minutes=d // timedelta(minutes=1)))),
)


@given(moments)
def test_a_moment_survives_the_way_in_and_out(moment: datetime) -> None:
    us = to_us(moment)
    assert to_datetime(us) == moment and parse_time(moment.isoformat()) == us
    assert parse_time(rfc3339(us)) == (us if us % SECOND == 0 else us // 1000 * 1000) and rfc3339(us).endswith("Z")


@pytest.mark.parametrize("text", ["", "now", "2026-01-01T00:00:00", "2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00+99:00", "２０２６-01-01T00:00:00Z", "\x00"])
def test_what_is_no_time_is_a_problem(text: str) -> None:
    with pytest.raises(Problem) as told:
        parse_time(text)
    assert told.value.kind.code == "time.unreadable" and told.value.remedy("zh")


@given(st.integers(1, 10**7), st.sampled_from(["s", "m", "h", "d"]))
def test_a_duration_survives(n: int, unit: str) -> None:
    assert parse_duration(f"{n}{unit}") == n * {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}[unit] == parse_duration(show_duration(parse_duration(f"{n}{unit}")))


def test_durations_add_up_and_nonsense_is_a_problem() -> None:
    assert parse_duration("1h30m") == 90 * MINUTE and parse_duration("250ms") == 250_000 and parse_duration("2w") == 14 * DAY and parse_duration("5min") == 5 * MINUTE
    for text in ("", "5", "m", "5x", "1h 30m", "-1h", "1.5h"):
        with pytest.raises(Problem):
            parse_duration(text)


@given(st.integers(-(2**55), 2**55))
def test_a_boundary_is_the_first_at_or_after(us: int) -> None:
    assert 0 <= boundary(us) - us < GRID and boundary(us) % GRID == 0


@given(st.lists(st.tuples(st.integers(-GRID, 3 * GRID), st.integers(1, GRID), st.booleans()), min_size=1, max_size=40))
def test_stamps_never_repeat_never_go_back_and_never_straddle_a_boundary(steps: list[tuple[int, int, bool]]) -> None:
    clock = FrozenClock(1_700_000_000_000_000)
    stamp, last = Stamp(clock), 0
    for move, count, settle in steps:
        clock.at += move
        if settle:
            stamp.pass_by(clock.at)
            last = max(last, clock.at)
        first = stamp.next(count)
        assert first > last and boundary(first) == boundary(first + count - 1)
        last = first + count - 1


def test_stamps_of_several_threads_are_apart() -> None:
    stamp, taken = Stamp(FrozenClock(0)), []
    threads = [threading.Thread(target=lambda: taken.extend(stamp.next(3) for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({first + i for first in taken for i in range(3)}) == 6000


def test_clocks_are_named() -> None:
    assert isinstance(parse_clock("live"), LiveClock) and abs(LiveClock().now() - to_us(datetime.now(UTC))) < MINUTE
    replay = parse_clock("replay@2016-12-16T00:00+08:00x600")
    assert isinstance(replay, ReplayClock) and replay.speed == 600 and replay.now() >= parse_time("2016-12-15T16:00:00Z")
    assert parse_clock("replay@2016-12-16T00:00:00Z").speed == 1
    for text in ("", "replay", "replay@x2", "replay@2016-12-16x10", "replay@2016-12-16T00:00:00Zx0", "dead"):
        with pytest.raises(Problem):
            parse_clock(text)
