"""Looking ahead: scenarios as options of a question, their runs, what each came to beside another, and how good forecasts were."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from zhongshu.foresee import docket
from zhongshu.kernel.area import interval, level_of, parse_area, show_area
from zhongshu.kernel.clock import parse_time, rfc3339
from zhongshu.kernel.finding import Status
from zhongshu.kernel.problem import declare
from zhongshu.serve.api.vitals import LEVELS
from zhongshu.serve.city import Foresight
from zhongshu.serve.door import Asked, Door, known_verb

NO_FORESIGHT = declare(
    "twin.beside",
    "unavailable",
    zh=("这个进程不做推演。", "请在城市的主进程上推演。"),
    en=("This process does not look ahead.", "Ask the city's own process."),
)
SAME_RUN = declare(
    "run.same",
    "invalid",
    zh=("不能拿推演和它自己比较。", "请在 with= 后面写另一个推演的编号。"),
    en=("A run cannot be compared with itself.", "Name another run after with=."),
)
NOT_ITS_RUN = declare(
    "scenario.not_its_run",
    "conflict",
    zh=("推演 {run} 不是这个情景的。", "请选这个情景自己的推演。"),
    en=("Run {run} is not one of this scenario.", "Choose a run of the scenario itself."),
)


class NewScenario(BaseModel):
    """A scenario to be kept. `wishes`: what is changed, by levers; `change`, `coupling`: the same rows as in a scenario's file; `question`: the id of the scenario whose options it joins."""

    name: str = Field(min_length=1, max_length=200)
    question: str = Field(default="", max_length=64)
    case: str = Field(default="", max_length=64)
    hours: float = Field(default=2.0, gt=0, le=24 * 7)
    step: str = Field(default="5m", max_length=10)
    spinup: str = Field(default="1h", max_length=10)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    models: dict[str, str] = Field(default_factory=dict, max_length=8)
    wishes: list[dict[str, Any]] = Field(default_factory=list, max_length=50)
    change: list[dict[str, Any]] = Field(default_factory=list, max_length=200)
    coupling: list[dict[str, Any]] = Field(default_factory=list, max_length=100)


class NewRun(BaseModel):
    """How a run is to be drawn by lot; without a seed by the scenario's."""

    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)


class Choice(BaseModel):
    """Why an option is chosen, and by which of its runs."""

    run: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=2000)


def _foresight(asked: Asked) -> Foresight:
    if asked.city.foresight is None:
        raise NO_FORESIGHT()
    return asked.city.foresight


def scenarios(asked: Door, question: str = "", case: str = "", limit: int = 100) -> dict[str, Any]:
    """List scenarios with their runs, the newest first; with them what can be changed and compared, and which models there are."""
    foresight, city = _foresight(asked), asked.city
    rows = city.desk.read(lambda conn: docket.listing(conn, question, case, min(limit, 500)))
    runs = city.desk.read(lambda conn: docket.runs(conn, [row["id"] for row in rows], limit=500))
    items = [_scenario(asked, row, [run for run in runs if run["scenario"] == row["id"]]) for row in rows]
    told = foresight.rows
    models = [{"role": role, "model": name, **_model(foresight, name)} for role, name in foresight.roles().items()]
    verbs = [verb for verb in ("run", "choose") if city.guard.scope(asked.principal, "act", "scenario", verb=verb)]
    return {
        "items": items,
        "next": None,
        "models": models,
        "levers": msgspec.to_builtins([lever for lever in told.levers if lever.target.partition(":")[0] in foresight.roles()]),
        "outcomes": msgspec.to_builtins(told.outcomes),
        "installed": foresight.installed,
        "may": (["make"] if city.guard.scope(asked.principal, "write", "scenario") else []) + verbs,
    }


def _model(foresight: Foresight, name: str) -> dict[str, Any]:
    card = foresight.models.card(name)
    return {"engine": card.version, "file": card.file, "crs": card.crs, "objects": card.objects}


def make(asked: Door, body: NewScenario) -> dict[str, Any]:
    """Keep a scenario: what people wish is turned into what engines are given, and held against the models at once."""
    row = _foresight(asked).make(body.model_dump(), asked.principal.id)
    return _scenario(asked, row, [])


def ask(asked: Door, id: str, body: NewRun, response: Response) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Queue a run of a scenario; it starts from the record as it is known when its turn comes."""
    asked.city.guard.require(asked.principal, "act", "scenario", verb="run")
    response.status_code = 202
    return _run(asked, _foresight(asked).ask(id, body.seed, asked.principal.id))


def choose(asked: Door, id: str, verb: str, body: Choice) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Choose an option of its question by one of its runs, with the reason."""
    city, known = asked.city, known_verb(verb, ("choose",))
    city.guard.require(asked.principal, "act", "scenario", verb=known)
    witness = city.ledger.witness_of(asked.principal.id)

    def work(conn: Connection) -> None:
        if docket.done(conn, body.run, ("选定", "chosen by"))["scenario"] != id:
            raise NOT_ITS_RUN(run=body.run)
        docket.decide(conn, id, body.run, body.reason, asked.principal.id, city.clock.now())
        witness(conn, "scenario.choose", id, {"run": body.run, "reason": body.reason})

    city.desk.write(work)
    return _scenario(asked, city.desk.read(lambda conn: docket.one(conn, id)), city.desk.read(lambda conn: docket.runs(conn, [id])))


