"""The warehouse's manifest: a line for every commit, and a line for everything that was forgotten since, so that held + forgotten = committed can be proven.

Lines are JSON, appended and fsynced before the catalogue hears of what they say. Four forms:

- a commit: `from`, `to` (offsets), `count`, `checksum`, `form`, `revised`, `files`; of the hourly rows with `table`. Commits none of whose files stands any more
  are joined into one line for a stretch of offsets, `commits` telling of how many: counts and checksums add up, so the proof stays the same.
- files that are of no one commit, or were written anew: `crc` (by name); a commit's own line has `crc` too. Files of older programs have none.
- a run of forgetting: `run` (its number), `old` and `new` (the files that it exchanged).
- what a run forgot: `forgot` (the table), `run`, `to` (an offset of the commit or stretch concerned), `rule`, `before` (µs), `count`, `checksum`.

It knows no catalogue and no Parquet.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from zhongshu.engines.parquet_files import write_durably
from zhongshu.kernel.problem import declare

DAMAGED = declare(
    "manifest.damaged",
    "unavailable",
    zh=("数据仓的清单 {path} 第 {line} 行已损坏。", "请保留这个文件，检查磁盘，再从备份恢复。"),
    en=("Line {line} of the warehouse's manifest {path} is damaged.", "Keep the file, check the disk, and restore a backup."),
)

Line = dict[str, Any]
READINGS, HOURLY = "readings", "hourly"
MODULUS = 2**64
STRETCH = 4096
"""At most so many commits are joined into one line: at one in five seconds some six hours, so that a fault is still named closely."""


class _Commit(msgspec.Struct):
    first: int = msgspec.field(name="from")
    to: int
    count: int
    checksum: int


class _Forgot(msgspec.Struct):
    forgot: str
    run: int
    to: int
    rule: str
    before: int
    count: int
    checksum: int


class _Run(msgspec.Struct):
    run: int
    old: list[str]
    new: list[str]


class _Sums(msgspec.Struct):
    crc: dict[str, int]


_FORMS = {"from": _Commit, "forgot": _Forgot, "old": _Run, "crc": _Sums}
"""What a line holds at least, by the first of these names that it has."""


class Manifest:
    """One warehouse's manifest."""

    def __init__(self, path: Path) -> None:
        """Take the file; it need not be there."""
        self.path = path

    def lines(self) -> list[Line]:
        """Return every line that was written to its end; raises `manifest.damaged` where one says nothing."""
        if not self.path.exists():
            return []
        *whole, _torn = self.path.read_bytes().split(b"\n")
        found = [_read(line) for line in whole]
        if None in found:
            raise DAMAGED(path=self.path, line=1 + found.index(None))
        return [line for line in found if line is not None]

    def commits(self, table: str = READINGS) -> list[Line]:
        """Return the commits of a table, or the stretches of them."""
        return commits(self.lines(), table)

    def size(self) -> int:
        """Return the length in bytes, to which `cut` can go back."""
        return self.path.stat().st_size if self.path.exists() else 0

    def note(self, *lines: Line) -> None:
        """Append lines, durably."""
        with self.path.open("ab") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
            file.flush()
            os.fsync(file.fileno())

    def cut(self, size: int) -> None:
        """Take back what was appended since."""
        if self.path.exists():
            os.truncate(self.path, size)

    def put(self, lines: Iterable[Line]) -> None:
        """Have exactly these lines, durably; written only if they are others."""
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        if self.path.exists() and self.path.read_bytes() != content:
            write_durably(self.path, content)


def _read(raw: bytes) -> Line | None:
    try:
        line: Line = msgspec.json.decode(raw, type=dict[str, Any])
        msgspec.convert(line, _FORMS[next(name for name in _FORMS if name in line)])
    except (ValueError, StopIteration):
        return None
    return line


def commits(lines: Iterable[Line], table: str = READINGS) -> list[Line]:
    """Return the lines that are commits of a table."""
    return [line for line in lines if "from" in line and line.get("table", READINGS) == table]


def runs(lines: Iterable[Line]) -> list[Line]:
    """Return the lines that name runs of forgetting."""
    return [line for line in lines if "old" in line]


def crcs(lines: Iterable[Line]) -> dict[str, int]:
    """Return the CRC-32 of files by name, the latest that was noted."""
    return {name: crc for line in lines for name, crc in line.get("crc", {}).items()}


def forgotten(lines: Iterable[Line], ends: Iterable[int], table: str = READINGS) -> tuple[dict[int, tuple[int, int]], list[Line]]:
    """Return how much of each commit (by place in `ends`, their last offsets) was forgotten, as (count, checksum); and the lines that concern no commit."""
    held, stray = dict[int, tuple[int, int]](), list[Line]()
    last = np.fromiter(ends, np.int64)
    for line in lines:
        if line.get("forgot") != table:
            continue
        i = int(np.searchsorted(last, line["to"]))
        if i == len(last):
            stray.append(line)
            continue
        count, total = held.get(i, (0, 0))
        held[i] = count + line["count"], (total + line["checksum"]) % MODULUS
    return held, stray


def totals(lines: Iterable[Line]) -> dict[tuple[str, str], Line]:
    """Return what was forgotten in all, by (table, rule): count, checksum, before, run."""
    found: dict[tuple[str, str], Line] = {}
    for line in lines:
        if "forgot" in line:
            key = (line["forgot"], line["rule"])
            found[key] = _added(found.get(key), line)
    return found


def _added(one: Line | None, other: Line) -> Line:
    if one is None:
        return dict(other)
    return one | {
        "count": one["count"] + other["count"],
        "checksum": (one["checksum"] + other["checksum"]) % MODULUS,
        "before": max(one["before"], other["before"]),
        "run": max(one["run"], other["run"]),
    }


def joined(lines: list[Line], stands: set[str]) -> list[Line]:
    """Join neighbouring commits of which no file stands any more, and with them what was forgotten of them. `stands`: the files' names, as commits name them."""
    out: list[Line] = []
    for line in commits(lines):
        if out and _may_join(out[-1], line, stands):
            out[-1] = _join(out[-1], line)
        else:
            out.append(line)
    ends = np.array([line["to"] for line in out], np.int64)
    gone: dict[tuple[int, str], Line] = {}
    rest: list[Line] = []
    for line in lines:
        if line.get("forgot") == READINGS and (i := int(np.searchsorted(ends, line["to"]))) < len(out):
            key = (i, line["rule"])
            gone[key] = _added(gone.get(key), line) | {"to": out[i]["to"]}
        elif "forgot" in line or line.get("table") == HOURLY:
            rest.append(line)
    kept = {name: crc for name, crc in crcs(line for line in lines if "from" not in line).items() if name in stands}
    return [*out, *gone.values(), *rest, *runs(lines)[-1:], *([{"crc": kept}] if kept else [])]


def _may_join(one: Line, other: Line, stands: set[str]) -> bool:
    if one["to"] + 1 != other["from"] or one["form"] != other["form"] or one.get("commits", 1) + other.get("commits", 1) > STRETCH:
        return False
    return stands.isdisjoint(one["files"]) and stands.isdisjoint(other["files"])


def _join(one: Line, other: Line) -> Line:
    return {
        "from": one["from"],
        "to": other["to"],
        "count": one["count"] + other["count"],
        "checksum": (one["checksum"] + other["checksum"]) % MODULUS,
        "form": one["form"],
        "revised": one.get("revised", True) or other.get("revised", True),
        "commits": one.get("commits", 1) + other.get("commits", 1),
        "files": [],
    }
