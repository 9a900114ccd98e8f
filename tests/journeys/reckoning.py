"""A desk reckoned up from its history alone: nobody forgotten, no clock that does not add up, no step skipped, no figure that the lines do not bear out."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from zhongshu.act import clocks, machine, states
from zhongshu.app import Assembly

Line = dict[str, Any]
_KEPT = "NOT EXISTS (SELECT 1 FROM case_step AS later WHERE json_extract(later.detail, '$.undoes') = line.seq)"
_COUNT = "SELECT count(*) FROM case_step AS line WHERE " + _KEPT + " AND "
_CLOSED = f"""
    SELECT ended.subject, ended.happened <= due.happened AS on_time FROM case_step AS ended LEFT JOIN case_step AS due ON due.subject = ended.subject AND due.verb = 'due'
    WHERE ended.verb = 'close' AND ended.seq = (SELECT min(line.seq) FROM case_step AS line WHERE line.subject = ended.subject AND line.verb = 'close' AND {_KEPT})"""
FIGURES = {
    "received": ("Request.received", _COUNT + "line.kind = 'request' AND line.verb = 'received'"),
    "filed": ("Case.opened", _COUNT + "line.kind = 'case' AND line.from_step = '' AND line.verb IN ('report', 'patrol', 'confirm')"),
    "dispatched": ("Case.dispatched", _COUNT + "line.kind = 'case' AND line.verb IN ('dispatch', 'rule')"),
    "returns upheld": ("Case.dispatch_returned", _COUNT + "line.kind = 'case' AND line.verb = 'uphold'"),
    "redone": ("Case.redone", _COUNT + "line.kind = 'case' AND line.verb = 'check_fail'"),
    "closed": ("Case.closed", "SELECT count(DISTINCT subject) FROM case_step WHERE verb = 'close'"),
    "closed on time": ("Case.closed_on_time", f"SELECT count(*) FROM ({_CLOSED}) WHERE on_time"),
    "closed late": ("", f"SELECT count(*) FROM ({_CLOSED}) WHERE NOT on_time"),
    "reopened": ("Case.reopened", _COUNT + "line.kind = 'case' AND line.verb IN ('reopen', 'unsolved')"),
    "handled on the spot": ("Case.self_handled", _COUNT + "line.kind = 'case' AND line.verb = 'self_handle'"),
}
"""What is counted: by which property of the readings, and by which plain query over the history."""


@dataclass
class Reckoned:
    """What a desk comes to: figures by the readings and by the history, lines by verb, how much was checked, and what is not in order."""

    from_relay: dict[str, int]
    from_history: dict[str, int]
    lines: Counter[str]
    checked: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def reckon(parts: Assembly) -> Reckoned:
    """Reckon a desk up; everything has been handed over."""
    table = parts.lake.query("SELECT property, sum(ticks) AS n FROM readings WHERE source = 'desk' GROUP BY property").to_pylist()
    relayed = {row["property"]: int(row["n"]) for row in table}
    return parts.desk.read(lambda conn: _reckon(conn, relayed))


def _reckon(conn: Connection, relayed: Mapping[str, int]) -> Reckoned:
    counted = {name: int(conn.exec_driver_sql(sql).scalar_one()) for name, (_, sql) in FIGURES.items()}
    told = {name: relayed.get(prop, 0) for name, (prop, _) in FIGURES.items() if prop}
    told["closed late"] = told["closed"] - told["closed on time"] - int(conn.exec_driver_sql(f"SELECT count(*) FROM ({_CLOSED}) WHERE on_time IS NULL").scalar_one())
    lines = Counter({str(row[0]): int(row[1]) for row in conn.exec_driver_sql("SELECT verb, count(*) FROM case_step GROUP BY verb")})
    out = Reckoned(told, counted, lines)
    out.wrong += [f"{name}: {told[name]} by the readings, {counted[name]} by the history" for name in FIGURES if told[name] != counted[name]]
    _voices(conn, out)
    for case in conn.exec_driver_sql("SELECT * FROM case_file").mappings().all():
        found = conn.exec_driver_sql("SELECT * FROM case_step WHERE subject = ? ORDER BY seq", (case["id"],)).mappings().all()
        _case(case, [dict(line) | {"detail": json.loads(line["detail"])} for line in found], out)
    return out


def _voices(conn: Connection, out: Reckoned) -> None:
    """See that every voice was answered, was put through to someone, or is with a holder by its case or its lead."""
    rows = conn.exec_driver_sql("""
        SELECT told.number, told.state, told.answered, told.transferred, led.state AS lead, held.step, held.holder
        FROM request AS told LEFT JOIN lead AS led ON led.id = told.lead LEFT JOIN case_file AS held ON held.id = told.case_id""").mappings()
    for row in rows:
        how = (
            "answered" if row["answered"] is not None
            else "put through" if row["state"] == "transferred" and row["transferred"]
            else "with a case's holder" if row["holder"] and states.STEPS[row["step"]].open
            else "with a lead's reviewers" if row["lead"] == "open"
            else ""
        )  # fmt: skip
        out.checked[f"voices {how or 'nowhere'}"] += 1
        if not how:
            out.wrong.append(f"voice {row['number']}: neither answered nor anybody's ({row['state']}, lead {row['lead']}, case {row['step']})")


def _case(case: Mapping[Any, Any], lines: list[Line], out: Reckoned) -> None:
    """See that a case's history leads to where it stands, that its time adds up, and that its limit moved by its pauses exactly."""
    name, stands = case["number"], (case["step"], case["mark"])
    if (walked := machine.replay(lines)) != stands:
        out.wrong.append(f"case {name}: the history leads to {walked}, it stands at {stands}")
    out.checked["cases walked"] += 1
    undone = {line["detail"]["undoes"] for line in lines if line["detail"].get("undoes")}
    kept = [line for line in lines if line["seq"] not in undone and line["verb"] != "undo"]
    if (case["closed"] is None) != states.STEPS[case["step"]].open:
        out.wrong.append(f"case {name}: closed at {case['closed']} and at {stands}")
    pauses, shut = _between(kept, "parked"), _between(kept, "closed")
    end = case["closed"] if case["closed"] is not None else lines[-1]["at"]
    held = [each for each in clocks.holdings(lines) if each.start < end]
    spent = sum((end if each.end is None else each.end) - each.start for each in held)
    gone = sum((end if until is None else until) - since for since, until in pauses)
    away = sum(until - since for since, until in shut if until is not None)
    if spent + gone + away != end - case["opened"]:
        out.wrong.append(f"case {name}: held {spent} + paused {gone} + shut {away} µs is not {end - case['opened']} µs from {case['opened']} to {end}")
    out.checked["clocks that add up" if case["closed"] is not None else "clocks that add up so far"] += 1
    if case["due_mode"] == "wall" and case["due"] is not None:
        _limit(case, kept, out)


