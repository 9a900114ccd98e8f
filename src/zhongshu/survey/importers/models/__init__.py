"""How a model of a real network comes in: what the file has is read, what it lacks is guessed and said, what cannot be used is refused with its reason.

Read here: where things lie and what there is. Whether the model runs, its engine says.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from zhongshu.survey.importers.models.cityflow import read_cityflow
from zhongshu.survey.importers.models.imported import Drawing, Imported
from zhongshu.survey.importers.models.inp import read_epanet, read_swmm
from zhongshu.survey.importers.models.plain import SUFFIX, read_plain
from zhongshu.survey.importers.models.power import read_pandapower
from zhongshu.survey.importers.models.sumo import read_sumo
from zhongshu.survey.importers.models.sweep import read_sweep
from zhongshu.survey.importers.report import Report, Said


def _read_roads(path: Path) -> Imported:
    """Read a net, a configuration, or plain files by their file of nodes."""
    return read_plain(path) if path.name.endswith(SUFFIX) else read_sumo(path)


READERS: Mapping[str, Callable[[Path], Imported]] = {
    "epanet": read_epanet,
    "swmm": read_swmm,
    "sumo": _read_roads,
    "cityflow": read_cityflow,
    "pandapower": read_pandapower,
    "uxsim": read_sweep,
}
"""Format → its reader."""

__all__ = ["READERS", "Drawing", "Imported", "Report", "Said", "read_cityflow"]
