"""The packs that are installed, found by their entry points, first-party ones like any other; and what they declare, read once."""

import importlib.metadata
import importlib.resources
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from zhongshu.act import Lesson, read_lessons
from zhongshu.govern import PackPolicy
from zhongshu.kernel.entity import EntityType
from zhongshu.kernel.quantity import Property
from zhongshu.sense import Source


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed pack."""

    name: str
    folder: Path
    about: dict[str, Any]
    module: ModuleType

    @property
    def properties(self) -> tuple[Property, ...]:
        """Return the properties it declares."""
        return tuple(getattr(self.module, "PROPERTIES", ()))

    @property
    def types(self) -> tuple[EntityType, ...]:
        """Return the entity types it declares."""
        return tuple(getattr(self.module, "TYPES", ()))

    @property
    def sources(self) -> tuple[Source, ...]:
        """Return the sources it declares."""
        return tuple(getattr(self.module, "SOURCES", ()))

    def foreseen(self, what: str) -> tuple[Any, ...]:
        """Return the rows it declares for looking ahead: couplings, drives, sights, outcomes or levers."""
        return tuple(getattr(self.module, what.upper(), ()))

    @property
    def policy(self) -> PackPolicy | None:
        """Return its policies, if it has any."""
        path = self.folder / "policies.cedar"
        return PackPolicy(self.name, path.read_text("utf-8"), frozenset(t.name for t in self.types)) if path.exists() else None

    @property
    def fictional(self) -> bool:
        """Tell whether its duty tables are a fictional city's, which hold in the sandbox alone."""
        return bool(self.about.get("fictional"))

    @property
    def tables(self) -> dict[str, bytes]:
        """Return its duty tables by kind: `tables/limits.csv` and the like."""
        return {path.stem: path.read_bytes() for path in sorted((self.folder / "tables").glob("*.csv"))}

    @property
    def playbooks(self) -> dict[str, bytes]:
        """Return its playbooks by file name."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / "playbooks").glob("*.bpmn"))}

    @property
    def lessons(self) -> tuple[Lesson, ...]:
        """Return its lessons of the training ground."""
        path = self.folder / "lessons.toml"
        return read_lessons(path) if path.exists() else ()

    @property
    def samples(self) -> dict[str, bytes]:
        """Return its drawings of how a place looks when its case may be closed, by name."""
        return {path.stem: path.read_bytes() for path in sorted((self.folder / "samples").glob("*.svg"))}

    @property
    def duties(self) -> str:
        """Return its dispatch catalogue as CSV, or nothing."""
        path = self.folder / "dispatch.csv"
        return path.read_text("utf-8") if path.exists() else ""


def installed_packs() -> list[Installed]:
    """Return the installed packs by name."""
    found = []
    for point in sorted(importlib.metadata.entry_points(group="zhongshu.packs"), key=lambda p: p.name):
        module = point.load()
        folder = Path(str(importlib.resources.files(module)))
        found.append(Installed(point.name, folder, tomllib.loads((folder / "pack.toml").read_text("utf-8")), module))
    return found
