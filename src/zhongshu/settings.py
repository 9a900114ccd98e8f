"""Every setting once: name, default, help. Read from the environment (`ZS_<NAME>`) and the command line, by the assembly alone; then frozen."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    name: str
    default: str
    help: str


SETTINGS = (
    Setting("data", "DATA", "Folder of the city."),
    Setting("host", "127.0.0.1", "Address to listen on. Demo accounts work on a loopback address only."),
    Setting("port", "8700", "Port to listen on."),
    Setting("clock", "live", "`live`, or `replay@<RFC 3339>x<speed>`."),
    Setting("commit_s", "5", "Seconds between commits to the warehouse."),
    Setting("merge_files", "120", "Number of small files from which the warehouse merges them."),
    Setting("memory", "4GB", "Memory the warehouse's queries may use."),
    Setting("disk_floor_mb", "500", "Megabytes of disk below which intake stops."),
    Setting("demo_password", "yunting-demo", "Password of the sandbox's demo accounts."),
    Setting("mqtt", "", "Broker to take readings from, for example `mqtt://127.0.0.1:1883`; empty: none. Topic `zhongshu/<source>`."),
    Setting("desk", "", "Where the desk stands: `postgresql://user@host/database`, with the extra `postgresql`; empty: SQLite in the city's folder."),
    Setting("classifier", "auto", "What proposes a class for citizens' words: `grams`, `sentences` (the extra `ai`), or `auto`: sentences where the extra is installed."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force."""

    data: Path
    host: str
    port: int
    clock: str
    commit_s: float
    merge_files: int
    memory: str
    disk_floor_mb: int
    demo_password: str
    mqtt: str
    desk: str
    classifier: str

    @property
    def loopback(self) -> bool:
        """Tell whether the server listens to this machine only."""
        return self.host in {"127.0.0.1", "localhost", "::1"}


def read(given: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings: what is given, else the environment's, else the defaults."""
    held: dict[str, Any] = {}
    for setting in SETTINGS:
        value = (given or {}).get(setting.name)
        held[setting.name] = value if value is not None else os.environ.get(f"ZS_{setting.name.upper()}", setting.default)
    for name in ("port", "merge_files", "disk_floor_mb"):
        held[name] = int(held[name])
    return Settings(**{**held, "data": Path(held["data"]).absolute(), "commit_s": float(held["commit_s"])})
