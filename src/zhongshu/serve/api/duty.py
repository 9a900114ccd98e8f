"""The watch: who is in charge, who stands which shift, the handover sheet and its two signatures, the sheets of before; and leaders' instructions."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection

from zhongshu.act import record
from zhongshu.act.centre import handover, instruction, roster
from zhongshu.act.centre.refusals import CANNOT_KEEP
from zhongshu.judge import record as findings
from zhongshu.kernel.area import interval, parse_area
from zhongshu.kernel.clock import parse_time, to_datetime
from zhongshu.kernel.grade import EVERYWHERE, Scope
from zhongshu.serve.api.centre import Said
from zhongshu.serve.city import City
from zhongshu.serve.door import Asked, Door
from zhongshu.serve.problems import BAD_REQUEST

SENSING = "infrastructure"
"""The theme of the signs that tell how many devices are heard."""
SILENT = 200
"""Of so many open findings those are looked for that say a device is silent."""
VERBS = ("hand_over", "sign", "instruct")
"""What may be done of the watch."""


class HandOver(BaseModel):
    """What the outgoing officer adds to the computed sheet, and who is to take over, if it is to be one person."""

    memo: str = Field(default="", max_length=4000)
    to: str = Field(default="", max_length=64)


class Instructed(BaseModel):
    """What a leader writes, of a case or of something new in an area, and by when."""

    text: str = Field(min_length=1, max_length=2000)
    until: str = Field(max_length=40)
    case: str = Field(default="", max_length=64)
    area: str = Field(default="", max_length=15)
    class_: str = Field(default="", alias="class", max_length=100)
    title_en: str = Field(default="", max_length=200)


def duty(asked: Door) -> dict[str, Any]:
    """Say who is in charge, who stands this shift and the next, and what the handover sheet would hold now; cases are those the asker may read."""
    city, now = asked.city, asked.city.clock.now()
    cases = city.guard.scope(asked.principal, "read", "case")
    may = [verb for verb in VERBS if city.guard.scope(asked.principal, "act", "duty", verb=verb)]
    today = to_datetime(now).astimezone(city.zone).date()

    def read(conn: Connection) -> dict[str, Any]:
        waits, next_ = handover.waiting(conn), roster.coming(conn, now, city.zone)
        return {
            "in_charge": handover.in_charge(conn, now),
            "on_duty": [turn.document() for turn in roster.on_duty(conn, now, city.zone)],
            "coming": None if next_ is None else next_.document(),
            "roster": [turn.document() for turn in roster.turns(conn, today, 7, city.zone)],
            "waiting": None if waits is None else handover.show(waits, whole="sign" in may),
            "draft": handover.sheet(conn, now, city.zone, cases, silent(asked)),
            "may": may,
        }

    found = city.office.read(read)
    held = found["in_charge"]
    account = "" if held is None else city.identity.account(held["id"])
    if held is not None:
        held |= _names(city.identity.names({held["id"]}), held["id"], held["name"])
    for turn in found["on_duty"]:
        turn["in_charge"] = bool(account) and turn["account"] == account
    return found | {"waiting": None if found["waiting"] is None else _signed(city, [found["waiting"]])[0]}


def handovers(asked: Door, limit: int = 30) -> dict[str, Any]:
    """List the handovers, the last first: who handed over to whom, and when; their sheets are read one by one."""
    rows = asked.city.office.read(lambda conn: handover.listing(conn, max(1, min(limit, 200))))
    return {"items": _signed(asked.city, [handover.show(row, whole=False) for row in rows]), "next": None}


def one_handover(asked: Door, id: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Return a handover with its sheet as it was signed, for whoever may sign one; for others without."""
    city = asked.city
    signs = bool(city.guard.scope(asked.principal, "act", "duty", verb="sign"))
    return _signed(city, [handover.show(city.office.read(lambda conn: handover.read(conn, id)), whole=signs)])[0]


def hand_over(asked: Door, body: HandOver) -> dict[str, Any]:
    """Hand the watch over: the sheet is frozen with the outgoing officer's signature; until someone else signs it they stay in charge."""
    city = asked.city
    city.guard.require(asked.principal, "act", "duty", verb="hand_over")
    if body.to:
        _may_keep(asked, body.to)
    cases = city.guard.scope(asked.principal, "read", "case")
    quiet = silent(asked)
    row = city.office.write(asked.principal, lambda deed: handover.begin(deed, city.about.code, cases, quiet, body.memo, body.to))
    return _signed(city, [handover.show(row)])[0]


