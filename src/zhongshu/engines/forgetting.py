"""Forgetting, proven: raw readings that a rule lets go become hourly rows, and leave the disk, in one step that a crash cannot halve.

A run exchanges files: what stays is written into new ones, the manifest says what goes (per commit: how many, which checksum, under which rule), then one transaction of
the catalogue enters the hourly rows and swaps the files, and the old ones are removed at once. Before that transaction nothing has happened; after it, everything has.
It knows no rule's text, no clock and no ledger: whoever runs it says what to cut.
"""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from zhongshu.engines.catalogues import PARTED, transaction
from zhongshu.engines.checksum import FORM, checksum, products
from zhongshu.engines.durable import sync_folder
from zhongshu.engines.manifest import HOURLY, MODULUS, READINGS, Line, Manifest, commits, crcs, forgotten, runs, totals
from zhongshu.engines.parquet_files import crc, sums, write_rows
from zhongshu.kernel.clock import HOUR
from zhongshu.kernel.condition import quote
from zhongshu.kernel.reading import SCHEMA, Flag

_NAME = pa.dictionary(pa.int32(), pa.string())
HOURLY_SCHEMA = pa.schema(
    [pa.field("offset", pa.int64(), nullable=False)]
    + [pa.field(name, _NAME, nullable=False) for name in ("source", "entity", "property")]
    + [pa.field(name, pa.int64(), nullable=False) for name in ("area", "hour", "n")]
    + [pa.field(name, pa.int64()) for name in ("total", "low", "high", "first", "last", "latest")]
)
"""offset: the run that made it; hour: µs of UTC at which it begins; n: readings with a value; total, low, high, first, last: over their ticks; latest: valid time of the last."""
PIECE = 20_000_000
"""About so many rows are forgotten in one run, so that neither memory nor the wait of what comes in grows with what is due."""
BATCH = 2**18
_KEY = "source, entity, property, valid"
_DIRECTORIES = {READINGS: "kept", HOURLY: "hourly"}
Held = TypeVar("Held")


class Kind(NamedTuple):
    """A table that forgets: its name, columns, and the column of its time."""

    table: str
    schema: pa.Schema
    time: str


KINDS = {kind.table: kind for kind in (Kind(READINGS, SCHEMA, "valid"), Kind(HOURLY, HOURLY_SCHEMA, "hour"))}


@dataclass(frozen=True, slots=True)
class Cut:
    """Under `rule`, rows of a property before a time (µs) are forgotten; without a property: those of all but `others`, which have rules of their own."""

    rule: str
    property: str
    before: int
    others: tuple[str, ...] = ()

    def sql(self, time: str) -> str:
        """Say which rows those are."""
        who = f"property = {quote(self.property)}" if self.property else f"property NOT IN ({', '.join(map(quote, self.others))})" if self.others else "TRUE"
        return f"({who} AND {time} < {self.before:d})"

    def concerns(self, property_: str) -> bool:
        """Tell whether a property's rows are concerned."""
        return property_ == self.property if self.property else property_ not in self.others


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole hours of a table's time, [first, end) in µs, that one run takes."""

    table: str
    first: int
    end: int


@dataclass(slots=True)
class Gone:
    """What one run did: rows forgotten, hourly rows made, and readings that came after their hour was rolled up, which changed no row."""

    count: int = 0
    hours: int = 0
    late: int = 0


@dataclass(slots=True)
class _Tally:
    """What a run forgets, by (rule, commit's place)."""

    ends: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    total: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, ends: list[int], cuts: int) -> "_Tally":
        shape = (cuts, len(ends) + 1)
        return cls(np.array(ends, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.uint64))

    def add(self, table: pa.Table, rule: npt.NDArray[np.int64], schema: pa.Schema) -> None:
        at = np.searchsorted(self.ends, np.asarray(table["offset"]))
        np.add.at(self.count, (rule, at), 1)
        np.add.at(self.total, (rule, at), products(table, schema))

    def lines(self, run: int, table: str, cuts: Sequence[Cut]) -> list[Line]:
        if self.count[:, -1].any():
            message = "readings of no commit are due to be forgotten: run `zhongshu verify`"
            raise RuntimeError(message)
        return [
            {
                "forgot": table,
                "run": run,
                "to": int(self.ends[i]),
                "rule": cuts[k].rule,
                "before": cuts[k].before,
                "count": int(self.count[k, i]),
                "checksum": int(self.total[k, i]) % MODULUS,
            }
            for k, i in zip(*np.nonzero(self.count), strict=True)
        ]