def _when(line: Line) -> int:
    """Return when a line held: what time alone brings about came when it was due, and was written when the city looked."""
    return int(line["happened"] if line["actor"] == "system" else line["at"])


def _between(lines: list[Line], what: str) -> list[tuple[int, int | None]]:
    """Return the stretches in which a case was paused, or closed: from and to, None: still."""

    def is_so(line: Line) -> bool:
        return line["to_mark"] in states.PAUSES if what == "parked" else line["to_step"] == "closed"

    found: list[tuple[int, int | None]] = []
    for line in lines:
        if line["verb"] in machine.NOTED:
            continue
        if found and found[-1][1] is None and not is_so(line):
            found[-1] = (found[-1][0], _when(line))
        elif is_so(line) and (not found or found[-1][1] is not None):
            found.append((_when(line), None))
    return found


def _limit(case: Mapping[Any, Any], lines: list[Line], out: Reckoned) -> None:
    """Follow a limit of the wall clock through the history: shifted by its pauses exactly, moved where it was extended, begun anew where it was opened again."""
    shift, since, until, begun = 0, None, None, case["opened"]
    counted = False
    for line in lines:
        if line["verb"] == "due":
            counted = True
        elif line["to_mark"] in states.PAUSES and since is None:
            since = _when(line)
        elif line["verb"] == "resume" and since is not None:
            shift, since = shift + (0 if counted else _when(line) - since), None
        elif line["verb"] == "extend":
            until, shift = line["detail"]["until"], 0
        elif line["verb"] in {"reopen", "unsolved"}:
            until, shift, begun = None, 0, line["at"]
    whole = case["due"] - shift - (begun if until is None else 0)
    if until is not None and whole != until:
        out.wrong.append(f"case {case['number']}: extended until {until} and paused {shift} µs since, it is due at {case['due']}")
    if until is None and whole % 60_000_000:
        out.wrong.append(f"case {case['number']}: due at {case['due']}, {whole} µs after {begun} without its pauses ({shift} µs): no limit is that")
    out.checked["limits followed"] += 1
    if until is None:
        out.checked[f"limit {case['class']} {whole // 60_000_000} min"] += 1
