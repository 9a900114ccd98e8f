"""One person's voice, or one row of another system: kept as it came, once, and answered.

Knows nothing of leads and cases but their ids; who joins what stands in `lead`.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from zhongshu.act import callers, duty, machine, states
from zhongshu.act.assistant import SURE
from zhongshu.act.deed import MISSING, SYSTEM, Deed, Entry, number, record
from zhongshu.act.tables import request
from zhongshu.kernel.area import parse_area
from zhongshu.kernel.clock import parse_time
from zhongshu.kernel.ids import uuid7
from zhongshu.kernel.problem import declare
from zhongshu.kernel.words import plain

UNKNOWN = declare(
    "request.unknown",
    "unknown",
    zh=("没有编号为 {id} 的诉求。", "请检查编号。"),
    en=("There is no request {id}.", "Check its number."),
)
BAD = declare(
    "request.bad_row",
    "invalid",
    zh=("诉求的“{field}”看不懂：{text}。", "请更正这一行后重新提交；其他行不受影响。"),
    en=("The '{field}' of the request cannot be read: {text}.", "Correct this row and send it again; other rows are not affected."),
)
ANSWERED = declare(
    "request.answered",
    "conflict",
    zh=("诉求 {number} 已经答复过。", "如需补充，请另发通知。"),
    en=("Request {number} has already been answered.", "Send a notice if there is more to say."),
)

_ONE = select(request).where(request.c.id == bindparam("id"))
_ONCE = select(request).where(request.c.source == bindparam("source"), request.c.external == bindparam("external"))
_INSERT = insert(request)
_UPDATE = update(request).where(request.c.id == bindparam("b_id"))


@dataclass(frozen=True, slots=True)
class Voice:
    """A request as it came in. Times µs; `closed`, `due` are of another system, whose row this then is (`imported`)."""

    source: str
    external: str
    created: int
    area: int
    class_: str = ""
    text: str = ""
    address: str = ""
    lon: float | None = None
    lat: float | None = None
    channel: str = ""
    unit: str = ""
    reporter: str = ""
    photos: tuple[str, ...] = ()
    due: int | None = None
    closed: int | None = None
    repeats: bool = False
    imported: bool = False
    flags: tuple[str, ...] = ()


def read(document: dict[str, Any]) -> Voice:
    """Read a journal's document into a voice. Raises `request.bad_row`.

    Keys: source, id, created, area (int or 15 digits); optional class, text, address, lon, lat, channel, unit, reporter, photos, flags; and of another
    system's row: imported, due, closed, duplicate. Times are µs or RFC 3339.
    """
    due, closed = _time(document, "due"), _time(document, "closed")
    created = _time(document, "created")
    for wanted in ("source", "id", "created", "area"):
        if document.get(wanted) in {None, ""}:
            raise BAD(field=wanted, text=document.get(wanted))
    area = document["area"]
    return Voice(
        source=str(document["source"]),
        external=str(document["id"]),
        created=created or 0,
        area=parse_area(area) if isinstance(area, str) else int(area),
        class_=str(document.get("class") or document.get("category") or ""),
        text=str(document.get("text") or "")[:4000],
        address=str(document.get("address") or "")[:400],
        lon=_degrees(document, "lon"),
        lat=_degrees(document, "lat"),
        channel=str(document.get("channel") or ""),
        unit=str(document.get("unit") or ""),
        reporter=str(document.get("reporter") or ""),
        photos=tuple(map(str, document.get("photos") or ())),
        due=due,
        closed=closed,
        repeats=bool(document.get("duplicate")),
        imported=bool(document.get("imported")) or due is not None or closed is not None,
        flags=tuple(map(str, document.get("flags") or ())),
    )


def receive(deed: Deed, voice: Voice) -> tuple[dict[str, Any], bool]:
    """Keep a voice once and return it, and whether it is new; the same (source, external id) again changes nothing."""
    found = deed.connection.execute(_ONCE, {"source": voice.source, "external": voice.external}).mappings().one_or_none()
    if found is not None:
        return dict(found), False
    class_, flags = voice.class_, list(voice.flags)
    proposed = deed.assistant.classes(voice.text) if deed.assistant is not None and voice.text and not voice.imported else {}
    if not class_ and not voice.imported and (class_ := _guessed(deed, voice, proposed)):
        flags.append("class_guessed")
    row = {
        "id": uuid7(),
        "number": number(deed, voice.area, voice.created, "R"),
        "source": voice.source,
        "external": voice.external,
        "class": class_,
        "text": plain(voice.text),
        "address": plain(voice.address),
        "area": voice.area,
        "lon": voice.lon,
        "lat": voice.lat,
        "channel": voice.channel,
        "unit": voice.unit,
        "reporter": callers.veiled(deed, voice.reporter),
        "photos": list(voice.photos),
        "state": "received",
        "created": voice.created,
        "received": deed.now,
        "answered": None,
        "answer": "",
        "repeats": voice.repeats,
        "lead": None,
        "case_id": None,
        "flags": flags,
        "transferred": "",
        "knowledge": "",
        "calls": 0,
        "result": "",
        "satisfied": None,
        "closed": None,
        "proposed": proposed,
        "version": 1,
    }
    deed.connection.execute(_INSERT, row)
    detail = {"repeat": True} if voice.repeats else {}
    record(deed, entry(row, "received", happened=voice.created, detail=detail))
    return row, True


def _guessed(deed: Deed, voice: Voice, proposed: dict[str, Any]) -> str:
    """Return the class a voice stands under until a person says: the one whose word stands in it, or what the assistant is sure of; else ''."""
    first = next(iter(proposed.get("classes", ())), None)
    return duty.guess(deed.connection, voice.text, voice.created) or (first["class"] if first is not None and first["share"] >= SURE else "")


def get(deed: Deed, request_id: str) -> dict[str, Any]:
    """Return a request's row. Raises `request.unknown`."""
    found = deed.connection.execute(_ONE, {"id": request_id}).mappings().one_or_none()
    if found is None:
        raise UNKNOWN(id=request_id)
    return dict(found)