@dataclass(slots=True)
class _Exchange:
    """The files that a run takes away and those that it brings, by table."""

    old: dict[str, list[str]] = field(default_factory=dict)
    new: dict[str, list[Path]] = field(default_factory=dict)

    def crcs(self, home: Path) -> Line:
        return {"crc": {_relative(p, home): crc(p) for paths in self.new.values() for p in paths}}

    def names(self, home: Path) -> Line:
        return {"old": sorted(_relative(p, home) for paths in self.old.values() for p in paths), "new": sorted(_relative(p, home) for ps in self.new.values() for p in ps)}


class Forgetting:
    """One warehouse's forgetting and its hourly rows. It shares the warehouse's connection, manifest and writing lock."""

    def __init__(self, db: duckdb.DuckDBPyConnection, folder: Path, book: Manifest, writing: threading.Lock, offset: Callable[[], int], *, beside: bool = False) -> None:
        """Make the table of hourly rows where there is none, and settle what a crash left of a run; not where another process owns the warehouse (`beside`)."""
        self._db, self._home, self._book, self._writing, self._offset = db, folder, book, writing, offset
        self.unsure = False
        """Whether a run broke off and it is not known what the catalogue holds of it."""
        self.era = 0
        """How many times files were taken away since the warehouse was opened."""
        if beside:
            return
        if not db.execute(f"SELECT 1 FROM duckdb_tables() WHERE database_name = 'lake' AND table_name = '{HOURLY}'").fetchall():
            columns = ", ".join(f'"{f.name}" {"VARCHAR" if pa.types.is_dictionary(f.type) else "BIGINT"}' for f in HOURLY_SCHEMA)
            db.execute(f"CREATE TABLE lake.{HOURLY} ({columns})")
        self.settle()

    def files(self, table: str) -> set[str]:
        """Return the paths of a table's files."""
        return {row[0] for row in self._db.cursor().execute("SELECT data_file FROM ducklake_list_files('lake', ?)", [table]).fetchall()}

    def due(self, cuts: Mapping[str, Sequence[Cut]], upto: int) -> list[Piece]:
        """Return what is due by table, the oldest first, in pieces of whole hours. Hours of which the journal still holds a reading (of an offset beyond `upto`) wait."""
        pieces: list[Piece] = []
        for table, of in cuts.items():
            if not of:
                continue
            time, waits = KINDS[table].time, f'bool_or("offset" > {upto:d})' if table == READINGS else "FALSE"
            rows = " UNION ALL ".join(f'SELECT {_hour(time)} AS hour, "offset" FROM lake.{table} WHERE {cut.sql(time)}' for cut in of)
            held = 0
            for hour, count, wait in self._db.cursor().execute(f"SELECT hour, count(*), {waits} FROM ({rows}) GROUP BY 1 ORDER BY 1").fetchall():
                if wait:
                    held = PIECE
                elif pieces and pieces[-1].table == table and held + count <= PIECE:
                    pieces[-1], held = Piece(table, pieces[-1].first, hour + HOUR), held + count
                else:
                    pieces.append(Piece(table, hour, hour + HOUR))
                    held = count
        return pieces

    def run(self, cuts: Sequence[Cut], piece: Piece, then: Callable[[], None] = lambda: None) -> Gone:
        """Forget a piece. Before anyone else may write, `then` is called: whoever keeps a ledger tells it there."""
        with self._writing:
            if self.unsure:
                self.settle()
            kind = KINDS[piece.table]
            where = f"{kind.time} >= {piece.first:d} AND {kind.time} < {piece.end:d} AND ({' OR '.join(cut.sql(kind.time) for cut in cuts)})"
            found = dict(self._db.cursor().execute(f"SELECT filename, count(*) FROM lake.{piece.table} WHERE {where} GROUP BY 1 ORDER BY 1").fetchall())
            gone = self._forget(cuts, piece, where, found) if found else Gone()
            then()
            return gone

    def _forget(self, cuts: Sequence[Cut], piece: Piece, where: str, found: dict[str, int]) -> Gone:
        lines, kind, size = self._book.lines(), KINDS[piece.table], self._book.size()
        number = 1 + max((line["run"] for line in runs(lines)), default=0)
        exchange, gone = _Exchange({piece.table: sorted(found)}), Gone(sum(found.values()))
        tally = _Tally.of([line["to"] for line in commits(lines, piece.table)], len(cuts))
        try:
            made = self._roll_up(number, where, piece, exchange, gone) if piece.table == READINGS else []
            for i, path in enumerate(exchange.old[piece.table]):
                kept = self._place(kind.table, f"kept-{number}-{i}.parquet")
                exchange.new.setdefault(kind.table, []).append(kept)
                if not _sift(Path(path), kept, kind, _Judge(cuts, kind.time, piece), tally):
                    exchange.new[kind.table].remove(kept)
                    kept.unlink()
            if int(tally.count.sum()) != gone.count:
                message = f"{tally.count.sum()} rows to be forgotten were read, {gone.count} found"
                raise RuntimeError(message)  # noqa: TRY301 (undone below)
            for folder in {p.parent for paths in exchange.new.values() for p in paths}:
                sync_folder(folder)
            self._book.note({"run": number, **exchange.names(self._home)}, *made, *tally.lines(number, piece.table, cuts), exchange.crcs(self._home))
            self._swap(exchange, number)
        except BaseException:
            self.unsure = True
            if not self.files(piece.table).isdisjoint(exchange.old[piece.table]):
                self._book.cut(size)
                for new in (p for paths in exchange.new.values() for p in paths):
                    new.unlink(missing_ok=True)
                self.unsure = False
                raise
        self.era += 1
        self._clean([self._home / name for name in exchange.names(self._home)["old"]])
        return gone

    def _place(self, table: str, name: str) -> Path:
        folder = self._home / "readings" / _DIRECTORIES[table]
        if not folder.exists():
            folder.mkdir()
            sync_folder(folder.parent)
        return folder / name

    def _roll_up(self, number: int, where: str, piece: Piece, exchange: _Exchange, gone: Gone) -> list[Line]:
        """Write the hourly rows of what is about to go, each key once, the latest known; return their line for the manifest. Hours that have a row keep it."""
        cursor = self._db.cursor()
        try:
            cursor.execute(f'CREATE TEMP VIEW going AS SELECT {_KEY}, area, ticks, flags, known, "offset", {_hour("valid")} AS hour FROM lake.{READINGS} WHERE {where}')
            cursor.execute(f"CREATE TEMP TABLE revised AS SELECT DISTINCT {_KEY} FROM going WHERE flags & {int(Flag.REVISION)} != 0")
            cursor.execute(f"CREATE TEMP TABLE closed AS SELECT DISTINCT source, entity, property, hour FROM lake.{HOURLY} WHERE hour >= {piece.first:d} AND hour < {piece.end:d}")
            gone.late = _count(cursor, "SELECT count(*) FROM going SEMI JOIN closed USING (source, entity, property, hour)")
            table = cursor.execute(_hourly_sql(number, revised=_count(cursor, "SELECT count(*) FROM revised") > 0)).to_arrow_table().cast(_plain(HOURLY_SCHEMA))
        finally:
            for drop in ("VIEW IF EXISTS going", "TABLE IF EXISTS revised", "TABLE IF EXISTS closed"):
                cursor.execute(f"DROP {drop}")
            cursor.close()
        if not len(table):
            return []
        gone.hours = len(table)
        path = self._place(HOURLY, f"hours-{number}.parquet")
        exchange.new[HOURLY] = [path]
        write_rows(table, path)
        return [
            {
                "table": HOURLY,
                "run": number,
                "from": number,
                "to": number,
                "count": len(table),
                "checksum": checksum(table, HOURLY_SCHEMA),
                "form": FORM,
                "files": [_relative(path, self._home)],
            }
        ]

    def _swap(self, exchange: _Exchange, number: int) -> None:
        """Take the old files out of the catalogue and enter the new ones, in one transaction. A file all of whose rows go leaves nothing behind, no list of deletions either."""
        with transaction(self._db) as cursor:
            for table, paths in exchange.old.items():
                cursor.execute(f"DELETE FROM lake.{table} WHERE filename IN ({', '.join(map(quote, paths))})")
            for table, new in exchange.new.items():
                for path in new:
                    cursor.execute("CALL ducklake_add_data_files('lake', ?, ?)", [table, str(path)])
            cursor.execute("CALL lake.set_commit_message('zhongshu', 'forget', extra_info => ?)", [json.dumps({"offset": self._offset(), "run": number})])
            cursor.execute("COMMIT")

    def _clean(self, old: list[Path]) -> None:
        """Remove old files from the disk, and with them every earlier state of the catalogue, which could still name them and what was merged from them."""
        self._db.execute("CALL ducklake_expire_snapshots('lake', older_than => now() + INTERVAL 1 MINUTE)")
        self._db.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")
        for path in old:
            path.unlink(missing_ok=True)
        for folder in {path.parent for path in old if path.parent.exists()}:
            sync_folder(folder)

    def settle(self) -> None:
        """Take back a run of which the catalogue never heard, and finish one of which it did."""
        lines = self._book.lines()
        stands = {_relative(path, self._home) for table in KINDS for path in self.files(table)}
        undone = {line["run"] for line in runs(lines) if not stands.isdisjoint(line["old"])}
        held = [line for line in lines if line.get("run") not in undone]
        for line in runs(lines):
            if line["run"] in undone and not all((self._home / name).exists() for name in line["old"]):
                raise PARTED(folder=self._home, where="lake", files=f"run {line['run']}", catalogue="before it")
        happened = runs(held)
        last = max((line["run"] for line in held if "run" in line), default=0)
        held = [line for line in held if line.get("run", 0) <= last]
        if len(held) != len(lines):
            self._book.put(held)
        for folder in _DIRECTORIES.values():
            for path in (self._home / "readings" / folder).glob("*.parquet"):
                if int(path.stem.split("-")[1]) > last and _relative(path, self._home) not in stands:
                    path.unlink()
        if happened and (old := [path for name in happened[-1]["old"] if (path := self._home / name).exists()]):
            self._clean(old)
        self.unsure = False

    def faults(self) -> list[str]:
        """Return what is not whole of the hourly rows, one sentence each. The caller holds the writing lock."""
        lines = self._book.lines()
        made = commits(lines, HOURLY)
        ends = [line["to"] for line in made]
        wrong, held = sums(sorted(self.files(HOURLY)), self._home, np.array(ends, np.int64), HOURLY_SCHEMA, crcs(lines))
        gone, stray = forgotten(lines, ends, HOURLY)
        wrong += [f"manifest: run {line['run']} forgets hourly rows that were never made" for line in stray]
        for i, line in enumerate(made):
            count, total, places = held.get(i, (0, 0, ()))
            less, part = gone.get(i, (0, 0))
            if (count + less, (total + part) % MODULUS) != (line["count"], line["checksum"]):
                wrong.append(f"lake: run {line['run']} holds {count} of {line['count'] - less} hourly rows or other values than were made, in {', '.join(places or line['files'])}")
        return wrong

    def while_still(self, do: Callable[[dict[tuple[str, str], Line]], Held]) -> Held:
        """Hand over what was forgotten in all, by (table, rule), while nothing more is."""
        with self._writing:
            return do(self.totals())

    def totals(self) -> dict[tuple[str, str], Line]:
        """Return what was forgotten in all, by (table, rule): count, checksum, before (µs)."""
        return totals(self._book.lines())


