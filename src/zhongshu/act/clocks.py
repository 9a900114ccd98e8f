"""The clocks of a case: the citizens' one, which never pauses, and those of whoever is responsible: one for the whole case, one for each holder's part.

A holder's part begins when the task arrives, not when it is signed for, and ends when it was done, which may be known later (`hindsight`). What a part took, and to whom that is charged, is folded from the history
alone, so that a step taken back was never there. Knows no verb's permission.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from zhongshu.act.calendar import Mode
from zhongshu.act.deed import Deed
from zhongshu.act.duty import book, limit_of, moved, term
from zhongshu.act.duty.rota import Term
from zhongshu.act.states import PAUSES
from zhongshu.act.urgency import condition_for
from zhongshu.kernel.clock import SECOND, rfc3339

PARTS = {
    ("collect", ""): "verify",
    ("file", ""): "file",
    ("dispatch", ""): "dispatch",
    ("dispatch", "down"): "receipt",
    ("dispatch", "returned"): "review",
    ("dispatch", "disputed"): "ruling",
    ("handle", ""): "sign",
    ("handle", "taken"): "handle",
    ("feedback", ""): "feedback",
    ("check", ""): "check",
    ("check", "passed"): "close",
}
"""The part of the work that stands at each place: 核实, 立案, 派遣, 转派签收, 退单审核, 裁定, 签收, 处置, 反馈, 核查, 结案. Paused places have none."""

CHARGED = {"uphold": ("sign", "handle"), "reject": ("review",)}
"""What is charged to the other side: a return upheld, the time it lay with who it was not for, to the dispatcher; a return rejected, its review to who returned it."""

Columns = dict[str, Any]


def whole(deed: Deed, class_: str, opened: int, area: int) -> Columns:
    """Return the columns of a whole case's limit, from its opening (µs) by the row in force then, the urgent one where a mode (急) holds."""
    held, condition = book(deed.connection), condition_for(deed.connection, class_, area, opened)
    return _columns("due", term(held, limit_of(held, class_, "case", opened, condition), opened, deed.zone))


def part(deed: Deed, place: tuple[str, str], class_: str, area: int, begun: int | None = None) -> Columns:
    """Return the columns of the part of the work that begins with a holder, now or at a time shortly before (µs)."""
    at = deed.now if begun is None else begun
    held, name = book(deed.connection), PARTS.get(place, "")
    limit = limit_of(held, class_, name, at, condition_for(deed.connection, class_, area, at)) if name else None
    return {"part": name, "held_since": at, "held_told": 0} | _columns("held", term(held, limit, at, deed.zone))


def task_due(deed: Deed, class_: str, step: str) -> int | None:
    """Return when another party's task that begins now is due, by the limit of that step; None without one."""
    held = book(deed.connection)
    return term(held, limit_of(held, class_, step, deed.now), deed.now, deed.zone).due


def resumed(deed: Deed, case: Mapping[str, Any], at: int) -> Columns:
    """Return the columns after a pause that ended at a time: what was left of the whole case's limit is left again; the holder's part begins anew."""
    shifted = moved(book(deed.connection), _term("due", case), case["parked"], at, deed.zone)
    changes = {"parked": None, "parked_until": None, "paused": case["paused"] + at - case["parked"]}
    return changes if case["due_counted"] or case["due"] is None else changes | _columns("due", shifted)


def _columns(of: str, at: Term) -> Columns:
    return {
        "due" if of == "due" else "held_due": at.due,
        "warn" if of == "due" else "held_warn": at.warn,
        f"{of}_mode": at.mode,
        f"{of}_calendar": at.calendar,
    }


def _term(of: str, case: Mapping[str, Any]) -> Term:
    due, warn = ("due", "warn") if of == "due" else ("held_due", "held_warn")
    return Term(case[due], case[warn], cast("Mode", case[f"{of}_mode"] or "wall"), case[f"{of}_calendar"])


