"""Joint handling (联动): a playbook run inside the handling of a case. Its open tasks are tasks of the case; what units do with them moves it on.

A run keeps to the version it began with. What nobody of the named unit can do falls to the unit that holds the case. Knows no BPMN.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from zhongshu.act import docket, playbook, tasks, units
from zhongshu.act.deed import SYSTEM, Deed
from zhongshu.act.docket import Case
from zhongshu.act.duty import STREET
from zhongshu.act.given import Given
from zhongshu.act.playbook import HOLDER, Playbook, State
from zhongshu.act.playbook import STREET as THE_STREET
from zhongshu.act.tables import case_task, playbook_run
from zhongshu.act.tables import playbook as library
from zhongshu.kernel.area import Level, at_level
from zhongshu.kernel.problem import declare

NO_PLAYBOOK = declare(
    "playbook.unknown",
    "unknown",
    zh=("没有联动规程“{key}”。", "可用的规程：{keys}。"),
    en=("There is no playbook '{key}'.", "There are: {keys}."),
)
RUNS_ALREADY = declare(
    "playbook.runs_already",
    "conflict",
    zh=("案件 {number} 已经启动了联动。", "请在任务清单里办理。"),
    en=("A playbook is running in case {number} already.", "Work through its tasks."),
)

LAST_HAND = declare(
    "task.last_hand",
    "conflict",
    zh=("这个任务是承办单位自己的，不能再推给别人。", "请办理；需要别的部门到场的，请“吹哨”。"),
    en=("This task is the holder's own: there is nobody to pass it to.", "Do it; if others are needed on site, summon them."),
)

_LATEST = select(library).where(library.c.key == bindparam("key")).order_by(library.c.deployed.desc(), library.c.version).limit(1)
_RUN = select(playbook_run).where(playbook_run.c.case_id == bindparam("case"))


def deploy(deed: Deed, source: str, raw: bytes, *, known: bool = False) -> Playbook:
    """Take a playbook in; the same version again changes nothing. Cases that run keep the version they began with.

    `known`: only with units that are known; a pack's come before its tables. Raises `playbook.refused`, `unit.unknown`.
    """
    made = playbook.read(raw)
    for party in made.parties if known else ():
        if party not in {HOLDER, THE_STREET}:
            units.check(deed, party)
    if deed.connection.execute(select(library.c.version).where(library.c.version == made.version)).first() is None:
        row = {"version": made.version, "key": made.key, "name_zh": made.name_zh, "name_en": made.name_en, "body": made.source.decode("utf-8")}
        deed.connection.execute(insert(library), row | {"source": source, "deployed": deed.now, "deployed_by": deed.actor.id})
        deed.witness(deed.connection, "playbook.deploy", made.key, {"at": deed.now, "version": made.version, "source": source})
    return made


def listing(connection: Connection) -> list[dict[str, Any]]:
    """Return the playbooks there are, the latest version of each."""
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(select(library).order_by(library.c.deployed, library.c.version)).mappings():
        made = _read(row["version"], row["body"])
        plain = {name: row[name] for name in ("key", "version", "name_zh", "name_en", "source")}
        found[row["key"]] = plain | {"parties": list(made.parties), "tasks": len(made.forms)}
    return sorted(found.values(), key=lambda row: str(row["key"]))


def named(deed: Deed, key: str) -> bool:
    """Tell whether there is a playbook of this name."""
    return bool(key) and deed.connection.execute(_LATEST, {"key": key}).first() is not None


def begin(deed: Deed, case: Case, key: str) -> Case:
    """Begin a playbook in a case, and give out its first tasks. Raises `playbook.unknown`, `playbook.runs_already`."""
    row = deed.connection.execute(_LATEST, {"key": key}).mappings().one_or_none()
    if row is None:
        raise NO_PLAYBOOK(key=key, keys=", ".join(str(one["key"]) for one in listing(deed.connection)))
    if begun(deed, case["id"]):
        raise RUNS_ALREADY(number=case["number"])
    made = _read(row["version"], row["body"])
    state = playbook.begin(made, {name: case[name] for name in ("level", "class", "danger", "voices")}, now=deed.now)
    deed.connection.execute(insert(playbook_run), {"case_id": case["id"], "version": made.version, "state": state, "due": None, "begun": deed.now, "ended": None})
    return _settle(deed, case, made, state)


def begun(deed: Deed, case_id: str) -> bool:
    """Tell whether a playbook was begun in a case, be it over or not."""
    return deed.connection.execute(_RUN, {"case": case_id}).first() is not None


def go_on(deed: Deed, case: Case) -> Case:
    """Go on with a run in another holder's hands: what fell to the one before falls to this one, and what a recall called back is given out again. It is not begun anew."""
    made, state = _of(deed, case["id"])
    have = {task["key"]: task for task in tasks.of_case(deed, case["id"]) if task["kind"] == "playbook" and task["state"] in tasks.OPEN}
    helpers = set(case["helpers"])
    for key, task in {task.id: task for task in playbook.tasks(made, state)}.items():
        unit = _unit(case, task.party)
        if key not in have:
            _give(deed, case, task, unit)
            helpers.add(unit)
        elif have[key]["unit"] != unit:
            tasks.pass_on(deed, have[key], case["unit"])
    docket.touch(deed, case["id"], helpers=sorted(helpers))
    case = case | {"helpers": sorted(helpers)}
    docket.tell(deed, case, "take")
    return case