class _Judge(NamedTuple):
    """Says of rows whether a run takes them."""

    cuts: Sequence[Cut]
    time: str
    piece: Piece

    def rule(self, table: pa.Table) -> npt.NDArray[np.int64]:
        """Return each row's cut by its place; -1: the row stays."""
        words = table["property"].combine_chunks()
        names = words.dictionary.to_pylist()
        of = np.array([next((k for k, cut in enumerate(self.cuts) if cut.concerns(name)), -1) for name in names] or [-1], np.int64)
        before = np.array([0 if k < 0 else self.cuts[k].before for k in of.tolist()], np.int64)
        code, at = np.asarray(words.indices), np.asarray(table[self.time])
        go = (of[code] >= 0) & (at < np.minimum(before, self.piece.end)[code]) & (at >= self.piece.first)
        return np.where(go, of[code], -1)


def _sift(path: Path, kept: Path, kind: Kind, judge: _Judge, tally: _Tally) -> int:
    """Write what stays of a file into another that lasts, in the same order, and count what goes; return how many rows stay."""
    names = [f.name for f in kind.schema if pa.types.is_dictionary(f.type)]
    with kept.open("wb") as sink, pq.ParquetFile(path, read_dictionary=names) as file:
        stay = 0
        with contextlib.closing(pq.ParquetWriter(sink, _plain(kind.schema), compression="zstd", store_schema=False)) as writer:
            for table in _tables(file, kind.schema):
                rule = judge.rule(table)
                go = rule >= 0
                if go.any():
                    tally.add(table.filter(pa.array(go)), rule[go], kind.schema)
                if not go.all():
                    writer.write_table(table.filter(pa.array(~go)).cast(_plain(kind.schema)))
                    stay += int((~go).sum())
        sink.flush()
        os.fsync(sink.fileno())
    return stay


