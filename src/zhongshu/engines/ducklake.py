"""The warehouse on DuckLake: Parquet that we write and fsync ourselves, a SQLite catalogue, and one reader over lake ∪ tail.

A commit is: files on disk, manifest line on disk, then one catalogue transaction that names files and journal offset together.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.engines.catalogues import PARTED, Catalogue, SqliteCatalogue, attach, copy, transaction, whole
from zhongshu.engines.checksum import FORM, checksum
from zhongshu.engines.durable import sync_folder
from zhongshu.engines.forgetting import Forgetting
from zhongshu.engines.manifest import HOURLY, MODULUS, READINGS, Manifest, commits, crcs, forgotten, joined
from zhongshu.engines.parquet_files import by_month, crc, sums, write_parquet
from zhongshu.engines.record_views import KEY, KEY_NAMES, readings, versions
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reading import SCHEMA, Flag
from zhongshu.kernel.reason import why

DAMAGED = declare(
    "lake.damaged",
    "unavailable",
    zh=("数据仓读不了：{why_zh}。", "请停下城市，运行 zhongshu verify --repair：它会指出是哪个文件，日志里还有的就重新写好；其余的请从备份恢复。"),
    en=(
        "The warehouse cannot be read: {why_en}.",
        "Stop the city and run `zhongshu verify --repair`: it names the file and writes it anew where the journal still has it; restore a backup for the rest.",
    ),
)
_COLUMNS = ", ".join(f'"{f.name}" {"VARCHAR" if pa.types.is_dictionary(f.type) else {"int64": "BIGINT", "int32": "INTEGER", "double": "DOUBLE"}[str(f.type)]}' for f in SCHEMA)
CATALOGUE = "catalog.sqlite"
"""The name of the catalogue's own file, where it is one."""
CREATE = (f"CREATE TABLE lake.readings ({_COLUMNS})", "ALTER TABLE lake.readings SET SORTED BY (property ASC, area ASC, valid ASC)")
"""How the table of readings is made."""
PACKED = "zstd"
"""How merged files are compressed: by the library's own choice they would be half as large again as those they replace."""
SMALL = 32 * 2**20
"""Files of fewer bytes are merged with their neighbours."""
_KEYS = pa.schema([(name, pa.int64() if name == "valid" else pa.string()) for name in KEY_NAMES])
AGAIN = 3
"""How often a query is asked again whose files were taken away under it."""
_PIECES = 64
_OURS = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.InterruptException, duckdb.OutOfMemoryException)
"""What a query itself is to blame for, or its bounds of memory; anything else that DuckDB says of one, bytes that are damaged made it say."""


@dataclass(frozen=True, slots=True)
class Held:
    """The whole record at one moment: the warehouse's snapshot and its files, the journal's offset up to which all goes, the tail beyond, and the keys that were revised."""

    snapshot: int
    files: list[str]
    offset: int
    tail: pa.Table
    revised: pa.Table
    replay: bool


