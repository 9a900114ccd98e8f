"""The sandbox city 云汀市 (Yunting): fictional, drawn on open sea, of any size, and the same from the same seed.

Read top to bottom: plan, land, division, roads, buildings, entities, networks, files, map. It must never know how the city is run.
"""

from pathlib import Path

import numpy as np
import shapely

from zhongshu.kernel.problem import declare
from zhongshu.survey.areas import Areas
from zhongshu.survey.city import City, check_vacant
from zhongshu.survey.entities import Entities
from zhongshu.survey.maker.bones import grow
from zhongshu.survey.maker.buildings import Buildings, build
from zhongshu.survey.maker.devices import Counts, Site, equip
from zhongshu.survey.maker.division import CITY_CODE, Division, divide
from zhongshu.survey.maker.land import Land, settle
from zhongshu.survey.maker.map import made_layers
from zhongshu.survey.maker.names import CITY, Names, Word
from zhongshu.survey.maker.organisations import organisations
from zhongshu.survey.maker.plan import CLASSES, Plan, draw_plan
from zhongshu.survey.maker.plane import ORIGIN, to_metres
from zhongshu.survey.maker.roads import LANES, Roads, junctions, lay_roads
from zhongshu.survey.maker.things import Facets, Things
from zhongshu.survey.place import Place
from zhongshu.survey.progress import Progress, teller
from zhongshu.survey.tiles import draw_tiles

BAD_POPULATION = declare(
    "survey.bad_population",
    "invalid",
    zh=("不能生成 {population} 人的城市。", "人口请取 5000 到 10000000 之间的整数。"),
    en=("A city of {population} people cannot be made.", "Choose a whole number from 5000 to 10000000."),
)
BAD_SEED = declare(
    "survey.bad_seed",
    "invalid",
    zh=("种子“{seed}”不能用。", "种子请取不小于 0 的整数。"),
    en=("The seed '{seed}' cannot be used.", "Choose a whole number from 0 up."),
)
LEAST, MOST = 5_000, 10_000_000
PEOPLE_PER_CELL = 50
"""Of the whole city; a cell is about a hectare."""


_STEPS = (
    ("规划河流、道路格局", "Planning river and roads"),
    ("安排用地与人口", "Settling land and people"),
    ("划分区、街道、社区、网格", "Dividing districts, streets, communities, cells"),
    ("修路、建下穿通道", "Laying roads and underpasses"),
    ("盖房子", "Putting up buildings"),
    ("建立位置索引", "Indexing places"),
    ("安装设备、登记单位", "Installing devices, registering offices"),
    ("铺设道路交通、排水、供水、供电网络", "Laying traffic, sewers, water and power"),
    ("写入城市目录", "Writing the city's folder"),
    ("绘制底图", "Drawing the base map"),
)


