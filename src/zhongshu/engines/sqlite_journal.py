"""The journal on SQLite: WAL, synchronous=FULL, one writer, one transaction per group.

Readings travel as Arrow IPC, requests and entities as JSON lines. Nothing is read back to be changed, but for the mark that a row was mended.
Every entry has a checksum over all that is kept of it.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from zhongshu.engines import journal_group
from zhongshu.engines.journal_group import Group, group, seal
from zhongshu.engines.sqlite_whole import faults
from zhongshu.kernel.clock import DAY, SECOND
from zhongshu.kernel.journal import Batch, Entry, Receipt
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reading import Readings
from zhongshu.kernel.reason import why

JOURNAL_FULL = declare(
    "journal.full",
    "full",
    zh=("磁盘空间不足，暂时不能接收数据。", "请清理磁盘或扩容；已确认的数据没有丢失。"),
    en=("The disk is almost full; nothing more can be taken in.", "Free or add space; nothing acknowledged is lost."),
)
DAMAGED = declare(
    "journal.damaged",
    "unavailable",
    zh=("日志文件 {path} 的第 {entry} 条与写入时不同，或读不出来。", "请保留这个文件，运行 zhongshu verify 查看还有哪些条目受损，再从备份恢复。"),
    en=(
        "Entry {entry} of the journal {path} is not as it was written, or cannot be read.",
        "Keep the file, run `zhongshu verify` to see what else is damaged, and restore a backup.",
    ),
)
UNREADABLE = declare(
    "journal.unreadable",
    "unavailable",
    zh=("日志文件 {path} 读不了：{why_zh}。", "请保留这个文件，检查磁盘，再从备份恢复。"),
    en=("The journal {path} cannot be read: {why_en}.", "Keep the file, check the disk, and restore a backup."),
)

_TABLES = """
CREATE TABLE IF NOT EXISTS entry (offset INTEGER PRIMARY KEY, kind TEXT NOT NULL, known INTEGER NOT NULL, count INTEGER NOT NULL, payload BLOB,
  crc INTEGER);
