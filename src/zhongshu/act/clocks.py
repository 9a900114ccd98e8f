"""The clocks of a case: the citizens' one, which never pauses, and the one limit on whoever holds it.

First cut: wall minutes, one limit for the whole case from its opening; 挂账 stops it and shifts the due time. Knows no verb.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zhongshu.kernel.clock import MINUTE, SECOND, rfc3339


@dataclass(frozen=True, slots=True)
class Limit:
    """A due time and the time from which it is near, both µs of UTC; None: no limit is set for this class."""

    due: int | None
    warn: int | None


def limit(opened: int, limit_minutes: int | None, warn_minutes: int | None) -> Limit:
    """Return the limit of a case opened then; where the duty row names no warning time, the last quarter warns."""
    if limit_minutes is None:
        return Limit(None, None)
    due = opened + limit_minutes * MINUTE
    return Limit(due, due - (limit_minutes * MINUTE // 4 if warn_minutes is None else warn_minutes * MINUTE))


def state(case: Mapping[Any, Any], now: int) -> str:
    """Return none (no limit set), parked, done, late (done too late), overdue, warning or due (time is left)."""
    if case["due"] is None:
        return "none"
    if case["closed"] is not None:
        return "late" if case["late"] else "done"
    if case["parked"] is not None:
        return "parked"
    if now > case["due"]:
        return "overdue"
    return "warning" if case["warn"] is not None and now >= case["warn"] else "due"


def show(case: Mapping[Any, Any], first_voice: int | None, now: int) -> dict[str, Any]:
    """Return both clocks for the page; seconds; `left_s` is negative once overdue and stands still while parked; `used_s` counts no pause."""
    started = case["opened"] if first_voice is None else min(first_voice, case["opened"])
    end = now if case["closed"] is None else case["closed"]
    stop = case["parked"] if case["parked"] is not None else end
    return {
        "citizen": {"started": rfc3339(started), "elapsed_s": max(0, end - started) // SECOND},
        "duty": {
            "holder": case["holder"],
            "started": rfc3339(case["held_since"]),
            "due": None if case["due"] is None else rfc3339(case["due"]),
            "left_s": None if case["due"] is None else (case["due"] - stop) // SECOND,
            "state": state(case, now),
            "used_s": max(0, stop - case["opened"] - case["paused"]) // SECOND,
        },
    }
