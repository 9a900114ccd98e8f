"""The desk's form, changed only by numbered files: `0001_desk.sql` and on; `HEAD` names the last, so that two authors meet in one place.

A file once released never changes; what is wrong in it is mended by the next. Knows no table's meaning.
"""

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zhongshu.engines.durable import sync_folder
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why

NEWER = declare(
    "desk.newer",
    "unsupported",
    zh=("这个业务库是 {found} 号格式，本程序只认到 {known} 号。", "请用更新版本的程序打开，或从备份恢复。"),
    en=("This desk is of form {found}; this program knows up to {known}.", "Open it with a newer version, or restore a backup."),
)
NOT_A_DESK = declare(
    "desk.unreadable",
    "invalid",
    zh=("打不开业务库文件 {path}：{why_zh}。", "请检查文件，或从备份恢复。"),
    en=("The desk's file {path} cannot be opened: {why_en}.", "Check the file, or restore a backup."),
)
BAD_COPY = declare(
    "desk.bad_copy",
    "unavailable",
    zh=("业务库的副本不完整：{why_zh}。", "请检查磁盘后重新备份；原库没有改动。"),
    en=("The copy of the desk is not whole: {why_en}.", "Check the disk and back up again; the desk itself is untouched."),
)

HERE = Path(__file__).parent
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_TABLE = "CREATE TABLE IF NOT EXISTS migration (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied INTEGER NOT NULL)"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step from one form of the desk to the next."""

    number: int
    name: str
    text: str

    def statements(self) -> Iterator[str]:
        """Yield its statements one by one; a trigger's body is part of its statement."""
        gathered = ""
        for line in self.text.splitlines(keepends=True):
            gathered += line
            if sqlite3.complete_statement(gathered):
                yield gathered
                gathered = ""


def migrations(folder: Path = HERE) -> list[Migration]:
    """Return all migrations in order. Gaps, doubles and a wrong HEAD are programming errors."""
    found = sorted((int(match[1]), path) for path in folder.glob("*.sql") if (match := _NAME.fullmatch(path.name)))
    if [number for number, _ in found] != list(range(1, len(found) + 1)) or int((folder / "HEAD").read_text()) != len(found):
        message = f"migrations {[path.name for _, path in found]} do not count from 1 to HEAD"
        raise ValueError(message)
    return [Migration(number, path.stem, path.read_text(encoding="utf-8")) for number, path in found]


def migrate(path: Path, folder: Path = HERE) -> int:
    """Bring a desk to the newest form, an older one after a copy beside it, and return its number. Raises `desk.newer`, `desk.unreadable`."""
    rows = migrations(folder)
    try:
        with contextlib.closing(connect(path)) as store:
            store.execute("PRAGMA journal_mode=WAL")
            store.execute("BEGIN IMMEDIATE")
            store.execute(_TABLE)
            have = store.execute("SELECT coalesce(max(number), 0) FROM migration").fetchone()[0]
            if have > len(rows):
                raise NEWER(found=have, known=len(rows))
            if 0 < have < len(rows):
                copy_store(path, path.with_name(f"{path.name}.form-{have:04d}"))
            for row in rows[have:]:
                for statement in row.statements():
                    store.execute(statement)
                store.execute("INSERT INTO migration VALUES (?, ?, ?)", (row.number, row.name, time.time_ns() // 1000))
            store.execute("COMMIT")
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # what SQLite says of a damaged file may itself be no text
        raise NOT_A_DESK(path=path, **why(error)) from error
    sync_folder(path.parent)
    return len(rows)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file with transactions in our own hands and every commit on disk before it returns."""
    store = sqlite3.connect(path, timeout=30, isolation_level=None)
    store.execute("PRAGMA synchronous=FULL")
    return store


def copy_store(source: Path, target: Path) -> None:
    """Copy a store, as it is at one moment, beside its writer; the target appears whole, checked and on disk, or not at all."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    with contextlib.closing(connect(source)) as store, contextlib.closing(sqlite3.connect(part)) as copy:
        store.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        if (found := copy.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
            raise BAD_COPY(**why(found, "检查未通过"))
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(target)
    sync_folder(target.parent)
