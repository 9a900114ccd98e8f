"""The made city's four models into its twin, by the very path that a real city's files take. Knows which networks a made city has, and nothing of what is in them."""

from collections.abc import Callable
from pathlib import Path

from zhongshu.app.twin import Asked, import_model
from zhongshu.foresee import Card
from zhongshu.kernel.problem import declare
from zhongshu.survey import BONES, BONES_CRS, BONES_MODELS

NO_BONES = declare(
    "twin.no_bones",
    "unknown",
    zh=("{folder} 里没有随城市生成的网络模型（survey/bones）。", "先用 zhongshu city make 生成城市；真实城市的模型用 zhongshu twin import 导入。"),
    en=("{folder} has no models made with the city (survey/bones).", "Make the city with `zhongshu city make`; a real city's models come in by `zhongshu twin import`."),
)


def has_bones(folder: Path) -> bool:
    """Tell whether models were made with a city."""
    return all((folder / BONES / name / file).is_file() for name, (_, file) in BONES_MODELS.items())


def import_made(folder: Path, tell: Callable[[str], object] = lambda _: None) -> list[Card]:
    """Import the models that were made with a city, as roads, sewers, water and grid, telling the name of each before it is read.

    All are drawn in degrees (EPSG:4490), where the city's entities stand.
    """
    files = {name: folder / BONES / name / file for name, (_, file) in BONES_MODELS.items()}
    if missing := [path for path in files.values() if not path.is_file()]:
        raise NO_BONES(folder=str(missing[0].parent))
    cards = []
    for name, (format_, _) in BONES_MODELS.items():
        tell(name)
        cards.append(import_model(folder, files[name], Asked(format_, name, "" if format_ == "pandapower" else BONES_CRS)))
    return cards