CREATE TABLE IF NOT EXISTS batch (source TEXT NOT NULL, batch TEXT NOT NULL, digest TEXT NOT NULL, offset INTEGER NOT NULL, accepted INTEGER NOT NULL,
  quarantined INTEGER NOT NULL, duplicates INTEGER NOT NULL, known INTEGER NOT NULL, mapping TEXT NOT NULL,
  taken INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (source, batch)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS batch_known ON batch (known);
CREATE TABLE IF NOT EXISTS quarantine (id INTEGER PRIMARY KEY, source TEXT NOT NULL, batch TEXT NOT NULL, line INTEGER NOT NULL, code TEXT NOT NULL,
  detail TEXT NOT NULL, raw TEXT NOT NULL, known INTEGER NOT NULL, mapping TEXT NOT NULL, mended INTEGER);
CREATE INDEX IF NOT EXISTS quarantine_source ON quarantine (source, id);
CREATE TABLE IF NOT EXISTS request_key (source TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL DEFAULT '', PRIMARY KEY (source, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (source TEXT PRIMARY KEY, accepted INTEGER NOT NULL, quarantined INTEGER NOT NULL, duplicates INTEGER NOT NULL, known INTEGER NOT NULL)
  WITHOUT ROWID;
"""
_COUNT = """INSERT INTO counter VALUES (?, ?, ?, ?, ?) ON CONFLICT (source) DO UPDATE SET accepted = accepted + excluded.accepted,
  quarantined = quarantined + excluded.quarantined, duplicates = duplicates + excluded.duplicates, known = excluded.known"""
REMEMBERED = 30 * DAY // SECOND
"""For how many seconds of the wall a batch's id is remembered, whatever the city's clock plays again."""
Row = tuple[int, str, int, int, bytes | None, bool]
"""An entry as it is kept: offset, kind, known, count, content, and whether all that is as it was written. What an older program wrote has no checksum and counts as such."""
WANTED = "(? = '' OR kind = ? OR kind NOT IN ('entities', 'readings', 'requests'))"
"""Which entries are of a kind; one that is of none is damaged, and must not be passed over."""
_WALL = "CAST(strftime('%s', 'now') AS INTEGER)"


class SqliteJournal:
    """One city's journal in one file. `append` is called by one thread; reads may come from any."""

    def __init__(self, path: Path, *, synchronous: str = "FULL") -> None:
        """Open or make the journal; what is only the index of another journal may be written without waiting for the disk (`NORMAL`)."""
        self.path, self._synchronous = path, synchronous
        self._reads = threading.local()
        with self._readable():
            self._write = self._connect()
            self._form()
            (self._head,) = self._write.execute("SELECT coalesce(max(offset), 0) FROM entry").fetchone()

    def _form(self) -> None:
        """Make the tables, or bring those of an older program to this one's form."""
        self._write.executescript(_TABLES)
        if "digest" not in {row[1] for row in self._write.execute("PRAGMA table_info(request_key)")}:
            self._write.execute("ALTER TABLE request_key ADD COLUMN digest TEXT NOT NULL DEFAULT ''")
        if "taken" not in {row[1] for row in self._write.execute("PRAGMA table_info(batch)")}:
            self._write.execute("ALTER TABLE batch ADD COLUMN taken INTEGER NOT NULL DEFAULT 0")
            self._write.execute(f"UPDATE batch SET taken = {_WALL}")
        if "crc" not in {row[1] for row in self._write.execute("PRAGMA table_info(entry)")}:
            self._write.execute("ALTER TABLE entry ADD COLUMN crc INTEGER")

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Turn what SQLite says of a file it cannot read into `journal.unreadable`."""
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise UNREADABLE(path=self.path, **why(error, "内容已损坏")) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
        for pragma in ("journal_mode=WAL", f"synchronous={self._synchronous}", "wal_autocheckpoint=20000", "busy_timeout=30000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.text_factory = lambda held: held.decode(errors="replace")  # so that what is damaged is found out by its checksum, and named
        return connection

    def _read(self) -> sqlite3.Connection:
        if not hasattr(self._reads, "connection"):
            self._reads.connection = self._connect()
        connection: sqlite3.Connection = self._reads.connection
        return connection

    def append(self, batches: list[Batch], known: int, readings: Readings | None = None) -> tuple[list[Receipt], list[Entry]]:
        """Make a group durable in one transaction."""
        held, receipts, entries = group(batches, known, readings, self._head)
        self.keep(held)
        return receipts, entries

    def late(self) -> list[Entry]:
        """Return nothing: a commit is known to be one."""
        return []

    def keep(self, held: Group, then: Callable[[sqlite3.Connection], object] = lambda _: None) -> None:
        """Make a group's rows durable in one transaction, of which `then` is the last part; raises `journal.full`."""
        try:
            with self._transaction() as c:
                c.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", ((*row, seal(*row)) for row in held.entries))
                c.executemany("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", held.batches)
                c.executemany(_COUNT, held.counts)
                c.executemany("INSERT INTO quarantine (source, batch, line, code, detail, raw, known, mapping) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", held.refused)
                c.executemany("INSERT OR REPLACE INTO request_key VALUES (?, ?, ?)", held.keys)
                c.executemany("UPDATE quarantine SET mended = ? WHERE id = ?", held.mended)
                then(c)
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise JOURNAL_FULL() from error
            raise
        if held.entries:
            self._head = held.entries[-1][0]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the writer in a transaction that is over at the end, whatever happens."""
        c = self._write
        c.execute("BEGIN IMMEDIATE")
        try:
            yield c
            c.execute("COMMIT")
        except BaseException:
            if c.in_transaction:
                c.execute("ROLLBACK")
            raise

    def seen(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, Receipt]]:
        """Return digest and receipt of those batches that were taken in before."""
        found: dict[tuple[str, str], tuple[str, Receipt]] = {}
        by_source: dict[str, list[str]] = {}
        for source, name in keys:
            by_source.setdefault(source, []).append(name)
        for source, names in by_source.items():
            for start in range(0, len(names), 500):
                part = names[start : start + 500]
                rows = self._write.execute(
                    f"SELECT batch, digest, accepted, quarantined, duplicates, offset FROM batch WHERE source = ? AND batch IN ({','.join('?' * len(part))})", (source, *part)
                )
                found |= {(source, row[0]): (row[1], Receipt(row[0], row[2], row[3], row[4], row[5], repeated=True)) for row in rows}
        return found

    def digests(self, source: str, keys: list[str]) -> dict[str, str]:
        """Return the digests of the known ones among a source's external ids."""
        found: dict[str, str] = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            found |= self._write.execute(f"SELECT key, digest FROM request_key WHERE source = ? AND key IN ({','.join('?' * len(part))})", (source, *part)).fetchall()
        return found

    def read(self, after: int, kind: str = "") -> Iterator[Entry]:
        """Yield entries after an offset, of one kind or all. Raises `journal.damaged` where one is gone or not as it was written, `journal.unreadable`."""
        with self._readable():
            for offset, what, known, _, payload, whole in self._rows(after, kind):
                if payload is None or not whole:
                    raise DAMAGED(entry=offset, path=self.path)
                try:
                    read = journal_group.entry(offset, what, known, payload)
                except (pa.ArrowException, ValueError) as error:
                    raise DAMAGED(entry=offset, path=self.path) from error
                yield read

    def _rows(self, after: int, kind: str = "") -> Iterator[Row]:
        """Yield entries as they are kept after an offset."""
        rows = self._read().execute(f"SELECT offset, kind, known, count, payload, crc FROM entry WHERE offset > ? AND {WANTED} ORDER BY offset", (after, kind, kind))
        yield from ((*row, crc is None or crc == seal(*row)) for *row, crc in rows)

    def trim(self, upto: int) -> None:
        """Forget readings and requests up to an offset, and batches remembered long enough; entities stay. Called by the writer's thread."""
        with self._transaction() as c:
            c.execute("DELETE FROM entry WHERE offset <= ? AND kind IN ('readings', 'requests') AND offset < (SELECT max(offset) FROM entry)", (upto,))
            c.execute(f"DELETE FROM batch WHERE taken < {_WALL} - ?", (REMEMBERED,))

    def head(self) -> int:
        """Return the last durable offset."""
        return int(self._head)

    def last_known(self) -> int:
        """Return the latest known time, µs, 0 when empty."""
        with self._readable():
            row = self._read().execute("SELECT max(k) FROM (SELECT max(known) AS k FROM entry UNION ALL SELECT max(known) FROM batch)").fetchone()
        return int(row[0] or 0)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return {source: {accepted, quarantined, duplicates, known}}."""
        with self._readable():
            rows = self._read().execute("SELECT source, accepted, quarantined, duplicates, known FROM counter ORDER BY source").fetchall()
        return {row[0]: {"accepted": row[1], "quarantined": row[2], "duplicates": row[3], "known": row[4]} for row in rows}

    def quarantine(self, source: str, after: int, limit: int) -> list[dict[str, Any]]:
        """Return quarantined rows of a source, in order."""
        rows = self._read().execute(
            "SELECT id, batch, line, code, detail, raw, known, mended FROM quarantine WHERE source = ? AND id > ? ORDER BY id LIMIT ?", (source, after, limit)
        )
        return [journal_group.refused(row) for row in rows]

    def refused(self, source: str, row: int) -> dict[str, Any] | None:
        """Return one quarantined row."""
        found = self._read().execute("SELECT id, batch, line, code, detail, raw, known, mended FROM quarantine WHERE source = ? AND id = ?", (source, row)).fetchone()
        return None if found is None else journal_group.refused(found)

    def between(self, first: int, last: int) -> pa.Table | None:
        """Return the readings from one offset to another, as they came; None where any of them is forgotten or damaged."""
        try:
            held = [entry for entry in self.read(first - 1) if entry.offset <= last]
        except Problem:
            return None
        return journal_group.between(held, first, last)

    def reached(self) -> bool:
        """Tell whether it is there: a file always is."""
        return True

    def verify(self, after: int) -> list[str]:
        """Read everything that is kept, and the file itself; return what is not whole, one sentence each. After the offset nothing may be missing."""
        wrong, expected, at = faults(self.path), after, 0
        head = self._head  # what comes while it is read is not missed
        try:
            for at, what, _, count, payload, whole in self._rows(0):
                if at > expected + 1:
                    wrong.append(f"entries {expected + 1}–{at - 1} are gone")
                expected = max(expected, at)
                if told := journal_group.fault(at, what, count, payload, whole=whole):
                    wrong.append(told)
        except (sqlite3.Error, UnicodeDecodeError):
            return [*wrong, f"what follows entry {at} cannot be read"]
        if expected < head:
            wrong.append(f"entries {expected + 1}–{head} are gone")
        return wrong

    def backup(self, path: Path) -> None:
        """Copy the journal to a file while it is in use."""
        with sqlite3.connect(path) as target:
            self._read().backup(target)
        target.close()

    def close(self) -> None:
        """Close the writer; everything acknowledged is on disk already."""
        self._write.close()