def runs(asked: Door, question: str = "", state: str = "", limit: int = 20) -> dict[str, Any]:
    """List runs, the newest first: of a question's scenarios, in a state."""
    desk = asked.city.desk
    scenarios = [row["id"] for row in desk.read(lambda conn: docket.listing(conn, question, limit=500))] if question else None
    found = desk.read(lambda conn: docket.runs(conn, scenarios, (state,) if state else (), limit=min(limit, 200)))
    return {"items": [_run(asked, row) for row in found], "next": None}


def run(asked: Door, id: str, after: int = 0, limit: int = 300) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Return a run: its state, how far it is, what it came to, step by step, and its exchanges but for what the record said (`after`: where the page before ended)."""
    foresight, city = _foresight(asked), asked.city
    row = city.desk.read(lambda conn: docket.run(conn, id))
    shown = _run(asked, row) | {"scenario_of": _scenario(asked, city.desk.read(lambda conn: docket.one(conn, row["scenario"])), [])}
    if row["state"] != docket.DONE:
        return shown | {"seconds": [], "series": {}, "exchanges": {"items": [], "next": None, "total": 0}, "skill": []}
    whole, limit = foresight.told.whole(id), max(1, min(limit, 2000))
    log = [line for line in whole["exchanges"] if line["by"] != "record"]
    after = max(after, 0)
    told = {"items": log[after : after + limit], "next": after + limit if after + limit < len(log) else None, "total": len(log)}
    engines = set(row["engines"].values())
    return shown | {
        "seconds": whole["outcomes"]["seconds"],
        "series": whole["outcomes"]["series"],
        "exchanges": told,
        "skill": [line for line in foresight.told.skill() if line["engine"] in engines],
    }


def stop(asked: Door, id: str, verb: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Stop a run that waits or is under way."""
    known = known_verb(verb, ("stop",))
    asked.city.guard.require(asked.principal, "act", "scenario", verb=known)
    return _run(asked, _foresight(asked).halt(id))


def compare(asked: Door, id: str, other: Annotated[str, Query(alias="with", max_length=64)]) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Put two runs side by side: every outcome of both, the difference, and which is better by it."""
    if id == other:
        raise SAME_RUN()
    foresight, desk = _foresight(asked), asked.city.desk
    ours, theirs = desk.read(lambda conn: [docket.done(conn, each, ("比较", "compared")) for each in (id, other)])
    rows = [_beside(row, ours["told"]["outcomes"].get(row.id), theirs["told"]["outcomes"].get(row.id)) for row in foresight.rows.outcomes]
    costs = desk.read(lambda conn: [sum(wish["cost"] for wish in docket.one(conn, each["scenario"])["wishes"]) for each in (ours, theirs)])
    series = [foresight.told.whole(each["id"])["outcomes"] for each in (ours, theirs)]
    return {
        "run": _run(asked, ours),
        "with": _run(asked, theirs),
        "outcomes": [row for row in rows if row["value"] is not None or row["with"] is not None],
        "cost": costs[0],
        "cost_with": costs[1],
        "series": {"seconds": series[0]["seconds"], "run": series[0]["series"], "with_seconds": series[1]["seconds"], "with": series[1]["series"]},
    }


def _beside(row: Any, ours: float | None, theirs: float | None) -> dict[str, Any]:  # noqa: ANN401 (an Outcome)
    difference = None if ours is None or theirs is None else ours - theirs
    better = "" if not difference else "run" if (difference < 0) == (row.better == "less") else "with"
    return {"id": row.id, "zh": row.zh, "en": row.en, "unit": row.unit, "decimals": row.decimals, "value": ours, "with": theirs, "difference": difference, "better": better}


def vitals(asked: Door, id: str, at: int = 0, area: str = "", indicator: str = "", depth: str = "") -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """List vital signs as a run foresees them, `at` seconds after it began (0: at its end): the same definitions and bands as those of now; of an area, or with `depth` of all areas of that level in it."""
    city, foresight = asked.city, _foresight(asked)
    row = city.desk.read(lambda conn: docket.done(conn, id, ("查看", "looked at")))
    signs = [sign for sign in foresight.told.foreseen_signs(row) if not indicator or sign.code == indicator]
    begin = _began(row)
    moment = min(row["until"], begin + at * 1_000_000) if at > 0 else row["until"]
    within = parse_area(area) if area else city.about.code
    low, high = interval(within)
    levels = (LEVELS.get(depth, LEVELS["street"]) if depth else level_of(within),)
    items = []
    for _, found in foresight.told.values(row, signs, [moment], levels) if signs else []:
        for sign in signs:
            of = found[sign.code]
            for k, code in enumerate(of.codes.tolist()):
                if (low <= code < high if depth else code == within) and asked.scope.holds(code):
                    items.append(_sign(city.explainer.describe(sign)["unit"], sign.code, code, float(of.value[k]), str(of.status[k])))
    return {"items": items, "next": None, "at": rfc3339(moment), "known": rfc3339(row["known"])}


def _began(row: Mapping[str, Any]) -> int:
    """Return when (µs) a run's foreseen time begins: its start from the record, to the step."""
    return parse_time(row["told"]["began"])