def change(deed: Deed, row: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 (columns of any type)
    """Change columns of a request and return the row as it is now."""
    deed.connection.execute(_UPDATE, {"b_id": row["id"], **changes})
    return row | changes


def entry(row: dict[str, Any], verb: str, *, happened: int | None = None, reason: str = "", detail: dict[str, Any] | None = None) -> Entry:
    """Make a request's line for the history."""
    return Entry("request", row["id"], row["number"], row["area"], verb, happened=happened, reason=reason, detail=detail or {})


def answer(deed: Deed, request_id: str, text: str, at: int | None = None) -> dict[str, Any]:
    """Answer a voice, once; `at`: when another system answered. Raises `request.answered`, `case.missing`, `case.not_yours`."""
    row = get(deed, request_id)
    machine.allow(states.REQUEST_ROWS[0], deed.actor, row["area"])
    if row["answered"] is not None:
        raise ANSWERED(number=row["number"])
    if not text and deed.actor.id != SYSTEM.id:
        raise MISSING(zh="答复", en="answer")
    when = deed.now if at is None else at
    record(deed, entry(row, "answer", happened=when))
    return change(deed, row, state="answered", answered=when, answer=text)


def notice(deed: Deed, row: dict[str, Any], verb: str, reason: str, until: int | None) -> None:
    """Write into a request's history what its reporter is to know: what was done with the case, why, and until when."""
    record(deed, entry(row, "notice", reason=reason, detail={"of": verb, "until": until}))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document that could not be taken: which, and the problem's code and particulars."""

    external: str
    code: str
    detail: dict[str, object] = field(default_factory=dict)


def _time(document: dict[str, Any], name: str) -> int | None:
    value = document.get(name)
    if value is None or value == "":
        return None
    return value if isinstance(value, int) else parse_time(str(value))


def _degrees(document: dict[str, Any], name: str) -> float | None:
    value = document.get(name)
    if value is None or value == "":
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise BAD(field=name, text=value) from None
