"""Batches for the journal's suites."""

import numpy as np

from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.journal import Batch, Receipt
from zhongshu.kernel.reading import Readings

T0 = 1_700_000_000_000_000


def readings(ticks: list[int], first: int = 0) -> Readings:
    n = len(ticks)
    zeros = np.zeros(n, np.int32)
    return Readings(
        ["s"],
        ["urn:zs:A:1"],
        ["A.x"],
        [],
        zeros,
        zeros,
        zeros,
        np.zeros(n, np.int64),
        T0 + first + np.arange(n),
        np.array(ticks, np.int64),
        zeros,
        np.array(ticks, np.float64),
        np.full(n, -1, np.int32),
    )


def batch(name: str, ticks: list[int] | None = None, source: str = "s", **more: object) -> Batch:
    return Batch("readings", source, name, f"digest {name}", "v1", readings=None if ticks is None else readings(ticks), **more)  # type: ignore[arg-type]


def seen_one(journal: SqliteJournal, source: str, name: str) -> tuple[str, Receipt] | None:
    return journal.seen([("nobody", "nothing"), (source, name)]).get((source, name))