def _sign(unit: str, indicator: str, code: int, value: float, level: str) -> dict[str, Any]:
    stale = value != value  # noqa: PLR0124 (NaN)
    return {"indicator": indicator, "area": show_area(code), "value": None if stale else value, "unit": unit, "level": str(Status.STALE) if stale else level}


def series(asked: Door, id: str, indicator: str, area: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Return one sign of one area over the whole run, at every step."""
    city, foresight = asked.city, _foresight(asked)
    row, code = city.desk.read(lambda conn: docket.done(conn, id, ("查看", "looked at"))), parse_area(area)
    city.guard.require(asked.principal, "read", "vital", code)
    sign = city.explainer.indicator(indicator)
    begin = _began(row)
    times = [begin + second * 1_000_000 for second in foresight.told.whole(id)["outcomes"]["seconds"]]
    points = []
    for moment, found in foresight.told.values(row, [sign], times, tuple(LEVELS.values())):
        place = found[sign.code].find(code)
        value = None if place is None else float(found[sign.code].value[place])
        points.append([rfc3339(moment), None if value is None or value != value else value, "stale" if place is None else str(found[sign.code].status[place])])  # noqa: PLR0124
    return {"indicator": indicator, "area": area, "points": points, "known": rfc3339(row["known"])}


def drawn(asked: Door, id: str, at: int = 0) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Return what is out of order `at` seconds after a run began, as GeoJSON in degrees (EPSG:4490): objects where an outcome's bound holds, and what changes and rules have set."""
    row = asked.city.desk.read(lambda conn: docket.done(conn, id, ("查看", "looked at")))
    return _foresight(asked).told.map(row, at)


def skill(asked: Door) -> dict[str, Any]:
    """List how good forecasts were in the last week: bias, error, persistence's error and hit rate, by engine, property and horizon."""
    return {"items": _foresight(asked).told.skill(), "next": None}


def models(asked: Door) -> dict[str, Any]:
    """List the city's models with what was taken, guessed and refused at their import."""
    held = _foresight(asked).models
    return {"items": [msgspec.to_builtins(held.card(name)) for name in held.names()], "next": None}


def model(asked: Door, name: str) -> dict[str, Any]:
    """Return a model's drawing as GeoJSON: each object's kind and name, in degrees (EPSG:4490), or in its own plane where it lies nowhere on earth."""
    held = _foresight(asked).models
    return {"crs": held.card(name).crs} | held.drawing(name)


def _scenario(asked: Asked, row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    body = row["body"]
    called = asked.city.identity.names({who for who in (row["made_by"], row["decided_by"]) if who})
    names = {f"{deed}_name_{lang}": called.get(row[deed], ("", ""))[k] for deed in ("made_by", "decided_by") for k, lang in enumerate(("zh", "en"))}
    return names | {
        "id": row["id"],
        "question": row["question"],
        "name": row["name"],
        "case": row["case_id"],
        "hours": body["hours"],
        "step": body["step"],
        "spinup": body["spinup"],
        "seed": body["seed"],
        "models": body["models"],
        "wishes": row["wishes"],
        "changes": len(body["change"]),
        "cost": sum(wish["cost"] for wish in row["wishes"]),
        "made": rfc3339(row["made"]),
        "made_by": row["made_by"],
        "chosen": row["run_id"],
        "reason": row["reason"],
        "decided": rfc3339(row["decided"]) if row["decided"] else None,
        "decided_by": row["decided_by"],
        "runs": [_run(asked, run) for run in runs],
    }


def _run(asked: Asked, row: Mapping[str, Any]) -> dict[str, Any]:
    foresight, told = asked.city.foresight, row["told"]
    progress = 1.0 if row["state"] == docket.DONE else foresight.progress(row["id"]) if foresight is not None else 0.0
    return {
        "id": row["id"],
        "scenario": row["scenario"],
        "state": row["state"],
        "progress": round(progress, 3),
        "waits": asked.city.desk.read(lambda conn: docket.ahead_of(conn, row)) if row["state"] == docket.QUEUED else 0,
        "seed": row["seed"],
        "asked_by": row["asked_by"],
        "began": told.get("began"),
        "known": rfc3339(row["known"]) if row["known"] else None,
        "until": rfc3339(row["until"]) if row["until"] else None,
        "ended": rfc3339(row["ended"]) if row["ended"] else None,
        "engines": row["engines"],
        "outcomes": told.get("outcomes", {}),
        "sights": told.get("sights", {}),
        "start": told.get("start", []),
        "notes": told.get("notes", []),
        "took_s": told.get("took_s"),
        "times_real": told.get("times_real"),
        "engine_s": told.get("engine_s", {}),
        "readings": told.get("readings", 0),
        "problem": told.get("problem"),
    }
