"""Whether a SQLite file is whole: every page, every index against its table. It changes nothing."""

import contextlib
import sqlite3
from pathlib import Path

MOST = 20
"""So many faults are told; more tell no more."""


def faults(path: Path) -> list[str]:
    """Read a file through; return what is not whole, one sentence each."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as store:
            told = [str(row[0]) for row in store.execute(f"PRAGMA integrity_check({MOST})")]
    except sqlite3.Error as error:
        told = [str(error)]
    return [f"{path.name}: {line}" for line in told if line != "ok"]
