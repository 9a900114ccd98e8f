"""The main path of this stage: a finding or a request becomes a lead, a lead a case, a case goes its steps to its outcome.

What comes in is taken once: requests by (source, external id) and journal offset, findings by their id. Knows no journal, no rule, no URL.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as upsert

from zhongshu.act import case as cases
from zhongshu.act import docket, filing, links, voice
from zhongshu.act import lead as leads
from zhongshu.act.deed import SYSTEM, Deed
from zhongshu.act.given import Given, NewCase
from zhongshu.act.office import Office
from zhongshu.act.tables import desk_cursor
from zhongshu.kernel.finding import Finding
from zhongshu.kernel.problem import Problem

REQUESTS = "requests"
SLICE = 100
"""So many requests of a large entry are taken at once."""


@dataclass(slots=True)
class Taken:
    """What became of a journal entry's requests: how many were new, known already, closed at their source, and which could not be taken."""

    new: int = 0
    known: int = 0
    closed: int = 0
    refused: list[voice.Refusal] = field(default_factory=list)


def take_finding(deed: Deed, finding: Finding, seen: leads.Seen, *, file_it: bool = False) -> tuple[dict[str, Any], bool]:
    """Open a finding's lead, once; with `file_it` (the rule's, or the city's own switch) also its case, where people have found such leads true often enough.

    Returns (lead, whether it is new).
    """
    own = deed.by(SYSTEM)
    row, new = leads.from_finding(own, finding, seen)
    if new and (file_it or filing.switched_on(own, finding.rule, seen.device)) and filing.proven(own, finding.rule, seen.device):
        row = leads.decide(own, row["id"], "confirm", Given(reason="按规则自动立案 · filed by rule"))
    elif new:
        links.look_around(own, row)
    return row, new


def finding_ended(deed: Deed, finding: str) -> None:
    """Note that a finding is over: on its lead if that is still open; its case goes on to its check."""
    leads.ended(deed.by(SYSTEM), finding)


def take_request(deed: Deed, voice_: voice.Voice) -> tuple[dict[str, Any], str]:
    """Keep one voice and lead it on: to a lead, or, if it is another system's row, to an imported case. Returns (request, new | known | closed)."""
    own = deed.by(SYSTEM)
    row, new = voice.receive(deed if voice_.channel == "phone" and not voice_.imported else own, voice_)  # who takes a call is known
    if voice_.imported:
        return row, _import(own, row, voice_, new=new)
    if new:
        leads.from_request(own, row)
        links.note(own, voice.get(own, row["id"]))
        row = voice.get(own, row["id"])
    return row, "new" if new else "known"


def take_requests(deed: Deed, offset: int, documents: Iterable[dict[str, Any]]) -> Taken:
    """Consume one journal entry of requests; an entry at or before the last offset taken changes nothing. Bad rows never cost good ones.

    A document names its `source`. With no documents it notes that there were none for us up to this offset.
    """
    taken = Taken()
    if offset > consumed(deed.connection):
        _take(deed, documents, taken)
        statement = upsert(desk_cursor).values(name=REQUESTS, done=offset)
        deed.connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"done": offset}))
    return taken


def consume(office: Office, offset: int, documents: Sequence[dict[str, Any]]) -> Taken:
    """Consume an entry of any size in slices, so that a large import never keeps people from the desk; broken off, it is taken up again."""
    total = Taken()
    if offset <= office.read(consumed):
        return total
    for start in range(0, max(len(documents) - SLICE, 0), SLICE):
        part = documents[start : start + SLICE]
        office.write(SYSTEM, lambda deed, part=part: _take(deed, part, total))  # type: ignore[misc]
    rest = documents[max(0, len(documents) - 1) // SLICE * SLICE :]
    last = office.write(SYSTEM, lambda deed: take_requests(deed, offset, rest))
    return Taken(total.new + last.new, total.known + last.known, total.closed + last.closed, total.refused + last.refused)


def _take(deed: Deed, documents: Iterable[dict[str, Any]], taken: Taken) -> None:
    for document in documents:
        try:
            told = voice.read(document)
        except Problem as problem:
            taken.refused.append(voice.Refusal(str(document.get("id", "")), problem.kind.code, problem.particulars))
            continue
        _, outcome = take_request(deed, told)
        setattr(taken, outcome, getattr(taken, outcome) + 1)


def consumed(connection: Connection) -> int:
    """Return the journal offset up to which requests have been taken; the journal may forget them up to here."""
    return connection.execute(select(desk_cursor.c.done).where(desk_cursor.c.name == REQUESTS)).scalar_one_or_none() or 0


def _import(deed: Deed, row: dict[str, Any], told: voice.Voice, *, new: bool) -> str:
    """Enter another system's row as a case with only what the row proves: opened, due, closed."""
    if new:
        odd = ["due_before_opened"] if told.due is not None and told.due <= told.created else []
        opened = cases.open_case(
            deed,
            NewCase(
                "import",
                told.class_,
                told.class_ or "外部案件",
                told.class_ or "Imported case",
                told.area,
                told.source,
                address=told.address,
                lon=told.lon,
                lat=told.lat,
                opened=told.created,
                due=told.due,
                flags=tuple(dict.fromkeys([*told.flags, *odd])),
                voices=1,
            ),
        )
        voice.change(deed, row, case_id=opened["id"])
        case_id = opened["id"]
    else:
        case_id = row["case_id"]
    if told.closed is None or case_id is None or docket.get(deed, case_id)["step"] != "imported":
        return "new" if new else "known"
    cases.do(deed, case_id, "source_close", Given(happened=told.closed))
    voice.answer(deed, row["id"], "", told.closed)
    return "new" if new else "closed"
