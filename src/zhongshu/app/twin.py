"""The twin's commands: a model comes in, is seen to run by its engine, and runs. Joins importers, models and engines, which do not know each other."""

import hashlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from zhongshu.engines.simulators.netconvert import convert
from zhongshu.engines.simulators.worker import Worker
from zhongshu.foresee import GEOGRAPHIC, Card, Models, Said
from zhongshu.kernel.clock import MINUTE, SECOND
from zhongshu.kernel.problem import Problem, declare
from zhongshu.survey import READERS, Drawing, Imported, read_cityflow, to_cgcs2000

BAD_FORMAT = declare(
    "twin.bad_format",
    "invalid",
    zh=("不认识模型格式 {format}。", "--as 后面写 {formats} 之一。"),
    en=("There is no model format {format}.", "After --as write one of {formats}."),
)
MACRO = 5 * MINUTE
"""How far a model that runs alone is stepped at once."""
PLANE = "plane:"
"""Before the name of a plane in metres that lies nowhere on earth and that several models may share."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of an import: the format, the model's name, the CRS where the file does not say it, and a file of traffic for formats that keep it apart."""

    format: str
    name: str = ""
    crs: str = ""
    demand: Path | None = None


def import_model(folder: Path, file: Path, asked: Asked) -> Card:
    """Read a model, see that its engine takes it, and keep it in the city's folder; what its engine refuses is not kept."""
    if asked.format not in READERS:
        raise BAD_FORMAT(format=asked.format, formats=", ".join(READERS))
    imported = read_cityflow(file, asked.demand) if asked.format == "cityflow" else READERS[asked.format](file)
    sha256 = hashlib.sha256(b"".join(name.encode() + content for name, content in sorted(imported.files.items()))).hexdigest()
    models, name = Models(folder / "twin"), asked.name or _called(file)
    models.need(name, sha256)
    with tempfile.TemporaryDirectory(prefix="zhongshu-model-") as draft:
        for each, content in imported.files.items():
            (Path(draft) / each).write_bytes(content)
        if "plain.nod.xml" in imported.files:
            convert(Path(draft))
        try:
            version, objects, inputs, observed = _tried(imported, Path(draft))
        except Problem as problem:
            problem.particulars["model"] = file.name
            raise
        files = {path.name: path.read_bytes() for path in Path(draft).iterdir() if path.is_file()}
    drawing, crs = _drawn(imported.drawing, asked.crs, file.name)
    report = imported.report
    guessed, refused = ([Said(line.zh, line.en) for line in lines] for lines in (report.guessed, report.refused))
    card = Card(name, imported.engine, version, imported.model, file.name, sha256, crs, report.taken, guessed, refused, objects, inputs, observed)
    models.put(card, files, drawing)
    return card


def _called(file: Path) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in file.name.split(".")[0].lower()).strip("-")[:60]


def _tried(imported: Imported, folder: Path) -> tuple[str, dict[str, int], dict[str, str], dict[str, str]]:
    """Load a model and take one step: what cannot do that is no model."""
    worker = Worker(imported.engine)
    try:
        objects = worker.load(folder / imported.model, 0)
        worker.step(MINUTE)
        worker.outputs()
        return worker.version(), {kind: len(names) for kind, names in objects.items()}, dict(worker.inputs), dict(worker.observed)
    finally:
        worker.close()


def _drawn(drawing: Drawing, crs: str, name: str) -> tuple[dict[str, Any], str]:
    """Return a drawing as GeoJSON, in degrees where it is known where it lies, and in what it is."""
    shapes = [(kind, each, shapely.Point(point)) for kind, held in drawing.points.items() for each, point in held.items()]
    shapes += [(kind, each, shapely.LineString(line)) for kind, held in drawing.lines.items() for each, line in held.items() if len(line) > 1]
    geometries = np.array([shape for _, _, shape in shapes], object)
    wanted = crs or drawing.crs
    if wanted and not wanted.startswith(PLANE) and len(geometries):
        geometries = to_cgcs2000(geometries, crs or "file", drawing.crs, name)
    features = [
        {"type": "Feature", "geometry": shapely.geometry.mapping(shape), "properties": {"kind": kind, "name": each}}
        for (kind, each, _), shape in zip(shapes, geometries, strict=True)
    ]
    return {"type": "FeatureCollection", "features": features}, wanted if wanted.startswith(PLANE) else GEOGRAPHIC if wanted else ""


def run_model(folder: Path, name: str, hours: float, seed: int = 0) -> dict[str, Any]:
    """Run a model alone, as its file says, and return what its attributes came to: the last step's least, mean and greatest, and the greatest of the whole run."""
    models = Models(folder / "twin")
    card, end = models.card(name), int(hours * 3600 * SECOND)
    worker, begun = Worker(card.engine), time.monotonic()
    try:
        worker.load(models.path(name), 0, seed)
        at, highest, out = 0, dict[str, float](), worker.outputs()
        while at < end:
            at = min(at + MACRO, end)
            worker.step(at)
            out = worker.outputs()
            highest = {what: max(float(values.max()), highest.get(what, -np.inf)) for what, values in out.items() if len(values)}
        took, units = time.monotonic() - begun, worker.observed
        told = {what: came_to(v, units[what]) | {"most_of_run": highest.get(what, float(v.max()))} for what, v in out.items() if len(v)}
        return {"model": name, "engine": worker.version(), "seed": seed, "hours": hours, "seconds": round(took, 2), "times_real": round(hours * 3600 / took, 1), "outputs": told}
    finally:
        worker.close()


def came_to(values: np.ndarray[tuple[int], np.dtype[np.float64]], unit: str) -> dict[str, Any]:
    """Return the least, mean and greatest of an attribute's values, with its unit."""
    return {"unit": unit, "least": float(values.min()), "mean": float(values.mean()), "most": float(values.max())}


def lines(told: dict[str, Any]) -> list[str]:
    """Say what a run came to, a line each."""
    if "model" in told:
        out = [f"{told['model']} · {told['engine']} · {told['hours']:g} h · {told['seconds']} s ({told['times_real']:,.0f}×)"]
        return out + [_line(what, row) for what, row in told["outputs"].items()]
    share = " · ".join(f"{role} {told['engines'][role]} {seconds} s" for role, seconds in told["engine_seconds"].items())
    out = [f"{told['scenario']} · {told['hours']:g} h · {told['seconds_taken']} s ({told['times_real']:,.0f}×)", f"  {share}"]
    for exchange in told["exchanges"]:
        because = ", ".join(f"{name} = {value:.3g}" for name, value in exchange["because"][:3]) + (f" +{len(exchange['because']) - 3}" if len(exchange["because"]) > 3 else "")  # noqa: PLR2004
        minutes = exchange["second"] // 60
        out.append(
            f"  {minutes // 60:02}:{minutes % 60:02}  {exchange['by']}: {exchange['model']} {exchange['object']} {exchange['set']} = {exchange['value']:g}{f'  ({because})' if because else ''}"
        )
    return out + [_line(f"{role} {what}", row) for role, rows in told["last"].items() for what, row in rows.items()]


def _line(what: str, row: dict[str, Any]) -> str:
    return f"  {what:<26} {row['least']:>14,.4g} … {row['mean']:,.4g} … {row['most']:,.4g} {row['unit']}"
