"""What runs foresaw, read again: the same signs by the same definitions over the record and what a run foresees, its map, and how good forecasts were."""

import gzip
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from zhongshu.app.assembly import Assembly
from zhongshu.foresee import GEOGRAPHIC, Foreseen, Models, docket, drawn, pairs, parted, skill
from zhongshu.judge import Explainer, Indicator, Values
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import DAY
from zhongshu.kernel.reading import SCHEMA
from zhongshu.kernel.rollup import RollUp

FOLDER = "forecasts"
"""Where the files of runs lie in a city's folder."""
BACK, MOST_RUNS = 7 * DAY, 100
"""Skill is reckoned over the runs of so long a time (µs), at most so many."""
AGAIN_S = 60.0
"""Skill is reckoned again after so many seconds."""


class Foretold:
    """Reads what runs left."""

    def __init__(self, parts: Assembly, models: Models, rows: Foreseen) -> None:
        """Take the city, its models and the packs' rows."""
        self.parts, self.models, self.rows = parts, models, rows
        self._outcomes = {row.id: row for row in rows.outcomes}
        self._skill: tuple[float, list[dict[str, Any]]] = (float("-inf"), [])
        self.whole = lru_cache(8)(self._whole)
        self._drawn = lru_cache(32)(self._shapes)
        self.readings = lru_cache(16)(self._readings)

    def _whole(self, run: str) -> dict[str, Any]:
        """Return everything a run that is done told."""
        held: dict[str, Any] = msgspec.json.decode(gzip.decompress((self.parts.folder / FOLDER / f"{run}.json.gz").read_bytes()))
        return held

    def _readings(self, run: str) -> pa.Table:
        """Return what a run foresaw, as readings."""
        return pq.read_table(self.parts.folder / FOLDER / f"{run}.parquet").cast(SCHEMA)

    def values(self, run: docket.Row, indicators: Sequence[Indicator], times: Sequence[int], levels: tuple[Level, ...]) -> list[tuple[int, dict[str, Values]]]:
        """Compute signs at times of a run: by their declared definition, over what was known when it began and what it foresees."""
        parts, words = self.parts, self.parts.registry
        with parts.lake.held() as held:
            mixed = replace(held, tail=pa.concat_tables([held.tail, self.readings(run["id"])]).unify_dictionaries())
            explainer = Explainer(
                parts.judge,
                parts.watch,
                lambda sql, _known: parts.lake.query(sql, tables={"facets": parts.facets()}, known=run["known"], at=mixed),
                RollUp(parts.judge.properties, words, words.sources.names, words.entities.numbers),
            )
            return explainer.over(indicators, times, levels)

    def foreseen_signs(self, run: docket.Row) -> list[Indicator]:
        """Return the signs of which a run foresees every property they measure: one that is half foreseen would say what nobody foresaw."""
        seen = set(run["told"].get("sights", ()))
        return [sign for sign in self.parts.watch.indicators.values() if (needed := {spec.property for spec in sign.specs()}) and needed <= seen]

    def map(self, run: docket.Row, second: int) -> dict[str, Any]:
        """Return what is out of order at a time of a run (seconds since its beginning) as GeoJSON: objects where an outcome's bound holds, and what was set."""
        told = self.whole(run["id"])
        outcomes = told["outcomes"]
        step = max((i for i, at in enumerate(outcomes["seconds"]) if at <= second), default=-1)
        features = []
        for name, places in outcomes["places"].items():
            role, attribute = parted(self._outcomes[name].what) if name in self._outcomes else ("", "")
            kind = attribute.partition(".")[0]
            names = outcomes["objects"].get(f"{role}:{kind}", [])
            shapes = self._drawn(self._model(run, role), kind) if role else {}
            here = [(names[i], shapes.get(names[i])) for i in (places[step] if 0 <= step < len(places) else [])]
            features += [{"type": "Feature", "geometry": shape, "properties": {"outcome": name, "name": each, "model": role}} for each, shape in here if shape is not None]
        return {"type": "FeatureCollection", "features": features + self._set(run, told, second)}

    def _set(self, run: docket.Row, told: dict[str, Any], second: int) -> list[dict[str, Any]]:
        """Return what changes and rules have set by a time and not let go of."""
        held: dict[tuple[str, str, str], dict[str, Any]] = {}
        for line in told["exchanges"]:
            if line["second"] <= second and line["by"] != "record":
                held[line["model"], line["set"], line["object"]] = line
        out = []
        for (role, what, name), line in held.items():
            shape = self._drawn(self._model(run, role), what.partition(".")[0]).get(name)
            if shape is not None and (line["because"] or line["by"] == "change"):
                out.append({"type": "Feature", "geometry": shape, "properties": {"set": f"{role}:{what}", "value": line["value"], "by": line["by"], "name": name, "model": role}})
        return out

    def _model(self, run: docket.Row, role: str) -> str:
        body = self.parts.desk.read(lambda conn: docket.one(conn, str(run["scenario"])))["body"]
        return str(body["models"].get(role, role))

    def _shapes(self, model: str, kind: str) -> dict[str, dict[str, Any]]:
        """Return a model's drawn objects of a kind by name; nothing where it lies nowhere on earth."""
        card = self.models.card(model)
        return drawn(self.models.drawing(model), kind) if card.crs == GEOGRAPHIC else {}

    def skill(self) -> list[dict[str, Any]]:
        """Return how good the forecasts of the last week were, a row for each engine, property and horizon; reckoned at most once a minute. What nobody carried out is not counted."""
        at, held = self._skill
        if time.monotonic() - at >= AGAIN_S:
            held = self._reckon()
            self._skill = (time.monotonic(), held)
        return held

    def _reckon(self) -> list[dict[str, Any]]:
        parts, now = self.parts, self.parts.clock.now()
        runs = parts.desk.read(lambda conn: [run for run in docket.runs(conn, states=(docket.DONE,), since=now - BACK, limit=MOST_RUNS) if _counts(conn, run)])
        tables = [table.append_column("run", pa.array([run["id"]] * len(table))) for run in runs if len(table := self.readings(run["id"]))]
        if not tables:
            return []
        found = pairs(pa.concat_tables(tables).unify_dictionaries(), now, lambda sql, lent: parts.lake.query(sql, tables=lent))
        events = {row.property: (row.event, not row.below) for row in self.rows.sights if row.event is not None}
        return skill(found, {run["id"]: run["told"]["sights"] for run in runs}, parts.judge.properties, events)


def _counts(conn: Any, run: docket.Row) -> bool:  # noqa: ANN401 (a SQLAlchemy connection)
    """Tell whether what a run assumed came to be: it changed nothing, or was what was chosen."""
    scenario = docket.one(conn, str(run["scenario"]))
    return not scenario["body"]["change"] or scenario["run_id"] == run["id"]
