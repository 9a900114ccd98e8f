"""What the rules of the house are read from: the checkout's own files, as they are kept, and every file of the program loaded."""

import importlib
import pkgutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

import zhongshu

ROOT = Path(__file__).parents[2]
TEXT = {".py", ".md", ".toml", ".ts", ".vue", ".css", ".html", ".json", ".mjs", ".sql", ".cedar", ".csv", ".txt", ".cfg", ".yml", ".sh", ".ndjson", ""}


def kept() -> list[Path]:
    """Return the files of the checkout that are kept or about to be: what git tracks or would."""
    try:
        told = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the files that are kept are asked of git: get git, and run this in a clone")
    return [path for name in told.split("\0") if name and (path := ROOT / name).is_file()]


ALONE = "zhongshu.engines.simulators.adapters."
"""Files that only a worker's process imports: an extra, and some bear no other library beside them."""


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Return every kept file of text."""
    return [path for path in kept() if path.suffix in TEXT]


@pytest.fixture(scope="session")
def modules() -> dict[str, ModuleType]:
    """Return every module of the program by name, loaded."""
    return {found.name: importlib.import_module(found.name) for found in pkgutil.walk_packages(zhongshu.__path__, "zhongshu.") if not found.name.startswith(ALONE)}