def went_on(deed: Deed, case: Case, task: Mapping[str, Any], given: Given) -> Case:
    """Move a run on by a task that was done."""
    made, state = _of(deed, case["id"])
    data = dict(given.choices) | {"note": given.note, "evidence": list(given.evidence)}
    return _settle(deed, case, made, playbook.done(made, state, task["key"], data, now=deed.now))


def step(deed: Deed, case_id: str, task_id: str, verb: str, given: Given) -> Case:
    """Arrive at a task, end it or decline it; a playbook's task moves its run on, and one that was declined falls to the unit that holds the case.

    Raises what `tasks.step` and `playbook.done` raise, and `task.last_hand`.
    """
    if verb == "decline" and (task := tasks.get(deed, task_id))["kind"] == "playbook" and task["unit"] == docket.get(deed, case_id)["unit"]:
        raise LAST_HAND()
    case, task, new = tasks.step(deed, case_id, task_id, verb, given)
    if not new or task["kind"] != "playbook":
        return case
    if verb == "done":
        case = went_on(deed, case, task, given)
    elif verb == "decline":
        stand_in(deed, case, task)
    docket.tell(deed, case, verb)
    return case


def tick(deed: Deed, case_id: str) -> Case:
    """Let a run's timers fire that are due."""
    made, state = _of(deed, case_id)
    return _settle(deed, docket.get(deed, case_id), made, playbook.tick(made, state, deed.now))


def stand_in(deed: Deed, case: Case, task: Mapping[str, Any]) -> None:
    """Give a task that its unit declined to the unit that holds the case."""
    new = tasks.NewTask(
        "playbook", case["unit"], task["title_zh"], task["title_en"], task["key"], task["due"], tuple(task["needs"]), tuple(task["checklist"]), tuple(task["choices"])
    )
    tasks.make(deed, case, new)


def running(connection: Connection, case_id: str) -> dict[str, Any] | None:
    """Return where a case's playbook stands: its name, version, whether it has ended, and its drawing's marks; None if it has none."""
    row = connection.execute(_RUN, {"case": case_id}).mappings().one_or_none()
    if row is None:
        return None
    kept = connection.execute(select(library).where(library.c.version == row["version"])).mappings().one()
    made = _read(kept["version"], kept["body"])
    named = {name: kept[name] for name in ("key", "version", "name_zh", "name_en")}
    return named | {"ended": row["ended"] is not None, "picture": playbook.picture(made, State(row["state"])), "signals": list(playbook.signals(made, State(row["state"])))}


def body(connection: Connection, version: str) -> str:
    """Return a version's BPMN text. Raises `playbook.unknown`."""
    found = connection.execute(select(library.c.body).where(library.c.version == version)).scalar_one_or_none()
    if found is None:
        raise NO_PLAYBOOK(key=version, keys=", ".join(str(one["key"]) for one in listing(connection)))
    return str(found)


def over(deed: Deed, case_id: str) -> bool:
    """Tell whether a case has no playbook that still runs."""
    row = deed.connection.execute(_RUN, {"case": case_id}).mappings().one_or_none()
    return row is None or row["ended"] is not None


def _of(deed: Deed, case_id: str) -> tuple[Playbook, State]:
    run = deed.connection.execute(_RUN, {"case": case_id}).mappings().one()
    return _read(run["version"], body(deed.connection, run["version"])), State(run["state"])


@lru_cache(32)
def _read(version: str, text: str) -> Playbook:
    """Return a version's playbook; reading one takes milliseconds, and it never changes."""
    made = playbook.read(text.encode("utf-8"))
    if made.version != version:
        message = f"playbook {version} is not what it was kept as"
        raise ValueError(message)
    return made


def _settle(deed: Deed, case: Case, made: Playbook, state: State) -> Case:
    """Keep where a run stands, give out what it now opens, and call back what it no longer wants."""
    ended = playbook.finished(state)
    kept = {"b_case": case["id"], "state": state, "due": playbook.due(made, state), "ended": deed.now if ended else None}
    deed.connection.execute(update(playbook_run).where(playbook_run.c.case_id == bindparam("b_case")), kept)
    wanted = {task.id: task for task in playbook.tasks(made, state)}
    known = {task["key"]: task for task in tasks.of_case(deed, case["id"]) if task["kind"] == "playbook"}
    gone = [task["id"] for key, task in known.items() if key not in wanted and task["state"] in tasks.OPEN]
    for task_id in gone:
        changes = {"b_id": task_id, "state": "cancelled", "ended": deed.now}
        deed.connection.execute(update(case_task).where(case_task.c.id == bindparam("b_id")), changes)
    helpers = set(case["helpers"])
    for key, task in wanted.items():
        if key not in known:
            unit = _unit(case, task.party)
            _give(deed, case, task, unit)
            helpers.add(unit)
    if helpers != set(case["helpers"]):
        docket.touch(deed, case["id"], helpers=sorted(helpers))
        case = case | {"helpers": sorted(helpers)}
    return case


def _give(deed: Deed, case: Case, task: playbook.Task, unit: str) -> None:
    checklist = tuple(f"{line.zh} | {line.en}" for line in task.checklist)
    choices = tuple({"name": c.name, "zh": c.zh, "en": c.en, "options": [{"value": o.value, "zh": o.zh, "en": o.en} for o in c.options]} for c in task.choices)
    tasks.make(deed.by(SYSTEM), case, tasks.NewTask("playbook", unit, task.name_zh, task.name_en, task.id, task.due, task.needs, checklist, choices))


def _unit(case: Case, party: str) -> str:
    if party == HOLDER:
        return str(case["unit"])
    return f"{STREET}{at_level(case['area'], Level.STREET):015d}" if party == THE_STREET else party
