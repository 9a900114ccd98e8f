"""Links between voices that the assistant sees: one event is joined, one cause (同类) and one person (同人) are only linked; each with why, each taken back whole.

Knows what `lead` does with a join; decides nothing a person could not undo.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select

from zhongshu.act import lead as leads
from zhongshu.act.assist import EVENT
from zhongshu.act.assist import Link as Seen
from zhongshu.act.deed import Deed
from zhongshu.act.tables import lead_link, request

JOINED = 0.9
"""From this share on a voice is joined to another of the same event by itself."""


def note(deed: Deed, told: Mapping[str, Any]) -> None:
    """Link a new voice to earlier ones as the assistant proposes, and let the assistant remember it."""
    if deed.assistant is None or not told["text"]:
        return
    found = deed.assistant.links(told)
    known = _known(deed, [link.other for link in found])
    for link in found:
        other = known.get(link.other)
        if other is None or other["lead"] is None:
            continue
        if link.kind == EVENT:
            _join(deed, told, other, link)
        else:
            _write(deed, told, other, link)
    deed.assistant.heard(told)


def _known(deed: Deed, ids: list[str]) -> dict[str, dict[str, Any]]:
    rows = deed.connection.execute(select(request).where(request.c.id.in_(ids))).mappings() if ids else ()
    return {row["id"]: dict(row) for row in rows}


def _join(deed: Deed, told: Mapping[str, Any], other: Mapping[str, Any], link: Seen) -> None:
    """Join a voice that still stands alone to another's lead, if it is surely the same event."""
    own = leads.get(deed, told["lead"])
    alone = own["state"] == "open" and own["external"] == told["id"]
    if alone and link.share >= JOINED and other["lead"] != told["lead"] and leads.may_join(deed, leads.get(deed, other["lead"])):
        leads.link_voice(deed, told["id"], other["lead"], leads.Reason(0.0, 0, link.reason_zh, link.reason_en))


def _write(deed: Deed, told: Mapping[str, Any], other: Mapping[str, Any], link: Seen) -> None:
    row = {"lead": other["lead"], "request": told["id"], "other": None, "before": "{}", "kind": link.kind, "reason_zh": link.reason_zh, "reason_en": link.reason_en}
    deed.connection.execute(insert(lead_link), row | {"made": deed.now, "made_by": deed.actor.id, "undone": None, "undone_by": None})
