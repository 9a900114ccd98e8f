"""What several journeys walk over: two cities' 311 files, brought in once."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from .city import ingest

FILES = {"hotline.baltimore311": "b-311-baltimore/311_sample.csv.gz", "hotline.la311": "b-311-losangeles/la311_2020-01.csv.gz"}


@dataclass(frozen=True)
class Brought:
    """A city's file that was brought in: its source, where it lies, the city's folder, and what was counted of it."""

    source: str
    path: Path
    folder: Path
    counts: dict[str, int]


@pytest.fixture(scope="session", params=FILES)
def brought(request: pytest.FixtureRequest, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Brought:
    """Return a file that was brought in; whoever reads it changes nothing that another would count."""
    folder, path = tmp_path_factory.mktemp("brought") / "DATA", samples / FILES[request.param]
    return Brought(request.param, path, folder, ingest(folder, path, request.param))
