"""Findings as the desk keeps them, and the watch's memory beside them, saved in one transaction so that neither is ever ahead."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, text

from zhongshu.judge.watch import Memory, Outcome
from zhongshu.kernel.area import interval, show_area
from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.finding import Finding
from zhongshu.kernel.grade import Scope
from zhongshu.kernel.problem import declare

UNKNOWN_FINDING = declare(
    "finding.unknown",
    "unknown",
    zh=("没有编号为 {id} 的告警。", "请刷新列表。"),
    en=("There is no finding {id}.", "Refresh the list."),
)

_KEEP = text(
    "INSERT INTO finding (id, rule, version, indicator, area, level, value, opened, changed, closed, evidence) "
    "VALUES (:id, :rule, :version, :indicator, :area, :level, :value, :opened, :changed, :closed, :evidence) "
    "ON CONFLICT (id) DO UPDATE SET level = excluded.level, value = excluded.value, changed = excluded.changed, closed = excluded.closed, evidence = excluded.evidence"
)
_EVENT = text("INSERT INTO finding_event (finding, kind, at, level, value, actor, detail) VALUES (:finding, :kind, :at, :level, :value, :actor, '{}')")
_REMEMBER = text("INSERT INTO watch_state (key, value, changed) VALUES ('memory', :value, :at) ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed = excluded.changed")


def keep(conn: Connection, outcome: Outcome, memory: dict[str, Any]) -> None:
    """Save what a boundary brought, and the memory as of it; saying it twice changes nothing but adds no event either."""
    for kind, findings in (("opened", outcome.opened), ("changed", outcome.changed), ("closed", outcome.closed)):
        for finding in findings:
            _put(conn, finding)
            seen = conn.execute(text("SELECT 1 FROM finding_event WHERE finding = :f AND kind = :k AND at = :at"), {"f": finding.id, "k": kind, "at": outcome.at}).first()
            if seen is None:
                conn.execute(_EVENT, {"finding": finding.id, "kind": kind, "at": outcome.at, "level": str(finding.level), "value": finding.value, "actor": "watch"})
    conn.execute(_REMEMBER, {"value": json.dumps(memory), "at": outcome.at})


def _put(conn: Connection, f: Finding) -> None:
    conn.execute(
        _KEEP,
        {
            "id": f.id,
            "rule": f.rule,
            "version": f.version,
            "indicator": f.indicator,
            "area": f.area,
            "level": str(f.level),
            "value": f.value,
            "opened": f.opened,
            "changed": f.changed,
            "closed": f.closed,
            "evidence": json.dumps(f.evidence),
        },
    )


def recall(conn: Connection) -> Memory:
    """Return the watch's memory as it was last saved."""
    row = conn.execute(text("SELECT value FROM watch_state WHERE key = 'memory'")).first()
    return Memory() if row is None else Memory.load(json.loads(row[0]))


def acknowledge(conn: Connection, id_: str, actor: str, now: int) -> None:
    """Note who has taken notice of a finding; the first one stays."""
    done = conn.execute(
        text("UPDATE finding SET acknowledged_by = :actor, acknowledged_at = :now WHERE id = :id AND acknowledged_by IS NULL"), {"actor": actor, "now": now, "id": id_}
    )
    if done.rowcount:
        conn.execute(_EVENT, {"finding": id_, "kind": "acknowledged", "at": now, "level": "", "value": None, "actor": actor})


def get(conn: Connection, id_: str) -> dict[str, Any]:
    """Return one finding's row."""
    row = conn.execute(text("SELECT * FROM finding WHERE id = :id"), {"id": id_}).mappings().first()
    if row is None:
        raise UNKNOWN_FINDING(id=id_)
    return dict(row)


def listing(conn: Connection, scope: Scope, state: str = "", area: int | None = None, indicator: str = "", limit: int = 200) -> list[dict[str, Any]]:
    """Return findings within a scope, newest first, as documents."""
    where, bound = ["1 = 1"], dict[str, Any](limit=limit)
    if state in {"open", "closed"}:
        where.append(f"closed IS {'NULL' if state == 'open' else 'NOT NULL'}")
    if area is not None:
        bound["low"], bound["high"] = interval(area)
        where.append("area >= :low AND area < :high")
    if indicator:
        bound["indicator"] = indicator
        where.append("indicator = :indicator")
    where.append("(" + (" OR ".join(f"(area >= {low:d} AND area < {high:d})" for low, high in scope.areas) or "1 = 0") + ")")
    rows = conn.execute(text(f"SELECT * FROM finding WHERE {' AND '.join(where)} ORDER BY opened DESC LIMIT :limit"), bound).mappings()
    return [document(dict(row)) for row in rows]


def unacknowledged(conn: Connection) -> dict[tuple[str, int], str]:
    """Return open findings nobody has taken notice of: {(indicator, area): id}."""
    rows = conn.execute(text("SELECT indicator, area, id FROM finding WHERE closed IS NULL AND acknowledged_by IS NULL"))
    return {(row[0], row[1]): row[2] for row in rows}


def document(row: dict[str, Any]) -> dict[str, Any]:
    """Turn a finding's row into what the API shows."""
    evidence = row["evidence"]
    return {
        "id": row["id"],
        "rule": row["rule"],
        "version": row["version"],
        "indicator": row["indicator"],
        "area": show_area(row["area"]),
        "level": row["level"],
        "value": row["value"],
        "opened": rfc3339(row["opened"]),
        "changed": rfc3339(row["changed"]),
        "closed": None if row["closed"] is None else rfc3339(row["closed"]),
        "evidence": json.loads(evidence) if isinstance(evidence, str) else evidence,
        "acknowledged_by": row.get("acknowledged_by"),
    }


def documents(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Turn findings of a boundary into documents."""
    return [
        document({**{k: getattr(f, k) for k in ("id", "rule", "version", "indicator", "area", "value", "opened", "changed", "closed", "evidence")}, "level": str(f.level)})
        for f in findings
    ]
