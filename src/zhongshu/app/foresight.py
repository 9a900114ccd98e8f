"""The city looks ahead: scenarios are kept, run one after the other beside everything else, and what they foresee stays beside the warehouse.

One thread runs; engines are processes of their own. What a run came to is two files in DATA/forecasts: its readings, and the course of its outcomes with every exchange.
"""

import gzip
import logging
import threading
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import msgspec
import pyarrow.parquet as pq

from zhongshu.app.assembly import Assembly
from zhongshu.app.bones import has_bones, import_made
from zhongshu.app.foreseen import FOLDER, Foretold
from zhongshu.app.living import Living
from zhongshu.app.scenarios import Ground, Ready, ready, report
from zhongshu.engines.parquet_files import write_durably
from zhongshu.engines.simulators.worker import Worker
from zhongshu.foresee import Foreseen, Models, Scenario, Side, Told, check, docket, made, meant, parted, side_of, wished
from zhongshu.kernel.bus import News
from zhongshu.kernel.clock import HOUR, rfc3339
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.ids import stable_id, uuid7
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reason import why
from zhongshu.survey import BONES_MODELS

NO_MODELS = declare(
    "twin.no_models",
    "unknown",
    zh=("这座城市还没有可以推演的模型。", "沙盒城市：安装附加项 twin 后运行 zhongshu up，模型会自动生成；真实城市：用 zhongshu twin import 导入。"),
    en=("This city has no model to look ahead with.", "A sandbox city makes its models when the extra `twin` is installed; others bring them in by `zhongshu twin import`."),
)
TOO_MANY = declare(
    "run.too_many",
    "busy",
    zh=("已有 {count} 个推演在排队。", "请等前面的算完，或先停掉不需要的。"),
    en=("{count} runs are waiting.", "Wait for them, or stop those that nobody needs."),
)
TOO_LONG = declare(
    "run.too_long",
    "unavailable",
    zh=("推演超过了 {minutes} 分钟的时限，已停下。", "请缩短推演时长，或用更小的模型；时限见设置 run_limit_s。"),
    en=("The run went over its limit of {minutes} minutes and was stopped.", "Look less far ahead, or use a smaller model; the limit is the setting run_limit_s."),
)
LEFT = declare(
    "run.left",
    "unavailable",
    zh=("推演时城市重启了，没有算完。", "请重新推演。"),
    en=("The city was started again while this ran; it was not finished.", "Run it again."),
)
BROKE = declare(
    "run.broke",
    "unavailable",
    zh=("推演中断：{why_zh}。", "请重新推演；再不行，请把这句话告诉维护人员。"),
    en=("The run broke off: {why_en}.", "Run it again; if it breaks again, pass this sentence on to who looks after the system."),
)
MOST_WAITING = 20
FIRST_S = 600.0
"""So long after a start the city asks itself for the first time how it goes on: before, it has other things to do."""
LESSON_HOURS = 2.0
"""What a lesson's event lasts where it does not say it."""
SPIN = "1h"
"""How long the engines run by the record before now, where a scenario does not say it."""
_log = logging.getLogger(__name__)