def _tables(file: pq.ParquetFile, schema: pa.Schema) -> Iterator[pa.Table]:
    for batch in file.iter_batches(BATCH, columns=schema.names):
        yield pa.Table.from_batches([batch]).select(schema.names)


def _plain(schema: pa.Schema) -> pa.Schema:
    """Return a schema whose names stand as texts, as in the files."""
    return pa.schema([pa.field(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in schema])


def _relative(path: str | Path, home: Path) -> str:
    return str(Path(path).relative_to(home)) if Path(path).is_relative_to(home) else str(path)


def _count(cursor: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int((cursor.execute(sql).fetchone() or (0,))[0])


def _hour(time: str) -> str:
    return f"{time} - (({time} % {HOUR}) + {HOUR}) % {HOUR}"


def _hourly_sql(number: int, *, revised: bool) -> str:
    """Return SQL for the hourly rows of `going` but for those `closed`: each key once, of one that was `revised` the latest known."""
    rows = "SELECT * FROM going"
    if revised:
        latest = f'SELECT * FROM going SEMI JOIN revised USING ({_KEY}) QUALIFY row_number() OVER (PARTITION BY {_KEY} ORDER BY "offset" DESC, known DESC) = 1'
        rows = f"SELECT * FROM going ANTI JOIN revised USING ({_KEY}) UNION ALL BY NAME {latest}"
    return (
        f'SELECT {number}::BIGINT AS "offset", source, entity, property, area, hour, count(ticks) AS n, sum(ticks)::BIGINT AS total, min(ticks) AS low, max(ticks) AS high, '
        f"arg_min(ticks, valid) AS first, arg_max(ticks, valid) AS last, max(valid) FILTER (WHERE ticks IS NOT NULL) AS latest "
        f"FROM ({rows}) ANTI JOIN closed USING (source, entity, property, hour) GROUP BY source, entity, property, area, hour ORDER BY property, area, hour"
    )
