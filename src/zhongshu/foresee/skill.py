"""How good forecasts were: what was foreseen beside what was measured when its time had come, by engine, property and how far ahead.

Bias and root mean square error as usual; hit rate and false alarms of events as in forecast verification (WWRP/WGNE Joint Working Group on Forecast Verification Research); beside them the
error of saying that nothing will change (persistence), which a forecast has to beat.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.kernel.clock import MINUTE
from zhongshu.kernel.quantity import Property

HORIZONS = (15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 120 * MINUTE, 360 * MINUTE)
"""Up to how far ahead (µs) forecasts are counted together."""
NEAR = 10 * MINUTE
"""A measurement speaks for a moment for so long after it."""
Query = Callable[[str, dict[str, pa.Table]], pa.Table]

PAIRS = f"""
SELECT f.run, f.entity, f.property, f.valid - f.known AS ahead, f.ticks AS said, r.ticks AS was, b.ticks AS before
FROM forecast f
ASOF JOIN (SELECT entity, property, valid, ticks FROM readings WHERE property IN (SELECT DISTINCT property FROM forecast) AND ticks IS NOT NULL AND valid >= {{low}}) r
  ON f.entity = r.entity AND f.property = r.property AND f.valid >= r.valid
ASOF LEFT JOIN (SELECT entity, property, valid, ticks FROM readings WHERE property IN (SELECT DISTINCT property FROM forecast) AND ticks IS NOT NULL AND valid >= {{low}}) b
  ON f.entity = b.entity AND f.property = b.property AND f.known >= b.valid
WHERE f.valid - r.valid <= {NEAR} AND f.valid <= {{now}} AND f.ticks IS NOT NULL AND r.valid > f.known
"""
"""Foreseen beside measured, and beside what was last measured when it was foreseen. A measurement from before the forecast was made does not count."""


def pairs(forecast: pa.Table, now: int, query: Query) -> pa.Table:
    """Return (run, entity, property, ahead, said, was, before) of everything foreseen whose time has come and that was measured; `forecast`: the readings of `SCHEMA` with a column `run`."""
    low = int(np.asarray(forecast["known"]).min()) - NEAR if len(forecast) else 0
    return query(PAIRS.format(low=low, now=now), {"forecast": forecast})


def reckon(said: npt.NDArray[np.float64], was: npt.NDArray[np.float64], before: npt.NDArray[np.float64], event: float | None, *, above: bool = True) -> dict[str, Any]:
    """Return n, bias, rmse, rmse of persistence (None where nothing was known before) and, of an event, hit rate and false-alarm ratio (None where there was none to hit or none foreseen)."""
    wrong, known = said - was, ~np.isnan(before)
    out: dict[str, Any] = {
        "n": len(said),
        "bias": float(wrong.mean()),
        "rmse": float(np.sqrt((wrong**2).mean())),
        "rmse_persistence": float(np.sqrt(((before - was)[known] ** 2).mean())) if known.any() else None,
        "events": 0,
        "hit_rate": None,
        "false_alarms": None,
    }
    if event is not None:
        foreseen, came = (said >= event, was >= event) if above else (said <= event, was <= event)
        hits = int((foreseen & came).sum())
        out |= {
            "events": int(came.sum()),
            "hit_rate": hits / int(came.sum()) if came.any() else None,
            "false_alarms": int((foreseen & ~came).sum()) / int(foreseen.sum()) if foreseen.any() else None,
        }
    return out


def skill(found: pa.Table, engines: Mapping[str, Mapping[str, str]], properties: Mapping[str, Property], events: Mapping[str, tuple[float, bool]]) -> list[dict[str, Any]]:
    """Return a row for each engine, property and horizon. `engines`: run → property → the engine that foresaw it; `events`: property → (limit in its unit, whether above it is the event)."""
    if not len(found):
        return []
    names, runs = np.array(found["property"].to_pylist(), object), np.array(found["run"].to_pylist(), object)
    ahead = np.asarray(found["ahead"], np.int64)
    said, was = (np.asarray(found[name].cast(pa.float64())) for name in ("said", "was"))
    before = found["before"].cast(pa.float64()).combine_chunks().to_numpy(zero_copy_only=False)
    by = np.array([engines.get(run, {}).get(name, "") for run, name in zip(runs, names, strict=True)], object)
    slot = np.searchsorted(np.array(HORIZONS), ahead)
    out = []
    for engine, name, k in sorted({*zip(by.tolist(), names.tolist(), slot.tolist(), strict=True)}):
        if k == len(HORIZONS):
            continue
        of = (by == engine) & (names == name) & (slot == k)
        prop = properties[name]
        tick, (limit, above) = float(prop.tick), events.get(name, (None, True))
        told = reckon(said[of] * tick, was[of] * tick, before[of] * tick, limit, above=above)
        out.append({"engine": engine, "property": name, "unit": prop.unit, "from_s": (0, *HORIZONS)[k] // 1_000_000, "to_s": HORIZONS[k] // 1_000_000, "event": limit, **told})
    return out
