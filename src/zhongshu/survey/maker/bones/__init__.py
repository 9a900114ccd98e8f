"""The bones of a made city: streets that carry traffic, storm sewers, drinking water and the grid, coherent in one plane, as models that published engines read.

Read top to bottom: sheet, streets, sewers, water, grid, roads, pipes. It must never import an engine: it writes what they read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from zhongshu.kernel.entity import Entity
from zhongshu.survey.maker.bones.grid import Customer, Grid, lay_grid, pandapower
from zhongshu.survey.maker.bones.pipes import bury
from zhongshu.survey.maker.bones.roads import sumo
from zhongshu.survey.maker.bones.sewers import Dip, Gauge, Sewers, lay_sewers, swmm
from zhongshu.survey.maker.bones.sheet import SHEET, Assumption, given, sheet_json
from zhongshu.survey.maker.bones.streets import Streets, flat, lay_streets
from zhongshu.survey.maker.bones.water import Water, epanet, lay_water
from zhongshu.survey.maker.land import Land
from zhongshu.survey.maker.plan import Plan
from zhongshu.survey.maker.roads import Roads
from zhongshu.survey.maker.things import Things, metres

FOLDER = Path("survey") / "bones"
MODELS: Mapping[str, tuple[str, str]] = {
    "roads": ("sumo", "plain.nod.xml"),
    "sewers": ("swmm", "model.inp"),
    "water": ("epanet", "model.inp"),
    "grid": ("pandapower", "model.json"),
}
"""Network → the format it is written in, and the file to give to its importer."""
CRS = f"EPSG:{given('plane.epsg'):.0f}"
"""What the models of roads, sewers and water are drawn in; the grid is drawn in degrees."""
__all__ = ["CRS", "FOLDER", "MODELS", "SHEET", "Assumption", "Bones", "grow"]


@dataclass(frozen=True, slots=True)
class Bones:
    """The four networks of a city over one street graph, and the files they are written to (name below `survey/bones` → content)."""

    streets: Streets
    sewers: Sewers
    water: Water
    grid: Grid
    files: Mapping[str, bytes]

    def save(self, folder: Path) -> None:
        """Write the models and the assumption sheet into a city's folder."""
        for name, content in self.files.items():
            path = folder / FOLDER / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def grow(things: Things, ground: tuple[Plan, Land], roads: Roads, chance: np.random.Generator) -> Bones:
    """Lay all four networks under and over the streets of a city, and register the pipes among its things."""
    streets = lay_streets(*ground, roads)
    sewers = lay_sewers(streets, [Gauge(_model_name(row), *_place(row)) for row in things.rows if row.type == "RainGauge"], _dips(things.rows, roads))
    water = lay_water(streets)
    grid = lay_grid(streets, [*_houses(water), *(Customer(d.pump, np.array([d.pump_x, d.pump_y]), _lifting(d)) for d in sewers.dips)])
    files = {f"roads/{name}": content for name, content in sumo(streets, chance).items()}
    files |= {"sewers/model.inp": swmm(sewers).encode(), "water/model.inp": epanet(water).encode(), "grid/model.json": pandapower(grid), "assumptions.json": sheet_json()}
    bury(things, streets, (sewers, water, grid), chance)
    return Bones(streets, sewers, water, grid, files)


def _model_name(row: Entity) -> str:
    """Return what an entity is called in a model: urn:zs:RainGauge:YT-0001 → RainGauge-YT-0001."""
    return "-".join(row.id.split(":")[2:])


def _place(row: Entity) -> tuple[float, float]:
    return metres(row.lon or 0.0, row.lat or 0.0)


def _dips(rows: list[Entity], roads: Roads) -> list[Dip]:
    """Return the underpasses with the drainage pump of each."""
    pumps = {row.facets["underpass"]: row for row in rows if row.type == "PumpStation"}
    dips = []
    for row, under in zip((row for row in rows if row.type == "Underpass"), roads.underpasses, strict=True):
        pump = pumps[row.id]
        capacity = float(pump.facets["capacity_m3h"]) / 3600
        x, y = flat(shapely.line_interpolate_point(under.line, 0.5, normalized=True))[0].tolist()  # beside the crossing, not in it
        dips.append(Dip(_model_name(row), x, y, under.depth, under.catchment_ha, _model_name(pump), *_place(pump), capacity))
    return dips


def _lifting(dip: Dip) -> float:
    """Return what the pump of an underpass draws, kW."""
    return 9.81 * dip.capacity * (dip.depth + given("underpass.sump")) / given("water.efficiency")


def _houses(water: Water) -> list[Customer]:
    """Return the pump houses of the water supply, each with all its pumps."""
    return [Customer(house, xy, sum(pump.power for pump in water.pumps if pump.name.rpartition("-")[0] == house)) for house, xy in water.houses.items()]
