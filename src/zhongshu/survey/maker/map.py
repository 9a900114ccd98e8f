"""What of a made city goes onto its base map, in which layer and from which zoom.

It must never know colours: the page's style paints.
"""

import numpy as np
import shapely

from zhongshu.survey.areas import Areas
from zhongshu.survey.maker.buildings import Buildings
from zhongshu.survey.maker.names import CANAL, LAKE, RAIL, RIVER, Word
from zhongshu.survey.maker.plan import ARTERIAL, CLASSES, COLLECTOR, EXPRESSWAY, LOCAL, Plan
from zhongshu.survey.maker.roads import Roads
from zhongshu.survey.maker.things import degrees
from zhongshu.survey.tiles import Feature, Layers, area_layers

_SHOWN_FROM = {EXPRESSWAY: 8, ARTERIAL: 9, COLLECTOR: 11, LOCAL: 13}
_TALL = 60.0
"""Buildings of this height in metres show one zoom earlier."""


def made_layers(areas: Areas, plan: Plan, roads: Roads, buildings: Buildings) -> Layers:
    """Return the layers district, street, community, water, railway, road, underpass, building and label."""
    layers = area_layers(areas)
    water = (("river", RIVER, plan.river, 8), ("canal", CANAL, plan.canal, 10), ("lake", LAKE, plan.lake, 9))
    layers["water"] = [Feature(_degrees(shape), {"kind": kind, **_names(name)}, least) for kind, name, shape, least in water]
    layers["railway"] = [Feature(_degrees(plan.rail), _names(RAIL), 9)]
    lines = degrees(np.array([link.line for link in roads.links], dtype=object))
    layers["road"] = [Feature(line, {"class": CLASSES[link.kind], **_names(link.name)}, _SHOWN_FROM[link.kind]) for line, link in zip(lines, roads.links, strict=True)]
    layers["underpass"] = [Feature(_degrees(under.line), _names(under.name), 12) for under in roads.underpasses]
    layers["building"] = [Feature(shape, {"height": height}, 12 if height >= _TALL else 13) for shape, height in zip(buildings.shapes, buildings.height.tolist(), strict=True)]
    layers["label"] += [_label("underpass", under.name, shapely.Point(under.x, under.y), 14) for under in roads.underpasses]
    layers["label"] += [_label("water", name, _middle(plan, shape), least + 2) for _, name, shape, least in water]
    return {name: layers[name] for name in sorted(layers)}


def _middle(plan: Plan, water: shapely.Geometry) -> shapely.Geometry:
    """Return a point on a water, on the city's side of its ends."""
    x, y = plan.plane.metres([0.3 * plan.plane.columns, 0.7 * plan.plane.columns], [0, 0])
    reach = shapely.buffer(shapely.MultiPoint(np.column_stack([x, y])).convex_hull.centroid, plan.plane.columns * 45.0)
    return shapely.point_on_surface(shapely.intersection(water, reach) if shapely.intersects(water, reach) else water)


def _degrees(shape: shapely.Geometry) -> shapely.Geometry:
    return degrees(np.array([shape], dtype=object))[0]


def _names(name: Word) -> dict[str, str | int | float]:
    return {"name_zh": name.zh, "name_en": name.en}


def _label(kind: str, name: Word, point: shapely.Geometry, least: int) -> Feature:
    return Feature(_degrees(point), {"kind": kind, **_names(name)}, least)
