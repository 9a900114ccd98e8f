"""Scenarios and runs as the desk keeps them: written in the caller's transaction, read as plain rows. A run is queued, running, and then done, stopped or failed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from zhongshu.foresee.tables import scenario, scenario_run
from zhongshu.kernel.problem import declare

UNKNOWN_SCENARIO = declare(
    "scenario.unknown",
    "unknown",
    zh=("没有编号为 {id} 的情景。", "请刷新列表。"),
    en=("There is no scenario {id}.", "Refresh the list."),
)
UNKNOWN_RUN = declare(
    "run.unknown",
    "unknown",
    zh=("没有编号为 {id} 的推演。", "请刷新列表。"),
    en=("There is no run {id}.", "Refresh the list."),
)
NOT_DONE = declare(
    "run.not_done",
    "conflict",
    zh=("推演 {id} 还没有算完（{state}），不能{doing_zh}。", "请等它算完，或重新推演。"),
    en=("Run {id} has not been finished ({state}); it cannot be {doing_en} yet.", "Wait until it is done, or run the scenario again."),
)
QUEUED, RUNNING, DONE, STOPPED, FAILED = "queued", "running", "done", "stopped", "failed"
UNENDED = (QUEUED, RUNNING)
AS_IT_GOES = "as-it-goes"
"""The scenario that changes nothing: what comes if all goes on as it does."""
Row = Mapping[str, Any]


def add(conn: Connection, row: Row) -> None:
    """Keep a scenario."""
    conn.execute(insert(scenario).values(**row))


def one(conn: Connection, id_: str) -> Row:
    """Return a scenario. Raises `scenario.unknown`."""
    found = conn.execute(select(scenario).where(scenario.c.id == id_)).mappings().one_or_none()
    if found is None:
        raise UNKNOWN_SCENARIO(id=id_)
    return dict(found)


def listing(conn: Connection, question: str = "", case_id: str = "", limit: int = 100) -> Sequence[Row]:
    """Return scenarios, the newest first."""
    asked = select(scenario).order_by(scenario.c.made.desc(), scenario.c.id.desc()).limit(limit)
    for column, value in ((scenario.c.question, question), (scenario.c.case_id, case_id)):
        asked = asked.where(column == value) if value else asked
    return [dict(row) for row in conn.execute(asked).mappings()]


def decide(conn: Connection, id_: str, run: str, reason: str, who: str, now: int) -> None:
    """Choose an option of its question: what was chosen of the same question before no longer is."""
    question = one(conn, id_)["question"]
    conn.execute(update(scenario).where(scenario.c.question == question, scenario.c.id != id_).values(run_id="", reason="", decided=None, decided_by=""))
    conn.execute(update(scenario).where(scenario.c.id == id_).values(run_id=run, reason=reason, decided=now, decided_by=who))


def ask(conn: Connection, row: Row) -> None:
    """Queue a run."""
    conn.execute(insert(scenario_run).values(**{"state": QUEUED, "engines": {}, "told": {}} | dict(row)))


def run(conn: Connection, id_: str) -> Row:
    """Return a run. Raises `run.unknown`."""
    found = conn.execute(select(scenario_run).where(scenario_run.c.id == id_)).mappings().one_or_none()
    if found is None:
        raise UNKNOWN_RUN(id=id_)
    return dict(found)


def done(conn: Connection, id_: str, doing: tuple[str, str]) -> Row:
    """Return a run that is done. Raises `run.not_done`, with what was to be done of it (zh, en)."""
    found = run(conn, id_)
    if found["state"] != DONE:
        raise NOT_DONE(id=id_, state=found["state"], doing_zh=doing[0], doing_en=doing[1])
    return found


def set_run(conn: Connection, id_: str, **values: Any) -> None:  # noqa: ANN401 (the columns of the table)
    """Change a run."""
    conn.execute(update(scenario_run).where(scenario_run.c.id == id_).values(**values))


def runs(conn: Connection, scenarios: Sequence[str] | None = None, states: Sequence[str] = (), since: int = 0, limit: int = 200) -> Sequence[Row]:
    """Return runs, the newest first: of some scenarios, in some states, known since a time (µs)."""
    asked = select(scenario_run).order_by(scenario_run.c.asked.desc(), scenario_run.c.id.desc()).limit(limit)
    if scenarios is not None:
        asked = asked.where(scenario_run.c.scenario.in_(list(scenarios)))
    if states:
        asked = asked.where(scenario_run.c.state.in_(list(states)))
    if since:
        asked = asked.where(scenario_run.c.known >= since)
    return [dict(row) for row in conn.execute(asked).mappings()]


def next_queued(conn: Connection) -> Row | None:
    """Return the run that has waited longest."""
    found = conn.execute(select(scenario_run).where(scenario_run.c.state == QUEUED).order_by(scenario_run.c.asked, scenario_run.c.id).limit(1)).mappings().one_or_none()
    return None if found is None else dict(found)


def ahead_of(conn: Connection, row: Row) -> int:
    """Return how many runs are to be done before a queued one."""
    asked = select(func.count()).select_from(scenario_run).where(scenario_run.c.state.in_(UNENDED), scenario_run.c.asked < row["asked"])
    return int(conn.execute(asked).scalar_one())
