"""A real city's data come in by command: read first, then the folder is owned and written, so that nobody runs the city meanwhile."""

from contextlib import ExitStack
from pathlib import Path

from zhongshu.engines.owner_lock import OwnerLock
from zhongshu.kernel.problem import declare
from zhongshu.survey import CITY_READERS, Called, City, Told, put

BAD_FORM = declare(
    "survey.bad_form",
    "invalid",
    zh=("不认识城市数据格式 {format}。", "--as 后面写 areas、{formats} 之一。"),
    en=("There is no format of city data called {format}.", "After --as write one of areas, {formats}."),
)
ONLY_WGS84 = declare(
    "survey.wgs_only",
    "invalid",
    zh=("{format} 的坐标按定义就是 WGS 84，不能按 {crs} 读。", "请去掉 --crs。"),
    en=("The coordinates of {format} are WGS 84 by definition and cannot be read as {crs}.", "Leave --crs out."),
)


def import_city(folder: Path, file: Path, form: str, crs: str, called: Called) -> tuple[City, Told]:
    """Found a city in an empty folder, or add to the one there; return it and what is to be said. A running city is a Problem."""
    if form not in CITY_READERS:
        raise BAD_FORM(format=form, formats=", ".join(CITY_READERS))
    if crs.lower() not in {"", "wgs84", "file", "epsg:4326"}:
        raise ONLY_WGS84(format=form, crs=crs)
    with ExitStack() as held:
        if (folder / "city.toml").exists():
            lock = OwnerLock(folder).take()
            held.callback(lock.release)
        found = CITY_READERS[form](file)
        return put(found, folder, called), found.report
