"""What is asked for in an address: words that are known, and spans of days of the city. Knows no store."""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo

from zhongshu.act.states import STEPS
from zhongshu.kernel.clock import parse_time, to_us
from zhongshu.kernel.problem import Problem, declare

UNKNOWN_WORD = declare(
    "record.unknown_word",
    "invalid",
    zh=("{field} 不能是“{text}”。", "可以是：{known}。"),
    en=("{field} cannot be '{text}'.", "It can be: {known}."),
)
BAD_DUE = declare(
    "record.bad_due",
    "invalid",
    zh=("due 看不懂“{text}”。", "请写一天（2026-07-01）、一个带时区的时刻，或用“..”连接的一段：2026-07-01..2026-07-05、..2026-07-01、2026-07-01..。"),
    en=(
        "due '{text}' cannot be read.",
        "Write a day (2026-07-01), a moment with its offset, or a span: 2026-07-01..2026-07-05, ..2026-07-01 or 2026-07-01..",
    ),
)
STATES = ("all", "open", "overdue", "closed", "late", "void")
"""`overdue`: open and past due, as it is counted; `late`: those, and what was closed after it was due."""
ORDERS = ("opened", "due", "next")
"""`next`: by what runs out first, the case's own limit or its holder's part; what stands still comes last."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_LEAST = timedelta(milliseconds=1)
"""Times are shown to the millisecond, so a moment is as long as that."""


def known(field: str, text: str, words: Iterable[str]) -> str:
    """Return a word that is known. Raises `record.unknown_word`."""
    words = tuple(words)
    if text not in words:
        raise UNKNOWN_WORD(field=field, text=text[:100], known=", ".join(words))
    return text


def state(text: str) -> str:
    """Return a state of `STATES`; nothing is all."""
    return known("state", text, STATES) if text else "all"


def step(text: str) -> str:
    """Return a step of a case, or ''."""
    return known("step", text, filter(None, STEPS)) if text else ""


def order(text: str) -> str:
    """Return an order of `ORDERS`; nothing is the first."""
    return known("order", text, ORDERS) if text else ORDERS[0]


def due(text: str, zone: tzinfo) -> tuple[int | None, int | None] | None:
    """Return the half-open span (µs; None: without end) that is meant by a day, a moment, or two of them with `..` between; the last day counts. Raises `record.bad_due`."""
    if not text:
        return None
    first, between, last = text.partition("..")
    try:
        low, high = _span(first, zone) if first else (None, None), _span(last, zone) if last else (None, None)
    except (ValueError, OverflowError, Problem):
        raise BAD_DUE(text=text[:100]) from None
    if not between:
        return low
    found = low[0], high[1]
    if found == (None, None) or (found[0] is not None and found[1] is not None and found[0] >= found[1]):
        raise BAD_DUE(text=text[:100])
    return found


def _span(text: str, zone: tzinfo) -> tuple[int, int]:
    """Return how long a day of the city is, or a moment."""
    if _DAY.fullmatch(text):
        day = date.fromisoformat(text)
        first, after = (datetime(each.year, each.month, each.day, tzinfo=zone) for each in (day, day + timedelta(days=1)))
        return to_us(first), to_us(after)
    moment = parse_time(text.replace(" ", "+") if "T" in text else text)  # a plus sign in an address is a space
    return moment, moment + _LEAST // timedelta(microseconds=1)