def make(folder: Path, population: int = 300_000, seed: int = 7, progress: Progress | None = None) -> City:
    """Make 云汀市 in a folder and return what it is called; the same seed and population give the same bytes of every file.

    Writes `survey/areas.parquet`, `survey/bones` (four models of its networks), `survey/entities.parquet`, `survey/place.npz`, `map/city.pmtiles` and, last, `city.toml`. A population or seed that
    cannot be, or a folder that holds a city already, is a Problem.
    """
    if not LEAST <= population <= MOST:
        raise BAD_POPULATION(population=population)
    if seed < 0:
        raise BAD_SEED(seed=seed)
    check_vacant(folder)
    tell = teller(_STEPS, progress)
    tell()
    plan = draw_plan(population // PEOPLE_PER_CELL, _chance(seed, "plan"))
    tell()
    land = settle(plan, population, _chance(seed, "land"))
    tell()
    names = Names(_chance(seed, "names"))
    division = divide(plan, land, population, names)
    tell()
    roads = lay_roads(plan, names, _chance(seed, "roads"))
    tell()
    buildings = build(plan, land, _chance(seed, "buildings"))
    tell()
    division.areas.save(folder)
    place = Place.open(division.areas, folder)
    tell()
    things = Things(division.areas, place)
    _register(things, (plan, land, division), roads, buildings, seed)
    tell()
    grow(things, (plan, land), roads, _chance(seed, "bones")).save(folder)
    tell()
    Entities(things.rows, things.shapes).save(folder)
    city = _city(division.areas, population, seed)
    tell()
    draw_tiles(folder / "map" / "city.pmtiles", made_layers(division.areas, plan, roads, buildings), CITY.en)
    city.save(folder)
    return city


def _chance(seed: int, part: str) -> np.random.Generator:
    """Return a stream of chance of its own for each part, so that a change in one leaves the others as they were."""
    return np.random.Generator(np.random.PCG64([seed, *part.encode()]))


def _city(areas: Areas, population: int, seed: int) -> City:
    bounds = areas.bounds(CITY_CODE) or (*ORIGIN, *ORIGIN)
    return City(
        CITY.zh,
        CITY.en,
        CITY_CODE,
        "Asia/Shanghai",
        areas.city.lon,
        areas.city.lat,
        bounds,
        population,
        sandbox=True,
        seed=seed,
        note_zh="虚构城市，画在东海海面上；与任何真实地点、单位、人员无关。",
        note_en="A fictional city, drawn on the open East China Sea; no real place, body or person is meant.",
    )


def _register(things: Things, ground: tuple[Plan, Land, Division], roads: Roads, buildings: Buildings, seed: int) -> None:
    """Write down everything that stands in the city: offices, roads, underpasses, devices, buildings."""
    plan, land, division = ground
    things.rows += organisations(things.areas)
    _roads(things, roads)
    under = roads.underpasses
    facets: list[Facets] = [{"road": u.road.zh, "depth_m": u.depth, "catchment_ha": u.catchment_ha, "length_m": round(float(shapely.length(u.line)), 1)} for u in under]
    points = np.array([[u.x, u.y] for u in under]).reshape(-1, 2) + 5  # off the road, which may be a border, to the side of its pump
    ids = things.add("Underpass", points, lambda serial, _: under[serial - 1].name, facets, np.array([u.line for u in under], dtype=object))
    equip(Site(things, plan, land, roads, ids, Counts(int(land.people.sum())), _chance(seed, "devices")))
    _buildings(things, buildings, division)


def _roads(things: Things, roads: Roads) -> None:
    """Register every link with its class, length (m), lanes, free speed (km/h) and its two junctions, which make the graph."""
    nodes = junctions(roads.links)
    facets: list[Facets] = [
        {"class": CLASSES[link.kind], "length_m": round(link.length, 1), "lanes": LANES[link.kind], "from": nodes[link.start], "to": nodes[link.end]} for link in roads.links
    ]
    things.add(
        "Road",
        np.array([link.at(0.5) for link in roads.links]),
        lambda serial, _: roads.links[serial - 1].name,
        facets,
        np.array([link.line for link in roads.links], dtype=object),
    )


def _buildings(things: Things, buildings: Buildings, division: Division) -> None:
    """Register every building in its community, numbered there."""
    middle = shapely.get_coordinates(shapely.centroid(buildings.shapes))
    community = division.code[buildings.cell] // 1000
    number = np.zeros(len(community), dtype=np.int64)
    order = np.argsort(community, kind="stable")
    starts = np.searchsorted(community[order], community[order])
    number[order] = np.arange(len(order)) - starts + 1
    points = np.column_stack(to_metres(middle[:, 0], middle[:, 1]))
    heights: list[Facets] = [{"height_m": height} for height in buildings.height.tolist()]
    ids = things.add("Building", points, lambda serial, at: Word(f"{at.zh}{number[serial - 1]}号楼", f"{at.en} Building {number[serial - 1]}"), heights)
    things.shapes.update(zip(ids, shapely.to_wkb(buildings.shapes, byte_order=1), strict=True))
