"""The warehouse on DuckLake: Parquet that we write and fsync ourselves, a SQLite catalogue, and one reader over lake ∪ tail.

A commit is: files on disk, manifest line on disk, then one catalogue transaction that names files and journal offset together.
"""

import contextlib
import importlib.metadata
import json
import os
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from zhongshu.engines.checksum import FORM, checksum
from zhongshu.kernel.reading import SCHEMA, Flag

_COLUMNS = ", ".join(
    f'"{f.name}" {"VARCHAR" if pa.types.is_dictionary(f.type) else {"int64": "BIGINT", "int32": "INTEGER", "double": "DOUBLE"}[str(f.type)]}' for f in SCHEMA)
REPLAYED = "least(known, valid)"


class DuckLake:
    """One city's warehouse. One thread commits and merges; any thread queries, each on a connection of its own."""

    def __init__(self, folder: Path, *, replay: bool = False, memory: str = "4GB") -> None:
        """Open or make the warehouse; `replay`: history counts as known when it was valid. Half-written files are removed."""
        self.folder, self.replay = folder, replay
        (folder / "readings").mkdir(parents=True, exist_ok=True)
        self._db = duckdb.connect(config={"memory_limit": memory, "temp_directory": str(folder / "tmp"), "autoload_known_extensions": False, "disabled_optimizers": "join_filter_pushdown", "autoinstall_known_extensions": False})
        for package in ("duckdb-extension-sqlite-scanner", "duckdb-extension-ducklake"):
            self._db.execute(f"LOAD '{_extension(package)}'")
        self._db.execute(
            f"ATTACH 'ducklake:sqlite:{folder / 'catalog.sqlite'}' AS lake (DATA_PATH '{folder / 'readings'}/', OVERRIDE_DATA_PATH true, "
            "META_JOURNAL_MODE 'WAL', META_BUSY_TIMEOUT 30000, DATA_INLINING_ROW_LIMIT 0)")
        self._db.execute(f"CREATE TABLE IF NOT EXISTS lake.readings ({_COLUMNS})")
        self._lock = threading.RLock()
        self._writing = threading.Lock()
        self._tail: list[tuple[int, pa.Table]] = []
        self._offset = self._committed()
        self._manifest = folder / "manifest.jsonl"
        self._mend()
        self._revised = bool(self._db.execute(f"SELECT count(*) FROM (SELECT 1 FROM lake.readings WHERE flags & {int(Flag.REVISION)} != 0 LIMIT 1)").fetchall()[0][0])

    def _committed(self) -> int:
        rows = self._db.execute("SELECT commit_extra_info FROM lake.snapshots() WHERE commit_extra_info IS NOT NULL ORDER BY snapshot_id DESC LIMIT 1").fetchall()
        return int(json.loads(rows[0][0])["offset"]) if rows else 0

    def _mend(self) -> None:
        """Drop what a crash left: manifest lines and files of a commit that never happened."""
        lines = self.manifest()
        if lines and lines[-1]["to"] > self._offset:
            kept = [line for line in lines if line["to"] <= self._offset]
            _write_durably(self._manifest, "".join(json.dumps(line) + "\n" for line in kept).encode())
        named = {Path(row[0]).name for row in self._db.execute("SELECT data_file FROM ducklake_list_files('lake', 'readings')").fetchall()}
        for path in (self.folder / "readings").rglob("part-*.parquet"):
            if path.name not in named and int(path.stem.split("-")[2]) > self._offset:
                path.unlink()

    def manifest(self) -> list[dict[str, Any]]:
        """Return a line per commit: offsets (from, to), count, checksum, files."""
        if not self._manifest.exists():
            return []
        return [json.loads(line) for line in self._manifest.read_text().splitlines() if line.endswith("}")]

    def offset(self) -> int:
        """Return the journal offset up to which the warehouse holds everything."""
        return self._offset

    def show(self, table: pa.Table, offset: int) -> None:
        """Add a durable group to the tail that readers see."""
        with self._lock:
            if offset > self._offset:
                self._tail.append((offset, table))
                self._revised = self._revised or bool(pc.any(pc.greater(pc.bit_wise_and(table["flags"], int(Flag.REVISION)), 0)).as_py())

    def tail_rows(self) -> int:
        """Return how many readings are not in the warehouse yet."""
        with self._lock:
            return sum(len(t) for _, t in self._tail)

    def commit(self) -> int:
        """Write the tail to the warehouse and return the offset it now holds."""
        with self._writing:
            with self._lock:
                tail = list(self._tail)
            if not tail:
                return self._offset
            first, last = tail[0][0], tail[-1][0]
            table = pa.concat_tables([t for _, t in tail]).unify_dictionaries()
            files = [self._write(part, month, first, last) for month, part in _by_month(table)]
            line = {"from": self._offset + 1, "to": last, "count": len(table), "checksum": checksum(table), "form": FORM, "files": [str(f.relative_to(self.folder)) for f in files]}
            with self._manifest.open("ab") as manifest:
                manifest.write((json.dumps(line) + "\n").encode())
                manifest.flush()
                os.fsync(manifest.fileno())
            cursor = self._db.cursor()
            cursor.execute("BEGIN")
            for path in files:
                cursor.execute("CALL ducklake_add_data_files('lake', 'readings', ?)", [str(path)])
            cursor.execute("CALL lake.set_commit_message('zhongshu', 'commit', extra_info => ?)", [json.dumps({"offset": last, "count": len(table)})])
            with self._lock:
                cursor.execute("COMMIT")
                self._offset = last
                self._tail = [(o, t) for o, t in self._tail if o > last]
            cursor.close()
            return last

    def _write(self, table: pa.Table, month: str, first: int, last: int) -> Path:
        folder = self.folder / "readings" / month
        new = not folder.exists()
        folder.mkdir(exist_ok=True)
        path = folder / f"part-{first}-{last}.parquet"
        with path.open("wb") as file:
            pq.write_table(_sorted(table), file, compression="zstd", store_schema=False)
            file.flush()
            os.fsync(file.fileno())
        for each in (folder, folder.parent) if new else (folder,):
            _fsync_folder(each)
        return path

    def query(self, sql: str, parameters: dict[str, Any] | None = None, tables: dict[str, pa.Table] | None = None, known: int | None = None) -> pa.Table:
        """Answer SQL over `readings` (lake ∪ tail, each key once, latest known at or before `known` wins) and the lent tables."""
        with self._lock:
            cursor = self._db.cursor()
            tail = [t for _, t in self._tail]
            # The snapshot is pinned while the lock is held, so that no commit can slip between lake and tail.
            cursor.execute("BEGIN")
            cursor.execute("SELECT count(*) FROM ducklake_list_files('lake', 'readings')").fetchall()
            revised = self._revised
        try:
            cursor.register("tail", pa.concat_tables(tail).unify_dictionaries() if tail else SCHEMA.empty_table())
            for name, table in (tables or {}).items():
                cursor.register(name, table)
            cursor.execute(f"CREATE TEMP VIEW readings AS {self._view(known, revised)}")
            result: pa.Table = cursor.execute(sql, parameters or {}).to_arrow_table()
            return result
        finally:
            cursor.execute("ROLLBACK")
            cursor.close()

    def _view(self, known: int | None, revised: bool) -> str:  # noqa: FBT001 (internal)
        columns = ", ".join(f'"{f.name}"' for f in SCHEMA if f.name != "known") + (f", {REPLAYED} AS known" if self.replay else ", known")
        limit = "" if known is None else f" WHERE {REPLAYED if self.replay else 'known'} <= {known:d}"
        union = f"SELECT {columns} FROM lake.readings{limit} UNION ALL BY NAME SELECT {columns} FROM tail{limit}"
        if not revised:
            return union
        key = "source, entity, property, valid"
        return (
            f"WITH every AS ({union}), revised AS (SELECT DISTINCT {key} FROM every WHERE flags & {int(Flag.REVISION)} != 0) "
            f"SELECT * FROM every ANTI JOIN revised USING ({key}) UNION ALL BY NAME "
            f'SELECT * FROM every SEMI JOIN revised USING ({key}) QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY known DESC, "offset" DESC) = 1')

    def merge(self, files: int = 64) -> int:
        """Join small neighbouring files into larger ones, at most so many at a time; fsync them before the old ones may go."""
        with self._writing:
            before = self.files()
            self._db.execute("CALL ducklake_merge_adjacent_files('lake', max_compacted_files => ?)", [files])
            after = self.files()
            for path in after - before:
                with Path(path).open("rb") as file:
                    os.fsync(file.fileno())
                _fsync_folder(Path(path).parent)
            return len(before) - len(after)

    def files(self) -> set[str]:
        """Return the paths of the files that hold the warehouse now."""
        return {row[0] for row in self._db.execute("SELECT data_file FROM ducklake_list_files('lake', 'readings')").fetchall()}

    def verify(self) -> list[str]:
        """Read every column of every commit against its manifest line; return what is not whole."""
        wrong = []
        lines = self.manifest()
        expected = 0
        for line in lines:
            if line["from"] != expected + 1:
                wrong.append(f"manifest: commit {line['from']}–{line['to']} does not follow offset {expected}")
            expected = line["to"]
            try:
                found = self._db.cursor().execute(
                    f'SELECT {_COLUMN_NAMES} FROM lake.readings WHERE "offset" BETWEEN ? AND ?', [line["from"], line["to"]]).to_arrow_table()
            except duckdb.Error as error:
                wrong.append(f"lake: commit {line['from']}–{line['to']} cannot be read: {str(error).splitlines()[0]}")
                continue
            if len(found) != line["count"] or checksum(found) != line["checksum"]:
                wrong.append(f"lake: commit {line['from']}–{line['to']} holds {len(found)} of {line['count']} readings or other values than were committed")
        if expected != self._offset:
            wrong.append(f"manifest: ends at offset {expected}, the catalogue at {self._offset}")
        return wrong

    def backup(self, folder: Path) -> None:
        """Copy catalogue, manifest and files to a folder; commits wait meanwhile."""
        with self._writing:
            shutil.copytree(self.folder / "readings", folder / "readings")
            if self._manifest.exists():
                shutil.copy2(self._manifest, folder)
            with contextlib.closing(sqlite3.connect(self.folder / "catalog.sqlite")) as source, contextlib.closing(sqlite3.connect(folder / "catalog.sqlite")) as target:
                source.backup(target)

    def close(self) -> None:
        """Close the warehouse."""
        self._db.close()


_COLUMN_NAMES = ", ".join(f'"{f.name}"' for f in SCHEMA)


def _by_month(table: pa.Table) -> list[tuple[str, pa.Table]]:
    """Split by the month of valid time (UTC)."""
    months = np.asarray(table["valid"]).astype("datetime64[us]").astype("datetime64[M]")
    return [(str(month), table.filter(pa.array(months == month))) for month in np.unique(months)]


def _sorted(table: pa.Table) -> pa.Table:
    """Sort by (property, area, valid), so that one property's places lie together."""
    words = table["property"].combine_chunks()
    rank = np.argsort(np.argsort(np.array(words.dictionary.to_pylist())))
    order = np.lexsort((np.asarray(table["valid"]), np.asarray(table["area"]), rank[np.asarray(words.indices)]))
    return table.take(pa.array(order))


def _extension(package: str) -> Path:
    for file in importlib.metadata.files(package) or []:
        if file.name.endswith(".duckdb_extension"):
            return Path(str(file.locate()))
    message = f"{package} holds no extension"
    raise FileNotFoundError(message)


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_durably(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    _fsync_folder(path.parent)
