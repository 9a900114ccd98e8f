"""Filing without a person: switched on by the city for a rule and a class of device, and only where people have found such leads true often enough.

The precision is measured from the leads they reviewed; it falls again when they find false ones. Knows no rule's meaning.
"""

from typing import Any

from sqlalchemy import Connection, select

from zhongshu.act import duty
from zhongshu.act.deed import Deed
from zhongshu.act.tables import case_step, lead
from zhongshu.kernel.clock import DAY

SPAN = 90 * DAY
MOST = 2000
"""The latest reviewed leads that count: of so much time, and no more than so many."""


def switched_on(deed: Deed, rule: str, device: str) -> bool:
    """Tell whether the city has switched filing on for a rule and a class of device."""
    held = duty.book(deed.connection)
    row = held.at("filing", (rule, device), deed.now) or held.at("filing", (rule, ""), deed.now)
    return row is not None and bool(row.cells["on"])


def proven(deed: Deed, rule: str, device: str) -> bool:
    """Tell whether enough such leads were reviewed by people, and enough of them were true; a city that asks for no reviews takes the rule at its word."""
    least, reviews = (duty.figure(deed.connection, name, deed.now) for name in ("file_precision", "file_reviews"))
    if not reviews:
        return True
    found = precision(deed.connection, rule, device, deed.now)
    return found["reviewed"] >= reviews and 100 * found["true"] > least * found["reviewed"]


def precision(connection: Connection, rule: str, device: str, now: int) -> dict[str, int]:
    """Return {reviewed, true}: how many leads of a rule and class of device people reviewed lately, and how many they filed or joined."""
    opened = (
        select(lead.c.state, lead.c.decided_by, case_step.c.detail)
        .join(case_step, (case_step.c.subject == lead.c.id) & (case_step.c.verb == "opened"))
        .where(lead.c.kind == "finding", lead.c.state != "open", lead.c.opened >= now - SPAN)
        .order_by(lead.c.opened.desc())
        .limit(MOST)
    )
    mine: list[dict[str, Any]] = [
        dict(row) for row in connection.execute(opened).mappings() if row["decided_by"] != "system" and (row["detail"].get("rule"), row["detail"].get("device")) == (rule, device)
    ]
    return {"reviewed": len(mine), "true": sum(row["state"] != "false" for row in mine)}