@dataclass(frozen=True, slots=True)
class Holding:
    """One part with one holder: from and to (µs; None: still), when it was due, and to whom its time is charged."""

    part: str
    holder: str
    start: int
    end: int | None
    due: int | None
    charged: str

    @property
    def late(self) -> bool | None:
        """Tell whether it took longer than its limit; None without one, or while it lasts."""
        return None if self.due is None or self.end is None else self.end > self.due


def holdings(history: Iterable[Mapping[str, Any]]) -> list[Holding]:
    """Fold a case's history into who held it when; lines that were taken back, and those that took them back, are left out."""
    lines = list(history)
    undone = {line["detail"].get("undoes") for line in lines if line["detail"].get("undoes")}
    found: list[Holding] = []
    for line in lines:
        if line["seq"] in undone or line["verb"] == "undo" or "held" not in line["detail"]:
            continue
        if found and found[-1].end is None:
            found[-1] = replace(found[-1], end=line["detail"].get("ended", {}).get("at", line["at"]))
        begun = line["detail"]["held"]
        if line["verb"] in CHARGED:
            _charge(found, line["verb"])
        if begun["part"]:
            found.append(Holding(begun["part"], begun["holder"], begun.get("since", line["at"]), None, begun["due"], begun["holder"]))
    return found


def _charge(found: list[Holding], verb: str) -> None:
    """Charge the parts that end with this verb to the other side, back to the last dispatch."""
    parts = CHARGED[verb]
    returner = next((each.holder for each in reversed(found) if each.part in {"sign", "handle"}), "")
    sender = next((each.holder for each in reversed(found) if each.part in {"dispatch", "ruling"}), "dispatcher")
    for i in range(len(found) - 1, -1, -1):
        if found[i].part == "dispatch":
            return
        if found[i].part in parts:
            found[i] = replace(found[i], charged=sender if verb == "uphold" else returner)
            if verb == "reject":
                return


def state(case: Mapping[Any, Any], now: int) -> str:
    """Return none (no limit set), parked, done, late (done too late), overdue, warning or due (time is left)."""
    if case["due"] is None:
        return "none"
    if case["closed"] is not None:
        return "late" if case["late"] else "done"
    if case["parked"] is not None:
        return "parked"
    return _stands(case["due"], case["warn"], now)


def _stands(due: int, warn: int | None, now: int) -> str:
    if now > due:
        return "overdue"
    return "warning" if warn is not None and now >= warn else "due"


def show(case: Mapping[Any, Any], first_voice: int | None, now: int) -> dict[str, Any]:
    """Return the clocks for the page; seconds; `left_s` is negative once overdue and stands still while paused; `used_s` counts no pause."""
    started = case["opened"] if first_voice is None else min(first_voice, case["opened"])
    end = now if case["closed"] is None else case["closed"]
    stop = case["parked"] if case["parked"] is not None else end
    held_due = case["held_due"] if case["closed"] is None else None
    return {
        "citizen": {"started": rfc3339(started), "elapsed_s": max(0, end - started) // SECOND},
        "duty": {
            "holder": case["holder"],
            "started": rfc3339(case["held_since"]),
            "due": None if case["due"] is None else rfc3339(case["due"]),
            "left_s": None if case["due"] is None else (case["due"] - stop) // SECOND,
            "state": state(case, now),
            "mode": case["due_mode"] or "wall",
            "used_s": max(0, stop - case["opened"] - case["paused"]) // SECOND,
        },
        "part": {
            "part": case["part"],
            "holder": case["holder"],
            "started": rfc3339(case["held_since"]),
            "due": None if held_due is None else rfc3339(held_due),
            "left_s": None if held_due is None else (held_due - now) // SECOND,
            "state": "none" if held_due is None else _stands(held_due, case["held_warn"], now),
            "pause": case["mark"] if case["mark"] in PAUSES else "",
        },
    }
