"""Links between voices and leads: one event is joined where it is sure, else proposed; one cause (同类) and one person (同人) are only linked; each with why, each taken back whole.

Knows what `lead` does with a join; decides nothing a person could not undo.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select

from zhongshu.act import lead as leads
from zhongshu.act import states
from zhongshu.act.assist import EVENT
from zhongshu.act.assist import Link as Seen
from zhongshu.act.deed import Deed
from zhongshu.act.given import Given
from zhongshu.act.nearness import Reason, near
from zhongshu.act.shown import Document, hide, in_scope
from zhongshu.act.tables import case_file, lead, lead_link, request
from zhongshu.kernel.grade import Scope

JOINED = 0.9
"""From this share on a voice is joined to another of the same event by itself."""
MAYBE = "maybe_event"
"""The kind of a link that is only proposed: two leads that may be one, for a person to join or to leave."""
MOST = 3
"""So many leads near it are proposed for one that is no voice."""


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
            _event(deed, told, other, link)
        else:
            _write(deed, {"lead": other["lead"], "request": told["id"], "other": None, "kind": link.kind}, (link.reason_zh, link.reason_en))
    deed.assistant.heard(told)


def look_around(deed: Deed, row: Mapping[str, Any]) -> None:
    """Propose for an open lead those of its kind near it in place and time, nearest first: for what no assistant reads, and for what has just been put on the map."""
    if row["state"] == "open":
        around = [(other, why) for other, why in near(deed, row) if leads.may_join(deed, other)]
        for other, why in around[:MOST]:
            _propose(deed, row["id"], other["id"], (why.zh, why.en))


def decide(deed: Deed, lead_id: str, verb: str, given: Given, of: str = "") -> dict[str, Any]:
    """Do what `lead.decide` does; of a lead that now has its place it is said what it may be the same as."""
    row = leads.decide(deed, lead_id, verb, given, of)
    if verb == "place":
        look_around(deed, row)
    return row


def split(connection: Connection, scope: Scope, rows: Iterable[Document]) -> list[Document]:
    """Return leads with what may be the same beside what was joined: `suggested` while both may still become one, the likeliest first; each with the other's names."""
    rows = list(rows)
    far = _far(connection, scope, {link["lead"] for row in rows for link in row["links"] if link["lead"]})
    return [row | {"links": _joined(row, far), "suggested": _suggested(row, far)} for row in rows]


def _suggested(row: Document, far: Mapping[str, Document]) -> list[Document]:
    if row["state"] != "open":
        return []
    return [link | _names(far[link["lead"]]) for link in row["links"] if link["kind"] == MAYBE and far.get(link["lead"], {}).get("joinable")]


def _joined(row: Document, far: Mapping[str, Document]) -> list[Document]:
    return [link | _names(far.get(link["lead"], {})) for link in row["links"] if link["kind"] != MAYBE]


def _names(other: Mapping[str, Any]) -> Document:
    return {name: other.get(name) for name in ("number", "title_zh", "title_en", "case")}


def _far(connection: Connection, scope: Scope, ids: set[str]) -> dict[str, Document]:
    """Return what is told of leads at the other end, within the asker's scope."""
    c = lead.c
    query = select(c.id, c.number, c.title_zh, c.title_en, c.case_id.label("case"), c.state, case_file.c.step).join(case_file, case_file.c.id == c.case_id, isouter=True)
    found = connection.execute(query.where(c.id.in_(ids), *in_scope(c, scope))).mappings() if ids else ()
    return {row["id"]: hide(dict(row), scope) | {"joinable": row["state"] == "open" or (row["state"] == "filed" and states.STEPS[row["step"]].open)} for row in found}


def _known(deed: Deed, ids: list[str]) -> dict[str, dict[str, Any]]:
    rows = deed.connection.execute(select(request).where(request.c.id.in_(ids))).mappings() if ids else ()
    return {row["id"]: dict(row) for row in rows}


def _event(deed: Deed, told: Mapping[str, Any], other: Mapping[str, Any], link: Seen) -> None:
    """Join a voice that still stands alone to another's lead, if it is surely the same event; propose it, if it may be."""
    own = leads.get(deed, told["lead"])
    alone = own["state"] == "open" and own["external"] == told["id"]
    if not alone or other["lead"] == told["lead"] or not leads.may_join(deed, leads.get(deed, other["lead"])):
        return
    if link.share >= JOINED:
        leads.link_voice(deed, told["id"], other["lead"], Reason(0.0, 0, link.reason_zh, link.reason_en))
    else:
        _propose(deed, own["id"], other["lead"], (link.reason_zh, link.reason_en))


def _propose(deed: Deed, own: str, other: str, why: tuple[str, str]) -> None:
    """Propose two leads as one, once, whatever became of it then."""
    c = lead_link.c
    pair = or_(and_(c.lead == other, c.other == own), and_(c.lead == own, c.other == other))
    if deed.connection.execute(select(func.count()).where(c.kind == MAYBE, pair)).scalar_one() == 0:
        _write(deed, {"lead": other, "request": None, "other": own, "kind": MAYBE}, why)


def _write(deed: Deed, ends: Mapping[str, Any], why: tuple[str, str]) -> None:
    words = {"before": "{}", "reason_zh": why[0], "reason_en": why[1]}
    deed.connection.execute(insert(lead_link), {**ends, **words, "made": deed.now, "made_by": deed.actor.id, "undone": None, "undone_by": None})