def _may_keep(asked: Asked, id_: str) -> None:
    """Hold the named one to what whoever signs must have. Raises `request.invalid`, `handover.cannot_keep`."""
    city = asked.city
    named = city.identity.names({id_}).get(id_)
    if named is None:
        raise BAD_REQUEST(field="to", why_zh="没有这个人", why_en="nobody has this id")
    there = city.identity.standing(id_)
    if there is None or not city.guard.scope(there, "act", "duty", verb="sign"):
        raise CANNOT_KEEP(name_zh=named[0] or named[1], name_en=named[1] or named[0])


def take_over(asked: Door, id: str, body: Said) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Take the watch over with the incoming officer's signature: from now on they are in charge."""
    asked.city.guard.require(asked.principal, "act", "duty", verb="sign")
    row = asked.city.office.write(asked.principal, lambda deed: handover.sign(deed, id, body.version))
    return _signed(asked.city, [handover.show(row)])[0]


def instructions(asked: Door, limit: int = 50) -> dict[str, Any]:
    """List the leaders' instructions of the cases one may read, the last first, with what became of each."""
    city, now = asked.city, asked.city.clock.now()
    scope = city.guard.scope(asked.principal, "read", "case")
    found = city.office.read(lambda conn: instruction.listing(conn, scope, now, max(1, min(limit, 200))))
    known = city.identity.names({one["leader"] for one in found})
    return {"items": [one | _names(known, one["leader"], one["leader_name"], "leader_name") for one in found], "next": None}


def instruct(asked: Door, body: Instructed) -> dict[str, Any]:
    """Write a leader's instruction (领导批示): the case it names is supervised (督办) until then, or one is opened that is."""
    city = asked.city
    until = parse_time(body.until)
    if body.case:
        scope = city.guard.scope(asked.principal, "read", "case")
        case, area = city.office.read(lambda conn: record.outline(conn, scope, body.case))
    else:
        case, area = "", city.areas[parse_area(body.area)].code if body.area else 0
    city.guard.require(asked.principal, "act", "duty", verb="instruct")
    city.guard.require(asked.principal, "read", "case", area)
    given = instruction.NewInstruction(body.text, until, str(case), area, body.class_, body.title_en)
    return city.office.write(asked.principal, lambda deed: instruction.show(instruction.give(deed, given), deed.now))


def silent(asked: Asked) -> Callable[[], list[dict[str, Any]]]:
    """Return what tells of the devices that are silent: the open findings of rules that watch for absence, and of the signs of the sensing itself."""
    city = asked.city
    themes = {code: sign.theme for code, sign in city.watch.indicators.items()}
    absent = {rule.code: rule for code, held in city.watch.rules.items() for rule in held if rule.when is None or themes.get(code) == SENSING}
    rows = city.office.read(lambda conn: findings.listing(conn, Scope(EVERYWHERE), "open", limit=SILENT))
    found = [
        {
            "finding": row["id"],
            "indicator": row["indicator"],
            "zh": absent[row["rule"]].name.get("zh", row["rule"]),
            "en": absent[row["rule"]].name.get("en", row["rule"]),
            "area": row["area"],
            "area_name_zh": city.areas.name(int(row["area"]), "zh"),
            "area_name_en": city.areas.name(int(row["area"]), "en"),
            "since": row["opened"],
        }
        for row in rows
        if row["rule"] in absent and asked.city.guard.scope(asked.principal, "read", "finding").touches(*interval(int(row["area"])))
    ]
    return lambda: found


def _names(known: dict[str, tuple[str, str]], id_: str, name: str, stem: str = "name") -> dict[str, str]:
    """Return a person's names in both languages; whoever is known no more keeps the name that was written down."""
    zh, en = known.get(id_, (name, name))
    return {f"{stem}_zh": zh or name, f"{stem}_en": en or zh or name}


def _signed(city: City, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add both names of who signs to handovers."""
    signers = [(row["document"] or {}).get("signed_by", {"id": row["outgoing"], "name": row["outgoing_name"]}) for row in rows]
    known = city.identity.names({one for row in rows for one in (row["outgoing"], row["incoming"]) if one} | {one["id"] for one in signers})
    out = []
    for row, signer in zip(rows, signers, strict=True):
        people = (
            ("outgoing_name", row["outgoing"], row["outgoing_name"]),
            ("incoming_name", row["incoming"], row["incoming_name"]),
            ("signed_by_name", signer["id"], signer["name"]),
        )
        out.append(row | {key: said for stem, id_, name in people for key, said in _names(known, id_, name, stem).items()})
    return out
