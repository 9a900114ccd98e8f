"""What the desk holds of voices, as documents: for who reported what became of it, for the desk also what is proposed. Reads only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, false, func, or_, select, tuple_

from zhongshu.act import callers, duty, hotline, machine, states
from zhongshu.act.duty.rota import limit_of, term
from zhongshu.act.record import history
from zhongshu.act.shown import Document, in_scope, page_mark, show_voice, time_of
from zhongshu.act.tables import case_file, case_step, evidence, lead, lead_link, request
from zhongshu.act.urgency import condition_for
from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.grade import Principal, Scope

UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class VoiceFilter:
    """Which voices: `state` of their own life, `q` in their number, words or address; `waits`: those that wait for someone, the longest first.

    `accept`: for a decision or an answer, being received, with someone to answer (what another system's cameras tell is a lead alone), and either in no case or in one that is over; `call`: answered, and not yet called back.
    """

    state: str = ""
    waits: str = ""
    q: str = ""
    limit: int = 50
    after: str = ""


_WITH_CASE = select(request, case_file.c.number.label("case_number"), case_file.c.step.label("case_step")).join(case_file, case_file.c.id == request.c.case_id, isouter=True)
_WORDS: dict[str, Document] = {verb: {"verb": verb, "zh": states.VERBS[verb].zh, "en": states.VERBS[verb].en} for verb in states.RESULTS}
"""What who reported it may say of how it ended."""
_WAITS = {
    "accept": and_(
        request.c.state == "received", or_(request.c.reporter != "", request.c.channel == "phone"), or_(request.c.case_id.is_(None), case_file.c.step.in_(("closed", "void")))
    ),
    "call": request.c.state == "answered",
}


def list_requests(connection: Connection, scope: Scope, wanted: VoiceFilter) -> Document:
    """Return {items, next} of the voices in the scope, newest first; those that wait, longest first."""
    c, waits = request.c, _WAITS.get(wanted.waits)
    query = _WITH_CASE.where(*in_scope(c, scope))
    if waits is not None:
        query = query.where(waits)
    if wanted.state:
        query = query.where(c.state == wanted.state)
    if wanted.q:
        query = query.where(or_(*(column.contains(wanted.q, autoescape=True) for column in (c.number, c.address, *(() if "text" in scope.hidden else (c.text,))))))
    if wanted.after:
        mark = page_mark(wanted.after)
        query = query.where(tuple_(c.created, c.id) < mark if waits is None else tuple_(c.created, c.id) > mark)
    limit = max(1, min(wanted.limit, 500))
    order = (c.created.desc(), c.id.desc()) if waits is None else (c.created, c.id)
    rows = connection.execute(query.order_by(*order).limit(limit + 1)).mappings().all()
    more = rows[limit - 1] if len(rows) > limit else None
    return {
        "items": [_life(row, scope, row["case_step"]) | {f"case_{name}": row[f"case_{name}"] for name in ("number", "step")} for row in rows[:limit]],
        "next": more and f"{more['created']}:{more['id']}",
    }


def waiting(connection: Connection, scope: Scope) -> Document:
    """Return how many voices of the scope nobody has accepted yet (待受理), and since when the oldest waits: {count, oldest}."""
    found = select(func.count(), func.min(request.c.created)).select_from(request.join(case_file, case_file.c.id == request.c.case_id, isouter=True))
    count, oldest = connection.execute(found.where(_WAITS["accept"], *in_scope(request.c, scope))).one()
    return {"count": count, "oldest": time_of(oldest)}


def _life(row: Mapping[Any, Any], scope: Scope, step: str | None) -> Document:
    """Turn a voice into its document with where its own life stands; what is in no word of its own yet, and became a case, stands where its case does (`step`)."""
    zh, en = states.REQUEST_STATES[row["state"]]
    if row["state"] == "received" and step is not None and step != "void":
        zh, en = states.STEPS[step].zh, states.STEPS[step].en
    plain = {name: row[name] for name in ("transferred", "calls", "satisfied", "version", "lead")}
    times = {name: time_of(row[name]) for name in ("answered", "closed")}
    return show_voice(row, scope) | plain | times | {"state_zh": zh, "state_en": en, "answer": row["answer"], "outcome": row["result"], "case_id": row["case_id"]}


def for_desk(connection: Connection, request_id: str, viewer: Principal, now: int) -> Document:
    """Return what only the desk is shown of a voice: what is proposed, what the knowledge base says, its links, and what may be done with it."""
    row = connection.execute(select(request).where(or_(request.c.id == request_id, request.c.number == request_id))).mappings().one()
    own = or_(lead_link.c.request == row["id"], and_(lead_link.c.other == row["lead"], lead_link.c.other.is_not(None)))
    links = connection.execute(
        select(lead_link, lead.c.title_zh, lead.c.title_en, lead.c.number)
        .join(lead, lead.c.id == lead_link.c.lead)
        .where(own, lead_link.c.undone.is_(None))
        .order_by(lead_link.c.id)
    )
    moves = {move.verb: move for move in states.REQUEST_ROWS if move.at[0] == row["state"] and machine.covers(move, viewer, row["area"])}
    words = [(move, states.VERBS[verb]) for verb, move in moves.items()]
    return {
        "proposed": row["proposed"].get("classes", []),
        "knowledge": [show_entry(entry) for entry in hotline.knowledge(connection, row["text"], row["class"], now)],
        "links": [{name: link[name] for name in ("id", "lead", "kind", "reason_zh", "reason_en", "title_zh", "title_en", "number")} for link in links.mappings()],
        "may": [{"verb": verb.key, "zh": verb.zh, "en": verb.en, "needs": sorted(move.needs), "reasons": _reasons(connection, verb.key, now)} for move, verb in words],
        "together": connection.execute(select(func.count()).where(request.c.lead == row["lead"], request.c.lead.is_not(None))).scalar_one(),
        "photos": _files(connection, row["photos"]),
        "by": _by(row["reporter"]),
        "caller": callers.part(connection, row["reporter"]),
    }


def show_entry(entry: Document) -> Document:
    """Turn an entry of the knowledge base into its document."""
    return entry | {"until": time_of(entry["until"])}


def _reasons(connection: Connection, verb: str, now: int) -> list[Document]:
    """Return the reasons the city lists for a verb."""
    return [{name: row.cells[name] for name in ("verb", "code", "zh", "en")} for row in duty.book(connection).all_at("reasons", now) if row.cells["verb"] == verb]


def _by(reporter: str) -> str:
    """Tell how someone spoke: phone, receipt, account or ''."""
    if reporter.startswith(callers.PHONE):
        return "phone"
    return "" if not reporter else "receipt" if reporter.startswith("follow:") else "account"


def caller(connection: Connection, request_id: str) -> str:
    """Return the telephone number that a voice came from, whole; '' if it came from none."""
    told = connection.execute(select(request.c.reporter).where(or_(request.c.id == request_id, request.c.number == request_id))).scalar_one_or_none() or ""
    return callers.whole(connection, str(told))


def get_request(connection: Connection, request_id: str, viewer: Principal | None = None, zone: ZoneInfo = UTC) -> Document | None:
    """Return one request by id or number with what became of it, for its reporter: who holds it, since when, due when, and the result once closed.

    Before there is a case, `waiting` says who must take it up, since when, and until when by the limit of verifying; `zone`: the city's.
    `earlier`: once its reporter said that an answer solved nothing, that answer and when they said so, until there is another.
    """
    row = connection.execute(select(request).where(or_(request.c.id == request_id, request.c.number == request_id))).mappings().one_or_none()
    if row is None:
        return None
    notices = [line for line in history(connection, row["id"], Scope()) if line["verb"] == "notice"]
    told = [{name: line[name] for name in ("at", "reason", "until", "what")} for line in notices]
    opened = connection.execute(select(case_file).where(case_file.c.id == row["case_id"])).mappings().one_or_none()
    earlier = _earlier(connection, row)
    document: Document = _life(row, Scope(), None if opened is None else opened["step"]) | {"case": None, "result": None, "waiting": None, "notices": told}
    document["earlier"] = earlier and {"answer": earlier[0], "at": rfc3339(earlier[1])}
    if row["state"] == "received" and (opened is None or opened["step"] == "void"):
        since = row["received"] if opened is None else opened["changed"]
        document["waiting"] = _taken_up(connection, row, max(since, earlier[1]) if earlier else since, zone)
    elif opened is None and row["answered"] is not None and row["state"] in {"answered", "closed"}:
        document["result"] = _answered(row, viewer.id if viewer is not None else "")
    if opened is not None:
        step = states.STEPS[opened["step"]]
        document["case"] = {
            "number": opened["number"],
            "step": opened["step"],
            "step_zh": step.zh,
            "step_en": step.en,
            "holder_zh": opened["holder_zh"],
            "holder_en": opened["holder_en"],
            "since": rfc3339(opened["held_since"]),
            "due": time_of(opened["due"]),
            "closed": time_of(opened["closed"]),
            "reopened": opened["reopened"],
        }
        if opened["step"] == "closed":
            document["result"] = _result(connection, row, viewer.id if viewer is not None else "", opened["closed"])
    return document


def _earlier(connection: Connection, row: Mapping[Any, Any]) -> tuple[str, int] | None:
    """Return the answer that its reporter said solved nothing, and when (µs); None where there is none, or another since."""
    if row["state"] != "received":
        return None
    lines = select(case_step.c.detail, case_step.c.at).where(case_step.c.subject == row["id"], case_step.c.verb == "call_back")
    line = connection.execute(lines.order_by(case_step.c.seq.desc()).limit(1)).one_or_none()
    return (str(line[0].get("earlier", "")), line[1]) if line is not None and line[0].get("result") == "unsolved" else None


def _taken_up(connection: Connection, row: Mapping[Any, Any], since: int, zone: ZoneInfo) -> Document:
    """Say who must take up a voice that became no case yet, since when, and until when."""
    held = duty.book(connection)
    limit = limit_of(held, row["class"], "verify", since, condition_for(connection, row["class"], row["area"], since))
    return {"holder_zh": "12345 受理员", "holder_en": "The 12345 desk", "since": rfc3339(since), "due": time_of(term(held, limit, since, zone).due)}


def _answered(told: Mapping[Any, Any], viewer: str) -> Document:
    """Return how a voice ended that was answered at once: what its reporter may say of the answer, or has said; there is nothing to see."""
    said = _WORDS[told["result"]] | {"at": time_of(told["closed"])} if told["result"] in _WORDS and told["closed"] is not None else None
    return {"before": [], "after": [], "verbs": list(_WORDS.values()), "may": bool(viewer) and viewer == told["reporter"] and told["state"] == "answered", "said": said}


def _result(connection: Connection, told: Mapping[Any, Any], viewer: str, since: int) -> Document:
    """Return how it ended (at `since`), for who reported it: photographs before and after, what the viewer has said of it, and what they may say."""
    steps = [step for step in history(connection, told["case_id"], Scope()) if not step["undone"]]

    def photos(verb: str) -> list[Document]:
        return next((found for step in reversed(steps) if step["verb"] == verb and (found := _images(step["evidence"]))), [])

    mine = (case_step.c.subject == told["case_id"], case_step.c.actor == viewer, case_step.c.verb.in_(states.RESULTS), case_step.c.at >= since)
    query = select(case_step.c.verb, case_step.c.at).where(*mine)
    said = connection.execute(query.limit(1)).one_or_none() if viewer else None
    own = _images(_files(connection, told["photos"]))
    return {
        "before": photos("handle") or own,
        "after": photos("feedback"),
        "verbs": list(_WORDS.values()),
        "may": bool(viewer) and viewer == told["reporter"] and said is None,
        "said": said and _WORDS[said[0]] | {"at": rfc3339(said[1])},
    }


def _images(files: list[Document]) -> list[Document]:
    return [file for file in files if file["content_type"].startswith("image/")]


def _files(connection: Connection, names: Iterable[str]) -> list[Document]:
    """Return what the register knows of files, in the order they were named."""
    names = list(names)
    rows = connection.execute(select(evidence.c.sha256, evidence.c.content_type, evidence.c.size).where(evidence.c.sha256.in_(names))).mappings()
    known = {row["sha256"]: dict(row) for row in rows}
    return [known[name] for name in names if name in known]


def of_reporter(connection: Connection, reporter: str) -> str | None:
    """Return the id of the one voice of a reporter who has no account, or None."""
    return connection.execute(select(request.c.id).where(request.c.reporter == reporter).limit(1)).scalar_one_or_none()


def request_visible(connection: Connection, scope: Scope, request_id: str) -> bool:
    """Tell whether a request, by id or number, lies in the scope's areas and, where only one's own counts, is the asker's."""
    own = [request.c.reporter == scope.unit] if scope.unit else []
    areas = or_(false(), *(and_(request.c.area >= low, request.c.area < high) for low, high in scope.areas))
    query = select(request.c.id).where(or_(request.c.id == request_id, request.c.number == request_id), areas, *own)
    return connection.execute(query).first() is not None