class DuckLake:
    """One city's warehouse. One thread commits and merges; any thread queries, each on a connection of its own."""

    def __init__(self, folder: Path, *, replay: bool = False, memory: str = "4GB", catalogue: Catalogue | None = None, beside: bool = False) -> None:
        """Open or make the warehouse; `replay`: history counts as known when it was valid. Half-written files are removed.

        `beside`: another process owns it and commits; this one only reads, and changes nothing.

        Raises `catalogue.unreached`, `catalogue.version`, `catalogue.damaged`, `manifest.damaged`, and `catalogue.parted` where the folder's files are not of this catalogue.
        """
        self.folder, self.replay, self._beside = folder, replay, beside
        self.catalogue: Catalogue = catalogue or SqliteCatalogue(folder / CATALOGUE)
        (folder / "readings").mkdir(parents=True, exist_ok=True)
        self._db = duckdb.connect(
            config={
                "memory_limit": memory,
                "temp_directory": str(folder / "tmp"),
                "autoload_known_extensions": False,
                "disabled_optimizers": "join_filter_pushdown",
                "autoinstall_known_extensions": False,
            }
        )
        attach(self._db, self.catalogue, folder / "readings", follow=not beside)
        with whole(self.catalogue):
            if new := not self._db.execute("SELECT 1 FROM duckdb_tables() WHERE database_name = 'lake' AND table_name = 'readings'").fetchall():
                for statement in CREATE:
                    self._db.execute(statement)
            if not beside:
                self._pack()
            self._offset = self._committed()
        self._lock = threading.RLock()
        self._writing = threading.Lock()
        self._unsure = False
        """Whether a commit failed and it is not known what the catalogue holds of it."""
        self._merges, self._looks = 0, dict[object, int]()
        """How often files were merged, and for each look at them that goes on, how often they had been when it began."""
        self._tail: list[tuple[int, pa.Table]] = []
        self._book = Manifest(folder / "manifest.jsonl")
        if new and (lines := self.manifest()):
            raise PARTED(folder=folder, where=self.catalogue.where, files=lines[-1]["to"], catalogue=0)
        self.forgetting = Forgetting(self._db, folder, self._book, self._writing, self.offset, beside=beside)
        if not beside:
            with whole(self.catalogue):
                self._mend()
        self._revised, self._recalled = list[pa.Table](), False
        """Keys that were revised, and whether those of the files are among them: they are read when first asked for."""

    def _pack(self) -> None:
        if (PACKED,) not in self._db.execute("SELECT value FROM lake.options() WHERE option_name = 'parquet_compression'").fetchall():
            self._db.execute("CALL lake.set_option('parquet_compression', ?)", [PACKED])

    def _committed(self, cursor: duckdb.DuckDBPyConnection | None = None) -> int:
        rows = (cursor or self._db).execute("SELECT commit_extra_info FROM lake.snapshots() WHERE commit_extra_info IS NOT NULL ORDER BY snapshot_id DESC LIMIT 1").fetchall()
        return int(json.loads(rows[0][0])["offset"]) if rows else 0

    def _mend(self) -> None:
        """Drop what a crash left: a torn manifest line, and lines and files of a commit that never happened."""
        self._book.put(joined([line for line in self._book.lines() if "from" not in line or "table" in line or line["to"] <= self._offset], self._names()))
        for path in self._strays():
            path.unlink()
        named = {Path(path).name for path in self.files()}
        for path in (self.folder / "readings").rglob("part-*.parquet"):
            if path.name not in named and int(path.stem.split("-")[2]) > self._offset:
                path.unlink()

    def _strays(self) -> list[Path]:
        """Return files that a merge or a repair which was killed left: the catalogue neither has them nor is about to remove them."""
        catalogue = f"__ducklake_metadata_lake.{self.catalogue.schema}"
        known = {
            Path(name).name
            for table in ("ducklake_data_file", "ducklake_files_scheduled_for_deletion")
            for (name,) in self._db.execute(f"SELECT path FROM {catalogue}.{table}").fetchall()
        }
        home = self.folder / "readings"
        return [path for path in (home / "main").rglob("*.parquet") if path.name not in known] + list(home.rglob("*.mended"))

    def recall(self) -> None:
        """Read once which keys were revised, so that no look has to wait for it. Raises `lake.damaged`."""
        self.query("SELECT 1")

    def _revised_keys(self) -> pa.Table:
        """Return the keys that were revised; where the manifest says that the files have none, no file is read. The caller holds the lock."""
        if not self._recalled and any(line.get("revised", True) for line in self.manifest()):
            rows = self._db.cursor().execute(f"SELECT DISTINCT {KEY} FROM lake.readings WHERE flags & {int(Flag.REVISION)} != 0").to_arrow_table()
            self._revised.append(rows.cast(_KEYS))
        self._recalled = True
        return pa.concat_tables(self._revised) if self._revised else _KEYS.empty_table()

    def manifest(self) -> list[dict[str, Any]]:
        """Return a line per commit, or stretch of commits that were merged: offsets (from, to), count, checksum, files."""
        return self._book.commits()

    def offset(self) -> int:
        """Return the journal offset up to which the warehouse holds everything."""
        return self._offset

    def show(self, table: pa.Table, offset: int) -> None:
        """Add a durable group to the tail that readers see."""
        with self._lock:
            if offset > self._offset:
                self._tail.append((offset, table))
                revised = table.filter(_is_revision(table)).select(KEY_NAMES)
                if len(revised):
                    self._revised.append(revised.cast(_KEYS))
                    if len(self._revised) > _PIECES:
                        self._revised = [pa.concat_tables(self._revised).combine_chunks()]

    def reaches(self) -> int:
        """Return the last offset of which readers see the readings: the tail's, or the warehouse's."""
        with self._lock:
            return self._tail[-1][0] if self._tail else self._offset

    def advance(self) -> None:
        """Let go of the tail's groups that the owner has committed; what reads them finds them in the files."""
        offset = self._committed(self._db.cursor())
        with self._lock:
            if self._tail and offset > self._offset:
                self._offset = min(offset, self._tail[-1][0])
                self._tail = [(o, t) for o, t in self._tail if o > self._offset]

    def behind(self) -> int | None:
        """Return the known time (µs) of the oldest reading that is not in the warehouse yet; None: all are."""
        with self._lock:
            return int(self._tail[0][1]["known"][0].as_py()) if self._tail else None

    def tail_rows(self) -> int:
        """Return how many readings are not in the warehouse yet."""
        with self._lock:
            return sum(len(t) for _, t in self._tail)

    def commit(self) -> int:
        """Write the tail to the warehouse and return the offset it now holds."""
        with self._writing:
            self._settle()
            with self._lock:
                tail = list(self._tail)
            if not tail:
                return self._offset
            first, last = tail[0][0], tail[-1][0]
            table = pa.concat_tables([t for _, t in tail]).unify_dictionaries()
            files: list[Path] = []
            before = self._book.size()
            try:
                files += (self._write(part, month, first, last) for month, part in by_month(table))
                self._note(
                    {
                        "from": self._offset + 1,
                        "to": last,
                        "count": len(table),
                        "checksum": checksum(table),
                        "form": FORM,
                        "revised": bool(pc.any(_is_revision(table)).as_py()),
                        "files": [str(f.relative_to(self.folder)) for f in files],
                        "crc": {str(f.relative_to(self.folder)): crc(f) for f in files},
                    }
                )
                self._enter(files, last, len(table))
            except BaseException:
                self._undo(before, last)
                raise
            return last

    def _note(self, line: dict[str, Any]) -> None:
        self._book.note(line)

    def _enter(self, files: list[Path], last: int, count: int) -> None:
        """Enter files and journal offset into the catalogue, in one transaction; in the same moment the tail gives them up."""
        with transaction(self._db) as cursor:
            for path in files:
                cursor.execute("CALL ducklake_add_data_files('lake', 'readings', ?)", [str(path)])
            cursor.execute("CALL lake.set_commit_message('zhongshu', 'commit', extra_info => ?)", [json.dumps({"offset": last, "count": count})])
            with self._lock:
                cursor.execute("COMMIT")
                self._offset = last
                self._tail = [(o, t) for o, t in self._tail if o > last]

    def _undo(self, size: int, last: int) -> None:
        """Take back what a commit that failed wrote; if the catalogue holds it after all, it stands."""
        if self._offset >= last:
            return
        self._unsure = True
        if (held := self._committed()) >= last:
            self._advanced(held)
            self._unsure = False
            return
        self._unsure = False
        self._book.cut(size)
        for path in (self.folder / "readings").rglob(f"part-*-{last}.parquet"):
            path.unlink()

    def _advanced(self, offset: int) -> None:
        with self._lock:
            self._offset = offset
            self._tail = [(o, t) for o, t in self._tail if o > offset]

    def _settle(self) -> None:
        """Find out what became of a commit or a run of forgetting that broke off, before anything else is written; raises while the catalogue cannot be asked."""
        if self._unsure or self.forgetting.unsure:
            self._unsure = True  # until all of it is done: the catalogue may go away again in between
            self._advanced(max(self._offset, self._committed()))
            self.forgetting.settle()
            self._mend()
            self._unsure = False

    def _write(self, table: pa.Table, month: str, first: int, last: int) -> Path:
        folder = self.folder / "readings" / month
        new = not folder.exists()
        folder.mkdir(exist_ok=True)
        path = folder / f"part-{first}-{last}.parquet"
        write_parquet(table, path)
        for each in (folder, folder.parent) if new else (folder,):
            sync_folder(each)
        return path

    def query(self, sql: str, parameters: dict[str, Any] | None = None, tables: dict[str, pa.Table] | None = None, known: int | None = None, at: Held | None = None) -> pa.Table:
        """Answer SQL over `readings` (lake ∪ tail, each key once, latest known at or before `known` wins), `versions` (all of them), `hourly` and the lent tables.

        `at`: the record as it was held then; without it, as it is now. Raises `lake.damaged`.
        """
        for again in range(AGAIN, -1, -1):
            era = self.forgetting.era
            try:
                found, snapshot = self._ask(sql, parameters or {}, tables or {}, known, at)
            except _OURS:
                raise
            except duckdb.Error as error:
                if not isinstance(error, duckdb.IOException) or at is not None or not again or (era == self.forgetting.era and not self._beside):
                    self.catalogue.version()  # raises `catalogue.unreached` where it is the catalogue that is away
                    raise DAMAGED(**why(error if isinstance(error, duckdb.OperationalError) else "malformed")) from error
            else:
                if at is not None or (era == self.forgetting.era and (not self._beside or self._stands(snapshot))):
                    return found
        message = "files were taken away under every look"
        raise RuntimeError(message)

    def _stands(self, snapshot: int) -> bool:
        """Tell whether the catalogue still knows a snapshot: where it does not, what was read of it may not have been all."""
        return self._db.cursor().execute("SELECT 1 FROM lake.snapshots() WHERE snapshot_id = ?", [snapshot]).fetchone() is not None

    @contextlib.contextmanager
    def _look(self) -> Iterator[None]:
        """Keep the files that stand now until the look has ended, whatever is merged meanwhile."""
        look = object()
        self._looks[look] = self._merges
        try:
            yield
        finally:
            del self._looks[look]

    def _ask(self, sql: str, parameters: dict[str, Any], tables: dict[str, pa.Table], known: int | None, at: Held | None) -> tuple[pa.Table, int]:
        with self._look(), contextlib.ExitStack() as ends:
            with self._lock:
                # The snapshot is pinned while the lock is held, so that no commit can slip between lake and tail.
                cursor = ends.enter_context(transaction(self._db))
                (snapshot,) = cursor.execute("SELECT id FROM ducklake_current_snapshot('lake')").fetchone() or (0,)
                offset = self._committed(cursor) if self._beside else self._offset  # beside, a commit comes unheard
                tail = [t for o, t in self._tail if o > offset]
                revised = self._revised_keys()
            lake, beyond = "lake.readings", pa.concat_tables(tail).unify_dictionaries() if tail else SCHEMA.empty_table()
            if at is not None:
                lake, beyond, revised = f"lake.readings AT (VERSION => {at.snapshot:d})", at.tail, at.revised
            for name, table in {"tail": beyond, "revised": revised, **tables}.items():
                cursor.register(name, table)
            cursor.execute(f"CREATE TEMP VIEW versions AS {versions(lake, known, replay=self.replay)}")
            cursor.execute(f"CREATE TEMP VIEW readings AS {readings(revised=len(revised) > 0)}")
            cursor.execute('CREATE TEMP VIEW hourly AS SELECT * EXCLUDE ("offset") FROM lake.hourly')
            result: pa.Table = cursor.execute(sql, parameters).to_arrow_table()
            return result, snapshot

    @contextlib.contextmanager
    def held(self) -> Iterator[Held]:
        """Hand over the whole record as it is now, for queries of this engine or another; its files stay until it is given back, whatever is merged meanwhile."""
        with self._look():
            with self._lock, transaction(self._db) as cursor:
                (snapshot,) = cursor.execute("SELECT id FROM ducklake_current_snapshot('lake')").fetchone() or (0,)
                files = [row[0] for row in cursor.execute("SELECT data_file FROM ducklake_list_files('lake', 'readings') ORDER BY ALL").fetchall()]
                tail = [t for _, t in self._tail]
                held = Held(
                    snapshot,
                    files,
                    self._tail[-1][0] if self._tail else self._offset,
                    pa.concat_tables(tail).unify_dictionaries() if tail else SCHEMA.empty_table(),
                    self._revised_keys(),
                    self.replay,
                )
            yield held

    def merge(self, small: int = SMALL) -> int:
        """Join neighbouring files of less than `small` bytes into larger, sorted ones, fsynced; what the last merge replaced is removed before. Returns how many files went."""
        with self._writing:
            self._settle()
            self._tidy()
            before = self.files()
            try:
                with transaction(self._db) as cursor:
                    cursor.execute("CALL ducklake_merge_adjacent_files('lake', 'readings', max_file_size => ?)", [small])
                    cursor.execute("CALL lake.set_commit_message('zhongshu', 'merge', extra_info => ?)", [json.dumps({"offset": self._offset})])
                    cursor.execute("COMMIT")
            finally:
                self._merges += 1  # also where the answer was lost: it may have been merged
            after = self.files()
            for path in after - before:
                with Path(path).open("rb") as file:
                    os.fsync(file.fileno())
                sync_folder(Path(path).parent)
            if after != before:
                made = {str(Path(path).relative_to(self.folder)): crc(path) for path in after - before}
                self._book.put(joined([*self._book.lines(), {"crc": made}], self._names()))
            return len(before) - len(after)

    def _tidy(self) -> None:
        """Let go of states older than a day, and remove the files that earlier merges replaced, unless somebody still looks at them. A process beside whose file goes asks again."""
        if all(merges == self._merges for merges in list(self._looks.values())):
            self._db.execute("CALL ducklake_expire_snapshots('lake', older_than => now() - INTERVAL 1 DAY)")
            # Not by age: a catalogue in SQLite compares times as text, and takes all of today's for older than any hour of today.
            self._db.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")

    def files(self) -> set[str]:
        """Return the paths of the files that hold the warehouse now."""
        return self.forgetting.files(READINGS)

    def _names(self) -> set[str]:
        """Return the files' names as the manifest gives them."""
        files = self.files() | self.forgetting.files(HOURLY)
        return {str(Path(path).relative_to(self.folder)) for path in files if Path(path).is_relative_to(self.folder)}

    def verify(self) -> list[str]:
        """Read every column of every file against the manifest; return what is not whole, one sentence each, naming the file."""
        with self._writing:
            return self._faults()[0] + self.forgetting.faults()

    def repair(self, between: Callable[[int, int], pa.Table | None]) -> list[str]:
        """Write anew the files of every commit that is not whole, where `between(first, last)` still gives its readings as they were; return the files' names."""
        mended: list[str] = []
        with self._writing:
            for line in self._faults()[1]:
                table = between(line["from"], line["to"])
                if table is not None and (len(table), checksum(table)) == (line["count"], line["checksum"]):
                    mended += self._anew(line, table)
            if mended:  # what DuckDB remembers of a file is what it was before
                self._db.execute("SET enable_external_file_cache = false")
                self._db.execute("SET enable_external_file_cache = true")
        return mended

    def _faults(self) -> tuple[list[str], list[dict[str, Any]]]:
        """Return what is not whole in sentences, and the manifest's lines of the commits concerned."""
        book, files, offset = self._book.lines(), sorted(self.files()), self._offset
        lines = commits(book)
        wrong, held = sums(files, self.folder, np.array([line["to"] for line in lines], np.int64), crcs=crcs(book))
        wrong += [f"catalogue: {line}" for line in self.catalogue.faults()]
        gone, stray = forgotten(book, (line["to"] for line in lines))
        wrong += [f"manifest: run {line['run']} forgets readings of no commit" for line in stray]
        expected, broken = 0, list[dict[str, Any]]()
        for i, line in enumerate(lines):
            if line["from"] != expected + 1:
                wrong.append(f"manifest: commit {line['from']}–{line['to']} does not follow offset {expected}")
            expected = line["to"]
            count, total, places = held.get(i, (0, 0, ()))
            less, part = gone.get(i, (0, 0))
            if (count + less, (total + part) % MODULUS) != (line["count"], line["checksum"]):
                where = ", ".join(places) or ", ".join(line["files"]) or "a file that is gone"
                wrong.append(f"lake: commit {line['from']}–{line['to']} holds {count} of {line['count'] - less} readings or other values than were committed, in {where}")
                broken.append(line)
        if expected != offset:
            wrong.append(f"manifest: ends at offset {expected}, the catalogue at {offset}")
        return wrong, broken

    def _anew(self, line: dict[str, Any], table: pa.Table) -> list[str]:
        """Write a commit's files once more, byte for byte as the catalogue knows them; those that were merged since, or would differ in size, are left as they are."""
        rows = self._db.cursor().execute("SELECT data_file, data_file_size_bytes FROM ducklake_list_files('lake', 'readings')").fetchall()
        sizes = {Path(path).relative_to(self.folder): size for path, size in rows if Path(path).is_relative_to(self.folder)}
        months, done = dict(by_month(table)), list[str]()
        for name in map(Path, line["files"]):
            if name not in sizes:
                continue
            part = (self.folder / name).with_suffix(".mended")
            write_parquet(months[name.parent.name], part)
            if part.stat().st_size != sizes[name]:
                part.unlink()
                continue
            part.replace(self.folder / name)
            sync_folder(part.parent)
            done.append(str(name))
            self._book.note({"crc": {str(name): crc(self.folder / name)}})
        return done

    def backup(self, folder: Path, then: Callable[[], object] = lambda: None) -> None:
        """Copy files, manifest and catalogue (as a file of its own) to a folder, then do `then`; commits wait meanwhile, so that what `then` copies is of the same moment or later."""
        with self._writing:
            shutil.copytree(self.folder / "readings", folder / "readings")
            if self._book.path.exists():
                shutil.copy2(self._book.path, folder)
            if isinstance(self.catalogue, SqliteCatalogue):
                with contextlib.closing(sqlite3.connect(self.catalogue.path)) as source, contextlib.closing(sqlite3.connect(folder / CATALOGUE)) as target:
                    source.backup(target)
            else:
                copy(self.catalogue, SqliteCatalogue(folder / CATALOGUE), folder / "readings")
            then()

    def close(self) -> None:
        """Close the warehouse."""
        self._db.close()


def _is_revision(table: pa.Table) -> pa.ChunkedArray:
    return pc.greater(pc.bit_wise_and(table["flags"], int(Flag.REVISION)), 0)
