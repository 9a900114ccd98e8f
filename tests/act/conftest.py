"""A city's desk in a temporary folder, its people by role, and a frozen clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Table, select

from zhongshu.act import Deed, Given, NewCase, bring_in, do, keep_evidence, load, open_case, record
from zhongshu.act.tables import case_step
from zhongshu.kernel.clock import FrozenClock, parse_time
from zhongshu.kernel.desk import Desk
from zhongshu.kernel.evidence import Evidence
from zhongshu.kernel.grade import EVERYWHERE, Principal, Scope
from zhongshu.kernel.problem import Problem

T = TypeVar("T")
ZONE = ZoneInfo("Asia/Shanghai")
START = parse_time("2026-07-01T08:00:00+08:00")
CITY, STREET, CELL = 990100000000000, 990101001000000, 990101001001001
PUMP = Evidence("a" * 64, "image/jpeg", 1000)
PHOTO = Evidence("b" * 64, "image/jpeg", 2000)
CATALOGUE = """class,zh,en,unit,unit_zh,unit_en,helpers,limit_minutes,warn_minutes,check,normal_minutes,danger,words,basis,basis_en,valid_from,evidence
ponding,道路积水,Ponding,dept-drainage,排水处,Drainage office,dept-traffic;dept-road,240,60,instrument,2,0,积水;水淹,目录 2.1,Catalogue 2.1,2025-01-01,
garbage,暴露垃圾,Rubbish,dept-sanitation,环卫处,Sanitation office,,240,,person,,0,垃圾,目录 5.1,,2025-01-01,
garbage,暴露垃圾,Rubbish,dept-sanitation,环卫处,Sanitation office,,120,,person,,0,垃圾,目录 5.1（新）,,2026-08-01,
consult,政策咨询,Question,dept-hotline,热线中心,Hotline,,480,,callback,,no,咨询,目录 5.14,,2025-01-01,none
"""


def person(role: str, area: int = CITY, unit: str = "", tail: str = "1") -> Principal:
    return Principal(f"{role}-{tail}", f"模拟{role}", ((role, area),), "test", unit)


PEOPLE = {role: person(role) for role in ("acceptor", "dispatcher", "duty_officer", "checker", "collector", "citizen")} | {
    "handler": person("handler", unit="dept-drainage"),
    "other_handler": person("handler", unit="dept-road", tail="2"),
}


@dataclass
class City:
    """A desk with a clock; `as_` does a deed in someone's name and keeps what was witnessed and told."""

    desk: Any
    clock: FrozenClock
    start, cell, street, pump, photo, zone = START, CELL, STREET, PUMP.sha256, PHOTO.sha256, ZONE
    person, people = staticmethod(person), PEOPLE
    lines: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list, repr=False)
    news: list[Any] = field(default_factory=list, repr=False)

    def as_(self, who: Principal | str, work: Callable[[Deed], T]) -> T:
        actor = PEOPLE[who] if isinstance(who, str) else who

        def witness(_connection: Connection, action: str, subject: str, detail: dict[str, Any]) -> None:
            self.lines.append((action, subject, detail))

        def run(connection: Connection) -> T:
            deed = Deed(connection, self.clock.now(), actor, witness, ZONE)
            result = work(deed)
            self.news += deed.news
            return result

        return self.desk.write(run)

    def do(self, who: Principal | str, case: dict[str, Any], verb: str, **given: Any) -> dict[str, Any]:
        return self.as_(who, lambda deed: do(deed, case["id"], verb, Given(version=given.pop("version", case["version"]), **given)))

    def open(self, class_: str = "ponding", area: int = CELL, verb: str = "confirm", who: Principal | str = "acceptor", **facts: Any) -> dict[str, Any]:
        new = NewCase(verb, class_, "积水", "Ponding", area, "patrol", **facts)
        return self.as_(who, lambda deed: open_case(deed, new))

    @staticmethod
    def refused(code: str, work: Callable[[], Any]) -> Problem:
        """Do something that must be refused with this code, in sentences that lack no particular."""
        with pytest.raises(Problem) as caught:
            work()
        assert caught.value.kind.code == code
        said = "".join(word for language in ("zh", "en") for word in (caught.value.sentence(language), caught.value.remedy(language)))
        assert "<" not in said, "a particular is missing"
        return caught.value

    def table(self, kind: str, text: str | bytes, source: str = "the city", *, write: bool = True) -> dict[str, Any]:
        """Bring a duty table in, as the city's own; without `write`, say what it would change."""
        body = text.encode() if isinstance(text, str) else text
        return self.as_("duty_officer", lambda deed: bring_in(deed, kind, source, body, write=write))

    def lines_of(self, subject: dict[str, Any] | str) -> list[dict[str, Any]]:
        """Return the history of a case, a lead or a voice (or of an id) as it is stored."""
        query = select(case_step).where(case_step.c.subject == (subject if isinstance(subject, str) else subject["id"])).order_by(case_step.c.seq)
        return self.desk.read(lambda c: [dict(row) for row in c.execute(query).mappings()])

    def verbs_of(self, subject: dict[str, Any] | str) -> list[str]:
        """Return what has been done with a case, a lead or a voice, in its order."""
        return [line["verb"] for line in self.lines_of(subject)]

    def row(self, table: Table, id_: str) -> dict[str, Any]:
        """Return a row as it is stored."""
        return self.desk.read(lambda c: dict(c.execute(select(table).where(table.c.id == id_)).mappings().one()))

    def shown(self, case: dict[str, Any], who: str = "dispatcher") -> dict[str, Any]:
        """Return a case's document as someone sees it."""
        return self.desk.read(lambda c: record.get_case(c, Scope(EVERYWHERE, 3), case["id"], PEOPLE[who], self.clock.at))

    def to_check(self, case: dict[str, Any], who: Principal | str = "handler") -> dict[str, Any]:
        if case["step"] == "dispatch":
            case = self.do("dispatcher", case, "dispatch", unit=(PEOPLE[who] if isinstance(who, str) else who).unit)
        for verb in ("take", "handle", "feedback"):
            case = self.do(who, case, verb, evidence=() if verb == "take" else (PUMP.sha256,))
        return case


@pytest.fixture
def city(tmp_path: Path, open_desk: Callable[[Path], Desk]) -> Iterator[City]:
    desk = open_desk(tmp_path)
    made = City(desk, FrozenClock(START))
    made.as_("duty_officer", lambda deed: load(deed, "test", CATALOGUE))
    made.as_("handler", lambda deed: [keep_evidence(deed, file) for file in (PUMP, PHOTO)])
    made.lines.clear()
    yield made
    desk.close()
