"""Working time against an oracle that walks the local clock minute by minute, in cities whose clock leaps; and what is wrong with a calendar."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from zhongshu.act.calendar import MODES, ON_THE_WALL, Calendar, Mode
from zhongshu.act.duty import rota
from zhongshu.act.duty.calendars import DayRow, always, build
from zhongshu.kernel.clock import DAY, HOUR, MINUTE, SECOND, parse_time, to_us
from zhongshu.kernel.problem import Problem

sys.path.insert(0, str(Path(__file__).parent))

from papers import bring, known

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAYS = 14
FORTNIGHTS = [
    ("Asia/Shanghai", date(2026, 2, 10)),
    ("America/New_York", date(2026, 3, 2)),  # 02:00 becomes 03:00 on 8 March
    ("America/New_York", date(2026, 10, 26)),  # 02:00 becomes 01:00 on 1 November
    ("Africa/Cairo", date(2026, 4, 20)),  # midnight becomes 01:00 on 24 April
    ("Africa/Cairo", date(2026, 10, 25)),  # midnight becomes 23:00 of the day before on 30 October
    ("America/Havana", date(2026, 10, 28)),  # 01:00 becomes midnight on 1 November
]


# the oracle


@lru_cache
def faces(zone: str, first: date) -> tuple[int, list[tuple[date, int]]]:
    """Return the first midnight, and of each minute after it the furthest the local clock has got: its date and minute."""
    tz = ZoneInfo(zone)
    moment = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=1)
    while moment.astimezone(tz).date() < first:
        moment += timedelta(minutes=1)
    start, shown, furthest = to_us(moment), [], datetime.min
    while (face := moment.astimezone(tz).replace(tzinfo=None)).date() < first + timedelta(days=DAYS):
        furthest = max(furthest, face)
        shown.append((furthest.date(), furthest.hour * 60 + furthest.minute))
        moment += timedelta(minutes=1)
    return start, shown


@dataclass
class Walk:
    """A fortnight written out: whether each minute is worked, and the date it belongs to."""

    start: int
    days: list[date]
    shown: list[tuple[date, int]]
    works: list[bool]

    def spent(self, start: int, end: int) -> int:
        total = 0
        for n, works in enumerate(self.works):
            from_, to = self.start + n * MINUTE, self.start + (n + 1) * MINUTE
            if works and from_ < end and to > start:
                total += min(to, end) - max(from_, start)
        return total // SECOND

    def hours(self, start: int, minutes: int) -> int | None:
        left = minutes * MINUTE
        for n, works in enumerate(self.works):
            to = self.start + (n + 1) * MINUTE
            if works and to > start:
                here = to - max(self.start + n * MINUTE, start)
                if here >= left:
                    return to - here + left
                left -= here
        return None

    def worked_days(self) -> dict[date, list[int]]:
        """Return the ends of each working day's minutes."""
        found: dict[date, list[int]] = {}
        for n, works in enumerate(self.works):
            if works:
                found.setdefault(self.days[n], []).append(self.start + (n + 1) * MINUTE)
        return found

    def day_of(self, at: int) -> date | None:
        n = (at - self.start) // MINUTE
        return self.days[n] if n < len(self.days) else None

    def whole_days(self, start: int, count: int) -> int | None:
        arrived = self.day_of(start)
        later = [] if arrived is None else [ends for day, ends in self.worked_days().items() if day > arrived]
        return later[count - 1][-1] if count <= len(later) else None

    def exact_days(self, start: int, count: int) -> int | None:
        worked = list(self.worked_days().values())
        for n, ends in enumerate(worked):
            done = sum(end <= start for end in ends)
            if done < len(ends):
                break
        else:
            n, done = len(worked), 0
        if done:
            return worked[n + count][min(done, len(worked[n + count])) - 1] if n + count < len(worked) else None
        return worked[n + count - 1][-1] if n + count - 1 < len(worked) else None

    def clock(self, start: int, minutes: int) -> int | None:
        today = self.day_of(start)
        for late in (0, 1):
            target = today and (today + timedelta(days=late + minutes // 1440), minutes % 1440)
            at = next((self.start + n * MINUTE for n, face in enumerate(self.shown) if target and face >= target), None)
            if at is None or at > start:
                return at
        return None


def hhmm(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def written(spans: list[tuple[int, int]]) -> str:
    return ";".join(f"{hhmm(a)}-{hhmm(b)}" for a, b in spans)


edges = st.one_of(st.integers(0, 1440), st.integers(0, 200), st.integers(1380, 1440), st.sampled_from([0, 30, 60, 90, 120, 150, 180, 540, 720, 810, 1080, 1440]))
hours = st.lists(edges, min_size=2, max_size=6, unique=True).map(lambda e: sorted(e)[: len(e) // 2 * 2]).map(lambda e: list(zip(e[::2], e[1::2], strict=True)))
seconds = st.integers(0, DAYS * 86_400 - 7200)


@st.composite
def towns(draw: st.DrawFn) -> tuple[Calendar, Walk]:
    zone, first = draw(st.sampled_from(FORTNIGHTS))
    last = first + timedelta(days=DAYS - 1)
    usual = draw(hours)
    own = draw(st.dictionaries(st.integers(0, DAYS - 1), st.one_of(st.none(), st.just([]), hours), max_size=8))
    rows = [DayRow("c", "work", written(usual), weekdays=(1, 2, 3, 4, 5), first=first, last=last), DayRow("c", "rest", weekdays=(6, 7), first=first, last=last)]
    plan = {day: usual if day.isoweekday() < 6 else [] for n in range(DAYS) if (day := first + timedelta(days=n))}
    for n, spans in own.items():
        day = first + timedelta(days=n)
        rows.append(DayRow("c", "rest" if spans == [] else "work", written(spans or []), day=day))
        plan[day] = usual if spans is None else spans
    start, shown = faces(zone, first)
    works = [any(a <= minute < b for a, b in plan[day]) for day, minute in shown]
    return build("c", ZoneInfo(zone), rows), Walk(start, [day for day, _ in shown], shown, works)


def asked(work: Callable[[], int]) -> int | None:
    try:
        return work()
    except Problem as problem:
        assert problem.kind.code == "calendar.too_short"
        return None


@given(towns(), seconds, seconds)
@settings(max_examples=60, deadline=None)
def test_what_is_spent_is_what_a_walk_counts(town: tuple[Calendar, Walk], one: int, other: int) -> None:
    calendar, walk = town
    start, end = (walk.start + n * SECOND for n in sorted((one, other)))
    for mode in ("hours", "days", "days_exact"):
        assert calendar.spent(start, end, mode) == walk.spent(start, end)
        assert calendar.spent(end, start, mode) == -walk.spent(start, end)
    assert calendar.spent(start, end, "wall") == (end - start) // SECOND


@given(towns(), seconds, st.integers(1, 4000), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_a_limit_runs_out_where_a_walk_ends(town: tuple[Calendar, Walk], begun: int, minutes: int, days: int) -> None:
    calendar, walk = town
    start, whole = walk.start + begun * SECOND, walk.start + begun // 60 * MINUTE
    assert asked(lambda: calendar.due(start, minutes, "hours")) == walk.hours(start, minutes)
    assert asked(lambda: calendar.due(start, days, "days")) == walk.whole_days(start, days)
    assert asked(lambda: calendar.due(whole, days, "days_exact")) == walk.exact_days(whole, days)
    assert calendar.due(start, minutes, "wall") == start + minutes * MINUTE
    face = minutes % 2880 + 1
    if (told := walk.clock(start, face)) is not None:
        assert calendar.due(start, face, "clock") == told


@given(towns(), seconds, st.integers(0, SECOND - 1), st.integers(1, 3000))
@settings(max_examples=60, deadline=None)
def test_when_it_is_due_just_that_much_is_spent(town: tuple[Calendar, Walk], begun: int, more: int, minutes: int) -> None:
    calendar, walk = town
    start = walk.start + begun * SECOND + more
    due = asked(lambda: calendar.due(start, minutes, "hours"))
    assume(due is not None)
    assert due is not None
    assert calendar.spent(start, due, "hours") == calendar.left(start, due, "hours") == minutes * 60
    assert calendar.spent(start, due - 1, "hours") == minutes * 60 - 1, "a moment earlier something is still to do"
    warn = asked(lambda: calendar.before(due, max(1, minutes // 4), "hours"))
    assert warn is not None
    assert calendar.left(warn, due, "hours") == max(1, minutes // 4) * 60
    assert calendar.spent(start, calendar.due(start, minutes, "wall"), "wall") == minutes * 60


@given(towns(), seconds, seconds, st.integers(1, 2000), st.integers(1, 2000))
@settings(max_examples=60, deadline=None)
def test_a_later_start_or_a_longer_limit_is_never_due_sooner(town: tuple[Calendar, Walk], one: int, other: int, least: int, more: int) -> None:
    calendar, walk = town
    soon, late = (walk.start + n * SECOND for n in sorted((one, other)))
    for mode in MODES:
        amount, longer = (n // 300 + 1 if mode.startswith("days") else n for n in (least, least + more))
        dues = [asked(lambda s=s, a=a, m=mode: calendar.due(s, a, m)) for s, a in ((soon, amount), (late, amount), (late, longer))]  # type: ignore[misc]
        told = [due for due in dues if due is not None]
        assert dues[: len(told)] == told, "what is too short once is too short for all that is longer"
        if mode == "clock":
            told = told[:2]
        assert told == sorted(told)
        assert all(due >= soon for due in told)


@given(towns(), st.tuples(seconds, seconds, seconds, seconds).map(sorted), st.integers(0, SECOND - 1), st.integers(1, 2000), st.sampled_from(MODES))
@settings(max_examples=60, deadline=None)
def test_a_pause_keeps_what_is_left(town: tuple[Calendar, Walk], times: list[int], more: int, amount: int, mode: Mode) -> None:
    calendar, walk = town
    start, paused, again, resumed = (walk.start + n * SECOND for n in times)
    resumed += more
    due = asked(lambda: calendar.due(start, amount // 300 + 1 if mode.startswith("days") else amount, mode))
    moved = asked(lambda: calendar.shift(due, paused, resumed, mode)) if due is not None else None
    assume(due is not None and moved is not None and (mode in ON_THE_WALL or due <= walk.start + len(walk.works) * MINUTE))
    assert due is not None and moved is not None
    assert calendar.left(resumed, moved, mode) == calendar.left(paused, due, mode)
    assert moved >= due
    assert calendar.shift(due, paused, paused, mode) == due
    assert calendar.shift(calendar.shift(due, paused, again, mode), again, resumed, mode) == moved, "two pauses that touch are one"
    if mode not in ON_THE_WALL:
        assert walk.spent(due, moved) == walk.spent(paused, resumed), "it moves by what was worked in the pause"


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
def test_round_the_clock_is_the_wall(zone: str) -> None:
    calendar = always(ZoneInfo(zone), date(2026, 1, 1), date(2026, 12, 31))
    start = parse_time("2026-01-02T03:04:05Z")
    for minutes in (1, 90, 1440, 100_000, 460_000):
        assert calendar.due(start, minutes, "hours") == calendar.due(start, minutes, "wall") == start + minutes * MINUTE
    assert calendar.spent(start, start + 300 * DAY, "hours") == 300 * 86_400


def test_the_wall_needs_no_dates() -> None:
    calendar = week(first=date(2026, 3, 2), last=date(2026, 3, 8))
    far = parse_time("2031-05-06T07:08:09+08:00")
    assert calendar.due(far, 60, "wall") == far + HOUR
    assert calendar.due(far, 17 * 60, "clock") == parse_time("2031-05-06T17:00:00+08:00")
    assert calendar.due(far, 7 * 60, "clock") == parse_time("2031-05-07T07:00:00+08:00"), "07:00 had passed"
    assert calendar.shift(far, far - HOUR, far, "clock") == far + HOUR
    assert calendar.before(far, 30, "clock") == far - 30 * MINUTE


def week(*more: DayRow, **span: Any) -> Calendar:
    rows = [DayRow("office", "work", "09:00-12:00;13:30-18:00", weekdays=(1, 2, 3, 4, 5)), DayRow("office", "rest", weekdays=(6, 7)), *more]
    return build("office", SHANGHAI, rows, span.get("first", date(2026, 3, 2)), span.get("last", date(2026, 3, 15)))


def test_hours_that_the_clock_leaps_over_are_none() -> None:
    def sunday(hours: str) -> Calendar:
        rows = [DayRow("c", "work", hours, day=date(2026, 3, 8)), DayRow("c", "work", "09:00-10:00", day=date(2026, 3, 9)), DayRow("c", "rest", day=date(2026, 3, 7))]
        return build("c", ZoneInfo("America/New_York"), rows)

    start = parse_time("2026-03-07T12:00:00-05:00")
    assert sunday("02:00-03:00").due(start, 1, "days") == parse_time("2026-03-09T10:00:00-04:00"), "no working day"
    assert sunday("01:00-01:30;02:00-02:30").due(start, 1, "days") == parse_time("2026-03-08T01:30:00-05:00")
    assert sunday("01:30-02:30").due(start, 30, "hours") == parse_time("2026-03-08T03:00:00-04:00") == parse_time("2026-03-08T02:00:00-05:00")


def test_hours_may_touch() -> None:
    calendar = load(WEEK + "office,2026-03-07,,,,work,09:00-12:00;12:00-13:00,,here,\n")
    assert calendar.due(parse_time("2026-03-07T08:00:00+08:00"), 240, "hours") == parse_time("2026-03-07T13:00:00+08:00")


def test_a_warning_comes_a_working_day_ahead() -> None:
    calendar = week()
    closing, within = parse_time("2026-03-09T18:00:00+08:00"), parse_time("2026-03-09T10:00:00+08:00")
    assert calendar.before(closing, 1, "days") == parse_time("2026-03-06T18:00:00+08:00")
    assert calendar.before(within, 2, "days_exact") == parse_time("2026-03-05T10:00:00+08:00")
    with pytest.raises(Problem, match=r"calendar\.too_short"):
        calendar.before(closing, 6, "days")


def test_a_pause_outside_working_hours_moves_nothing() -> None:
    calendar = week()
    due = parse_time("2026-03-09T18:00:00+08:00")
    assert calendar.shift(due, parse_time("2026-03-06T18:00:00+08:00"), parse_time("2026-03-09T09:00:00+08:00"), "days") == due
    early = parse_time("2026-03-09T08:00:00+08:00")
    assert calendar.shift(early, parse_time("2026-03-07T10:00:00+08:00"), parse_time("2026-03-08T10:00:00+08:00"), "hours") == early, "nor to the evening before"
    with pytest.raises(Problem, match=r"calendar\.bad_pause"):
        calendar.shift(due, due, due - 1, "wall")


def test_beyond_its_dates_it_says_what_to_load() -> None:
    calendar = week(first=date(2026, 12, 21), last=date(2026, 12, 31))
    start = parse_time("2026-12-30T10:00:00+08:00")
    beyond: list[tuple[int, Mode]] = [(16 * 60, "hours"), (2, "days"), (2, "days_exact")]
    for amount, mode in beyond:
        with pytest.raises(Problem, match=r"calendar\.too_short") as told:
            calendar.due(start, amount, mode)
        assert told.value.particulars["year"] == 2027
        assert "2027" in told.value.remedy("zh")
        assert "2027" in told.value.remedy("en")
    assert calendar.due(start, 1, "days") == parse_time("2026-12-31T18:00:00+08:00")
    for at in ("2026-12-20T23:59:59+08:00", "2027-01-01T00:00:01+08:00"):
        for _, mode in beyond[:2]:
            with pytest.raises(Problem, match=r"calendar\.too_short"):
                calendar.due(parse_time(at), 1, mode)
    with pytest.raises(Problem, match=r"calendar\.too_short.*2027"):
        calendar.left(start, parse_time("2027-01-05T10:00:00+08:00"), "hours")


@pytest.mark.parametrize(("amount", "mode"), [(0, "wall"), (-1, "hours"), (0, "clock"), (5, "weeks")])
def test_no_limit_at_all(amount: int, mode: Any) -> None:
    with pytest.raises(Problem, match=r"calendar\.bad_limit"):
        week().due(parse_time("2026-03-02T10:00:00+08:00"), amount, mode)
    if amount > 0:
        with pytest.raises(Problem, match=r"calendar\.bad_limit"):
            week().spent(0, 1, mode)


# what is wrong with a calendar

HEAD = "calendar,day,weekday,first,last,kind,hours,note,source,provisional\n"
WEEK = "office,,weekdays,2026-03-02,2026-03-15,work,09:00-12:00,,here,\noffice,,weekend,2026-03-02,2026-03-15,rest,,,here,\n"


def load(text: str, head: str = HEAD, name: str = "office") -> Calendar:
    return rota.calendar(bring(known(), "calendar", head + text, "calendar.csv"), name, "hours", SHANGHAI)


@pytest.mark.parametrize(
    ("code", "line", "text"),
    [
        ("calendar.gap", 2, "office,,weekdays,2026-03-02,2026-03-15,work,09:00-12:00,,here,\n"),
        ("calendar.gap", 4, WEEK + "office,2026-03-17,,,,work,09:00-12:00,,here,\n"),
        ("duty.twice", 5, WEEK + "office,2026-03-07,,,,work,,,here,\noffice,2026-03-07,,,,rest,,,here,\n"),
        ("duty.twice", 5, WEEK + "office,2026-03-07,,,,work,09:00-10:00,,here,\noffice,2026-03-07,,,,work,,,here,\n"),
        ("calendar.twice", 4, WEEK + "office,,2,2026-03-02,2026-03-15,rest,,,here,\n"),
        ("calendar.bad_hours", 4, WEEK + "office,2026-03-07,,,,work,09:00-12:00;11:59-13:00,,here,\n"),
        ("calendar.bad_hours", 4, WEEK + "office,2026-03-07,,,,work,22:00-02:00,,here,\n"),
        ("calendar.bad_hours", 4, WEEK + "office,2026-03-07,,,,work,09:00-09:00,,here,\n"),
        ("calendar.bad_hours", 4, WEEK + "office,2026-03-07,,,,work,9-12,,here,\n"),
        ("calendar.bad_hours", 4, WEEK + "office,2026-03-07,,,,work,09:00-25:00,,here,\n"),
        ("calendar.bad_hours", 4, WEEK + "office,2026-03-07,,,,work,09:00-12:60,,here,\n"),
        ("calendar.bad_hours", 4, WEEK + "office,2026-03-07,,,,work,09:00-12:00;,,here,\n"),
        ("calendar.bad_hours", 4, WEEK + "office,2026-03-07,,,,rest,09:00-12:00,,here,\n"),
        ("calendar.bad_hours", 2, "office,,daily,2026-03-02,2026-03-15,work,,,here,\n"),
        ("calendar.bad_hours", 3, "office,,daily,2026-03-02,2026-03-15,rest,,,here,\noffice,2026-03-07,,,,work,,,here,\n"),
        ("duty.bad_row", 4, WEEK + "office,2026-02-30,,,,rest,,,here,\n"),
        ("duty.bad_row", 4, WEEK + "office,,8,,,rest,,,here,\n"),
        ("duty.bad_row", 4, WEEK + "office,,,,,rest,,,here,\n"),
        ("duty.bad_row", 4, WEEK + "office,2026-03-07,6,,,rest,,,here,\n"),
        ("duty.bad_row", 4, WEEK + "office,2026-03-07,,,,holiday,,,here,\n"),
        ("duty.bad_row", 4, WEEK + "office,2026-03-07,,,,rest,,,here,perhaps\n"),
        ("duty.bad_row", 4, WEEK + "office,,6,2026-03-02,9999-12-31,rest,,,here,\n"),
        ("duty.bad_row", 4, WEEK + ",2026-03-07,,,,rest,,,here,\n"),
        ("duty.bad_row", 4, WEEK + "office,2026-03-07,,,,rest,,,here,,more\n"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(code: str, line: int, text: str) -> None:
    with pytest.raises(Problem) as told:
        load(text)
    named = told.value.particulars
    assert (told.value.kind.code, named["line"], named.get("file") or named["source"]) == (code, line, "calendar.csv")
    for language in ("zh", "en"):
        assert "<" not in told.value.sentence(language) + told.value.remedy(language)


def test_a_line_is_told_as_the_file_counts_it_though_other_files_are_held() -> None:
    held = bring(known(), "calendar", HEAD + WEEK, "calendar.2025.csv")
    with pytest.raises(Problem) as told:
        bring(held, "calendar", HEAD + "\n\noffice,2026-03-07,,,,work,25:00-26:00,,here,\n", "calendar.csv")
    assert (told.value.kind.code, told.value.particulars["file"], told.value.particulars["line"]) == ("calendar.bad_hours", "calendar.csv", 4)
    with pytest.raises(Problem) as told:
        bring(held, "calendar", HEAD + "office,,5,2026-03-02,2026-03-15,rest,,,here,\n", "calendar.csv")
    assert (told.value.kind.code, told.value.particulars["file"], told.value.particulars["line"]) == ("calendar.twice", "calendar.csv", 2)


def test_a_calendar_needs_its_columns_and_its_dates() -> None:
    with pytest.raises(Problem, match=r"duty\.bad_row.*calendar"):
        load("", "day,weekday,first,last,hours,note,source\n")
    with pytest.raises(Problem, match=r"calendar\.empty"):
        load("office,,daily,,,work,09:00-12:00,,here,\n")
    with pytest.raises(Problem, match=r"duty\.no_calendar"):
        load(WEEK, name="another")


def test_rows_that_say_the_same_are_no_contradiction_and_order_does_not_matter() -> None:
    more = "office,2026-03-07,,,,work,13:30-18:00; 09:00-12:00,调休,here,\n" * 2 + "office,,1,2026-03-09,,work,09:00－12：00,,here,yes\n"
    calendar = load(WEEK + more, "\ufeff" + HEAD)
    assert [day.spans for day in calendar.days if day.day == date(2026, 3, 7)] == [((540, 720), (810, 1080))]
    assert (calendar.first, calendar.last) == (date(2026, 3, 2), date(2026, 3, 15))
    assert load("\n".join(reversed((WEEK + more).strip().split("\n")))).days == calendar.days


def test_a_saturday_that_works_takes_the_hours_that_all_working_days_share() -> None:
    saturday = "office,2026-03-07,,,,work,,调休,here,\n"
    assert load(WEEK + saturday).due(parse_time("2026-03-06T11:00:00+08:00"), 120, "hours") == parse_time("2026-03-07T10:00:00+08:00")
    uneven = WEEK.replace("weekdays", "1") + "".join(f"office,,{n},2026-03-02,2026-03-15,work,09:00-1{n}:00,,here,\n" for n in (2, 3, 4, 5))
    with pytest.raises(Problem, match=r"calendar\.bad_hours"):
        load(uneven + saturday)


def test_what_is_provisional_says_so() -> None:
    calendar = load(WEEK.replace("here,\n", "here,yes\n") + "office,2026-03-07,,,,work,,调休,here,\n")
    told = {day: calendar.provisional(parse_time(f"2026-03-{day}T10:00:00+08:00")) for day in ("06", "07", "30")}
    assert told == {"06": True, "07": False, "30": True}