class Foresight:
    """Keeps and runs scenarios of one city."""

    def __init__(self, parts: Assembly, every: float, limit: float) -> None:
        """Take the city; `every`: seconds between two runs of how it goes on (0: none by itself); `limit`: seconds a run may take."""
        self.parts, self.every, self.limit = parts, every, limit
        self.models = Models(parts.folder / "twin")
        self.rows = Foreseen(*(tuple(row for pack in parts.packs for row in pack.foreseen(name)) for name in ("couplings", "drives", "sights", "outcomes", "levers")))
        self.told = Foretold(parts, self.models, self.rows)
        self.installed = find_spec("swmm") is not None
        """Whether the extra `twin` is there."""
        self._levers = {lever.id: lever for lever in self.rows.levers}
        self._waked, self._ends = threading.Event(), threading.Event()
        self._under_way: dict[str, tuple[float, list[Worker]]] = {}
        """Of the run that goes on: how far it is (0 to 1), and its engines."""
        self._stopped: set[str] = set()
        self.living: Living | None = None
        self.lively = parts.settings.twin == "auto"
        self._thread = threading.Thread(target=self._work, name="foresight", daemon=True)

    def start(self) -> None:
        """Begin to run what is asked for; what an earlier start left half-way has failed."""
        (self.parts.folder / FOLDER).mkdir(exist_ok=True)
        left = LEFT()
        for row in self.parts.desk.read(lambda conn: docket.runs(conn, states=(docket.RUNNING,))):
            self._keep(row["id"], state=docket.FAILED, ended=self.parts.clock.now(), told={"problem": _document(left)})
        self._thread.start()

    def stop(self) -> None:
        """End the run that goes on, and the thread."""
        self._ends.set()
        self._waked.set()
        if self.living is not None:
            self.living.stop()
        self._halt(*self._under_way)
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def live(self) -> Living | None:
        """Let the sandbox's networks live, where there are models and engines, and return what its devices ask; a second time, the same."""
        if self.living is None and self.lively and self.installed and (self.roles() or has_bones(self.parts.folder)) and self.parts.clock.mode == "live":
            ground = lambda: Ground(self.rows, self._entities(), self.parts.judge.properties, self.parts.clock.now())  # noqa: E731
            self.living = Living(self.models, self._brought_in, ground, self.parts.clock.now)
            self.living.start()
        return self.living

    def _brought_in(self) -> dict[str, str]:
        """Return role → model; before, bring the models in that were made with the city, where that has not been done."""
        if has_bones(self.parts.folder) and not set(BONES_MODELS) <= set(self.models.names()):
            import_made(self.parts.folder, lambda name: _log.info("twin.import %s", name))
        return self.roles()

    def can_happen(self, event: Mapping[str, Any]) -> bool:
        """Tell whether the living networks can be given an event: they run, and one of them has what its lever moves."""
        lever = self._levers.get(str(event.get("lever")))
        return self.living is not None and lever is not None and parted(lever.target)[0] in self.roles()

    def happen(self, event: Mapping[str, Any]) -> bool:
        """Let an event, a wish whose `at` may be `centre`, come upon the living networks; False where they cannot be given it."""
        if not self.can_happen(event) or self.living is None:
            return False
        centre = {"type": "Point", "coordinates": [self.parts.about.lon, self.parts.about.lat]}
        (wish,) = wished([{**event, "at": centre if event.get("at") == "centre" else event.get("at")}])
        return self.living.alter(meant(wish, self._levers, lambda what: self._side(self.roles(), what), LESSON_HOURS, anywhere=True))

    # scenarios

    def roles(self) -> dict[str, str]:
        """Return role → model for every role that the packs' rows name and the city has a model for."""
        there = set(self.models.names())
        held = self.rows
        named = [row.what for row in held.couplings] + [row.what for row in held.sights] + [row.what for row in held.outcomes]
        named += [row.target for row in held.levers] + [row.target for row in held.drives]
        return {role: role for role in dict.fromkeys(parted(what)[0] for what in named) if role in there}

    def make(self, given: Mapping[str, Any], who: str) -> docket.Row:
        """Keep a scenario of what people wish (`wishes`), of plain changes and rules, over the city's models; return its row.

        Raises `twin.no_models`, and what is wrong with it.
        """
        models = given.get("models") or self.roles()
        if not models:
            raise NO_MODELS()
        name, hours = given.get("name") or "—", float(given.get("hours") or 2.0)
        wishes = wished(given.get("wishes") or [])
        cards = {role: self.models.card(model) for role, model in models.items()}
        for wish in wishes:
            if wish.lever in self._levers and parted(self._levers[wish.lever].target)[0] not in cards:
                raise NO_MODELS()
        changes = [msgspec.to_builtins(meant(wish, self._levers, lambda what: self._side(models, what), hours)) for wish in wishes]
        body = {
            "name": name,
            "models": models,
            "hours": hours,
            "step": given.get("step") or "5m",
            "seed": int(given.get("seed") or 0),
            "spinup": given.get("spinup") or SPIN,
            "change": changes + list(given.get("change") or []),
            "coupling": list(given.get("coupling") or []),
        }
        check(made(name, body), cards)
        row = {
            "id": uuid7(),
            "question": given.get("question") or "",
            "name": name,
            "case_id": given.get("case") or "",
            "body": body,
            "wishes": msgspec.to_builtins(wishes),
            "made": self.parts.clock.now(),
            "made_by": who,
        }
        row["question"] = row["question"] or row["id"]
        self._write(who, "scenario.make", str(row["id"]), {"name": name, "case": row["case_id"]}, lambda conn: docket.add(conn, row))
        return self.parts.desk.read(lambda conn: docket.one(conn, str(row["id"])))

    def _write(self, who: str, deed: str, subject: str, detail: dict[str, Any], work: Callable[[Any], object]) -> None:
        """Write with the ledger's line."""
        witness = self.parts.ledger.witness_of(who)

        def both(conn: Any) -> None:  # noqa: ANN401 (a SQLAlchemy connection)
            work(conn)
            witness(conn, deed, subject, detail)

        self.parts.desk.write(both)

    def _side(self, models: Mapping[str, str], what: str) -> Side:
        role, attribute = parted(what)
        return side_of(self.models.card(models[role]).crs, self.models.drawing(models[role]), attribute.partition(".")[0])

    # runs

    def ask(self, scenario: str, seed: int | None, who: str) -> docket.Row:
        """Queue a run of a scenario and return its row. Raises `scenario.unknown`, `run.too_many`."""
        held = self.parts.desk.read(lambda conn: docket.one(conn, scenario))
        row = {"id": uuid7(), "scenario": scenario, "asked": time.time_ns() // 1000, "asked_by": who, "seed": held["body"]["seed"] if seed is None else seed}

        def work(conn: Any) -> None:  # noqa: ANN401 (a SQLAlchemy connection)
            if len(docket.runs(conn, states=docket.UNENDED)) > MOST_WAITING:
                raise TOO_MANY(count=MOST_WAITING)
            docket.ask(conn, row)

        self._write(who, "scenario.run", scenario, {"run": row["id"], "seed": row["seed"]}, work)
        self._waked.set()
        return self.parts.desk.read(lambda conn: docket.run(conn, str(row["id"])))

    def halt(self, run: str) -> docket.Row:
        """Stop a run, waiting or under way; one that has ended stays as it is."""
        row = self.parts.desk.read(lambda conn: docket.run(conn, run))
        if row["state"] == docket.QUEUED:
            self._keep(run, state=docket.STOPPED, ended=self.parts.clock.now())
        elif row["state"] == docket.RUNNING:
            self._halt(run)
        return self.parts.desk.read(lambda conn: docket.run(conn, run))

    def _halt(self, *runs: str) -> None:
        for run in runs:
            self._stopped.add(run)
            for worker in self._under_way.get(run, (0.0, []))[1]:
                worker.stop()

    def progress(self, run: str) -> float:
        """Return how far a run under way is, 0 to 1."""
        return self._under_way.get(run, (0.0, []))[0]

    def _keep(self, run: str, **values: Any) -> None:  # noqa: ANN401 (the columns of a run)
        self.parts.desk.write(lambda conn: docket.set_run(conn, run, **values))
        self._say(run, values.get("state", docket.RUNNING))

    def _say(self, run: str, state: str) -> None:
        self.parts.hub.publish(News("run", self.parts.about.code, {"id": run, "state": state, "progress": round(self.progress(run), 3)}))

    # the thread

    def _work(self) -> None:
        due = time.monotonic() + min(self.every, FIRST_S) if self.every else float("inf")
        while not self._ends.is_set():
            row = self.parts.desk.read(docket.next_queued)
            if row is not None:
                self._one(row)
            elif time.monotonic() >= due:
                due = time.monotonic() + self.every
                self._as_it_goes()
            else:
                self._waked.wait(min(5.0, max(0.1, due - time.monotonic())))
                self._waked.clear()

    def _as_it_goes(self) -> None:
        """Ask for a run of what comes if all goes on as it does."""
        if not self.installed or not self.roles():
            return
        try:
            known = {row["id"] for row in self.parts.desk.read(lambda conn: docket.listing(conn, question=docket.AS_IT_GOES))}
            body = {"name": docket.AS_IT_GOES, "models": self.roles(), "hours": 2.0, "step": "5m", "seed": 0, "spinup": SPIN, "change": [], "coupling": []}
            id_ = f"{docket.AS_IT_GOES}-{stable_id(msgspec.json.encode(body))[:8]}"
            if id_ not in known:
                row = {
                    "id": id_,
                    "question": docket.AS_IT_GOES,
                    "name": docket.AS_IT_GOES,
                    "case_id": "",
                    "body": body,
                    "wishes": [],
                    "made": self.parts.clock.now(),
                    "made_by": "system",
                }
                self.parts.desk.write(lambda conn: docket.add(conn, row))
            self.ask(id_, None, "system")
        except Problem as problem:
            _log.warning("foresight.not_asked %s", problem.sentence())

    def _one(self, row: docket.Row) -> None:
        run, begun = row["id"], time.monotonic()
        self._under_way[run] = (0.0, [])
        try:
            ended = self._through(row, begun)
        except Problem as problem:
            ended = {"state": docket.STOPPED if run in self._stopped else docket.FAILED, "told": {"problem": _document(problem)}}
        except Exception as error:  # noqa: BLE001 (a run may break in any way; the city goes on, and says so)
            _log.exception("run.failed %s", run)
            ended = {"state": docket.FAILED, "told": {"problem": _document(BROKE(**why(error)))}}
        del self._under_way[run]
        self._stopped.discard(run)
        self._keep(run, ended=self.parts.clock.now(), **ended)

    def _through(self, row: docket.Row, begun: float) -> dict[str, Any]:
        """Run to the end and keep what came of it; return what the desk is to keep."""
        parts, run = self.parts, str(row["id"])
        body = parts.desk.read(lambda conn: docket.one(conn, str(row["scenario"])))["body"]
        scenario = made(body["name"], body | {"seed": row["seed"]})
        known = parts.clock.now()
        now = known // scenario.macro * scenario.macro
        self._keep(run, state=docket.RUNNING, known=known, until=now + round(scenario.hours * HOUR))
        ground = Ground(self.rows, self._entities(), parts.judge.properties, now, lambda sql: parts.lake.query(sql, known=known), parts.about.population)
        with ready(self.models, scenario, ground) as prepared:
            self._under_way[run] = (0.0, list(prepared.workers.values()))
            told = prepared.run(self._teller(run), self._stopper(run, begun))
            if run in self._stopped:
                return {"state": docket.STOPPED}
            if time.monotonic() - begun > self.limit:
                raise TOO_LONG(minutes=f"{self.limit / 60:g}")
            return self._ended(run, scenario, prepared, told, time.monotonic() - begun, ground)

    def _ended(self, run: str, scenario: Scenario, prepared: Ready, told: Told, took: float, ground: Ground) -> dict[str, Any]:
        document = report(scenario, prepared, told, took)
        came, seen = prepared.outcomes.came_to(), {one.prop.name: document["engines"][one.role] for one in prepared.seen}
        start = prepared.start(ground.query)
        kinds = {(role := parted(one.row.what))[0] + ":" + role[1].partition(".")[0] for one in prepared.outcomes.held if one.row.op}
        whole = document | {
            "outcomes": prepared.outcomes.shown() | {"objects": {kind: list(prepared.objects[kind.partition(":")[0]][kind.partition(":")[2]]) for kind in sorted(kinds)}},
            "notes": msgspec.to_builtins(prepared.notes),
            "start": start,
        }
        folder, table = self.parts.folder / FOLDER, prepared.forecast.table()
        pq.write_table(table, part := folder / f"{run}.parquet.part", compression="zstd")
        write_durably(folder / f"{run}.json.gz", gzip.compress(msgspec.json.encode(whole), 6, mtime=0))
        part.rename(folder / f"{run}.parquet")
        short = {
            "outcomes": came,
            "sights": seen,
            "start": start,
            "notes": whole["notes"],
            "readings": len(table),
            "exchanges": len(document["exchanges"]),
            "took_s": document["seconds_taken"],
            "times_real": document["times_real"],
            "engine_s": document["engine_seconds"],
            "began": rfc3339(ground.now),
        }
        return {"state": docket.DONE, "engines": document["engines"], "told": short}

    def _entities(self) -> dict[str, list[Entity]]:
        """Return the city's entities by type, of those types that a row speaks of."""
        named = [row.property for row in self.rows.drives] + [row.property for row in self.rows.sights]
        out: dict[str, list[Entity]] = {name.partition(".")[0]: [] for name in named}
        for entity in self.parts.registry.rows:
            if entity.type in out:
                out[entity.type].append(entity)
        return out

    def _teller(self, run: str) -> Callable[[int, int], None]:
        def tell(at: int, end: int) -> None:
            self._under_way[run] = (at / end, self._under_way[run][1])
            self._say(run, docket.RUNNING)

        return tell

    def _stopper(self, run: str, begun: float) -> Callable[[], bool]:
        return lambda: run in self._stopped or self._ends.is_set() or time.monotonic() - begun > self.limit


def _document(problem: Problem) -> dict[str, Any]:
    """Return a Problem as the page shows it."""
    return {"code": problem.kind.code, **{lang: {"sentence": problem.sentence(lang), "remedy": problem.remedy(lang)} for lang in ("zh", "en")}}
