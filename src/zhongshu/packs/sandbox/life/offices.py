"""What the weather office and the call centre of the sandbox say: which warnings are in force, and how many calls came and were answered.

A warning is its office's own act, for the story issued with the storm; no rule makes one.
"""

from typing import Any

import numpy as np

from zhongshu.packs.sandbox.life.weather import Storm, chance

RAINSTORM, HEAT, CALLS = "urn:zs:Warning:yunting-rainstorm", "urn:zs:Warning:yunting-heat", "urn:zs:CallCentre:yunting-12345"
KEPT = 600.0
"""Seconds a warning is kept in force after its storm has gone."""
YELLOW = 2


def office_readings(now: int, storm: Storm | None) -> list[dict[str, Any]]:
    """Return their readings at a second (since 1970)."""
    warned = storm is not None and storm.start <= now <= storm.start + storm.length + KEPT
    busy = 4.0 if storm is not None and storm.raining(now) else 1.0
    draw = chance(np.array([12345, 54321], np.uint64), now // 10)
    calls = max(0, round((2.0 + 1.5 * float(draw[0])) * busy))
    missed = 1 if calls > 3 and float(draw[1]) > 0.1 else 0  # noqa: PLR2004 (a busy moment)
    said = [
        (RAINSTORM, "Warning.in_force", int(warned)),
        (RAINSTORM, "Warning.colour", YELLOW if warned else 0),
        (HEAT, "Warning.in_force", 0),
        (HEAT, "Warning.colour", 0),
        (CALLS, "CallCentre.calls", calls),
        (CALLS, "CallCentre.connected", calls - missed),
    ]
    return [{"entity": entity, "property": prop, "time": now * 1000, "value": value} for entity, prop, value in said]
