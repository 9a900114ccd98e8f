"""Where the warehouse's catalogue stands: a SQLite file beside the Parquet files, or a schema of a PostgreSQL database. The files are the same.

A catalogue can be made anew from the list of files and the journal's offset: that is how a city moves from one to the other.
"""

import contextlib
import hashlib
import importlib.metadata
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb

from zhongshu.engines.sqlite_whole import faults
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why

UNREACHED = declare(
    "catalogue.unreached",
    "unavailable",
    zh=("打不开数据仓的目录库 {where}：{why_zh}。", "请检查地址和数据库是否在运行；PostgreSQL 的驱动随 `pip install zhongshu[cluster]` 安装。"),
    en=(
        "The warehouse's catalogue at {where} cannot be opened: {why_en}.",
        "Check the address and that the database runs; PostgreSQL's driver comes with `pip install zhongshu[cluster]`.",
    ),
)
DAMAGED = declare(
    "catalogue.damaged",
    "unavailable",
    zh=("数据仓的目录库 {where} 已损坏：{why_zh}。", "请保留这个文件，检查磁盘，再从备份恢复。"),
    en=("The warehouse's catalogue {where} is damaged: {why_en}.", "Keep the file, check the disk, and restore a backup."),
)
VERSION = declare(
    "catalogue.version",
    "unsupported",
    zh=("数据仓的目录库是第 {found} 版，本程序用第 {ours} 版。", "请用写它的那一版程序打开，或从备份恢复。"),
    en=("The warehouse's catalogue has version {found}; this program works with {ours}.", "Open it with the program that wrote it, or restore a backup."),
)

NOT_EMPTY = declare(
    "catalogue.not_empty",
    "conflict",
    zh=("{where} 里已有一座城市的目录库。", "请新建一个空的数据库，在设置里写明它；什么都没有改动。"),
    en=("There is a city's catalogue at {where} already.", "Make an empty database and name it in the settings. Nothing was changed."),
)
PARTED = declare(
    "catalogue.parted",
    "conflict",
    zh=("{folder} 里有数据仓的文件，目录库 {where} 却不认识它们（文件到位置 {files}，目录到 {catalogue}）。", "请给出这座城市原来的目录库，或从备份恢复；什么都没有改动。"),
    en=(
        "{folder} holds a warehouse's files (up to offset {files}); the catalogue {where} ends at {catalogue}.",
        "Give the city's own catalogue, or restore a backup. Nothing was changed.",
    ),
)

VERSION_OURS = "1.0"
"""The catalogue's form in the DuckLake extension we are tied to."""
_PATHS = ("ducklake_data_file", "ducklake_files_scheduled_for_deletion")


class Catalogue(Protocol):
    """What the warehouse asks of where its catalogue stands."""

    @property
    def where(self) -> str:
        """Return its address for people, without who signs in."""
        ...

    @property
    def schema(self) -> str:
        """Return the name of the schema its tables are in."""
        ...

    def attach(self, readings: Path) -> str:
        """Return the statement that attaches it as `lake`."""
        ...

    def open(self, name: str) -> str:
        """Return the statement that attaches its own tables under a name."""
        ...

    def discard(self) -> None:
        """Remove it."""
        ...

    def load(self, database: Any) -> None:  # noqa: ANN401 (DuckDB's connection)
        """Load what the database needs to reach it."""
        ...

    def follow(self, readings: Path) -> None:
        """Let it find its files where the folder is now: it names those that were added by their whole path."""
        ...

    def version(self) -> str | None:
        """Return the version of its form, None where there is none yet."""
        ...

    def faults(self) -> list[str]:
        """Return what is not whole in it, one sentence each."""
        ...


@dataclass(frozen=True, slots=True)
class SqliteCatalogue:
    """A file of its own."""

    path: Path

    @property
    def where(self) -> str:
        """Return its name."""
        return self.path.name

    def attach(self, readings: Path) -> str:
        """Return the statement that attaches it."""
        return (
            f"ATTACH 'ducklake:sqlite:{self.path}' AS lake (DATA_PATH '{readings}/', OVERRIDE_DATA_PATH true, "
            "META_JOURNAL_MODE 'WAL', META_BUSY_TIMEOUT 30000, DATA_INLINING_ROW_LIMIT 0)"
        )

    @property
    def schema(self) -> str:
        """Return the schema's name."""
        return "main"

    def open(self, name: str) -> str:
        """Return the statement that attaches its own tables."""
        return f"ATTACH '{self.path}' AS {name} (TYPE sqlite)"

    def discard(self) -> None:
        """Remove the file."""
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink()

    def load(self, database: Any) -> None:  # noqa: ANN401 (DuckDB's connection)
        """Load SQLite's scanner."""
        database.execute(f"LOAD '{extension('duckdb-extension-sqlite-scanner')}'")

    def follow(self, readings: Path) -> None:
        """Put the folder's own paths into it, once it was read through: by a damaged one files would be taken for nobody's."""
        if not self.path.exists():
            return
        if wrong := self.faults():
            raise sqlite3.DatabaseError(wrong[0])
        with contextlib.closing(sqlite3.connect(self.path)) as catalog, catalog:
            if not catalog.execute("SELECT 1 FROM sqlite_master").fetchone():
                return  # it was just begun
            for table in _PATHS:
                rows = catalog.execute(f"SELECT rowid, path FROM {table} WHERE NOT path_is_relative").fetchall()
                catalog.executemany(f"UPDATE {table} SET path = ? WHERE rowid = ?", _moved(rows, readings))

    def version(self) -> str | None:
        """Return the version of its form."""
        if not self.path.exists():
            return None
        with contextlib.closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as catalog, contextlib.suppress(sqlite3.Error):
            found = catalog.execute("SELECT value FROM ducklake_metadata WHERE key = 'version'").fetchone()
            return None if found is None else str(found[0])
        return None

    def faults(self) -> list[str]:
        """Read the file through."""
        return faults(self.path)


@dataclass(frozen=True, slots=True)
class PostgresCatalogue:
    """A schema of a PostgreSQL database: `url` as libpq takes it."""

    url: str
    schema: str

    @property
    def where(self) -> str:
        """Return its address without who signs in."""
        return f"{self.url.partition('?')[0].rpartition('@')[2]} {self.schema}"

    def attach(self, readings: Path) -> str:
        """Return the statement that attaches it."""
        return (
            f"ATTACH 'ducklake:postgres:{_quoted(self.url)}' AS lake (DATA_PATH '{readings}/', OVERRIDE_DATA_PATH true, METADATA_SCHEMA '{self.schema}', DATA_INLINING_ROW_LIMIT 0)"
        )

    def open(self, name: str) -> str:
        """Return the statement that attaches its own tables."""
        return f"ATTACH '{_quoted(self.url)}' AS {name} (TYPE postgres, SCHEMA '{self.schema}')"

    def discard(self) -> None:
        """Remove the schema."""
        self._ask(lambda connection: connection.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE".encode()))

    def load(self, database: Any) -> None:  # noqa: ANN401 (DuckDB's connection)
        """Load PostgreSQL's scanner; raises `catalogue.unreached` where it is not installed."""
        try:
            database.execute(f"LOAD '{extension('duckdb-extension-postgres-scanner')}'")
        except importlib.metadata.PackageNotFoundError as error:
            raise UNREACHED(where=self.where, **why(error, "没有安装 duckdb-extension-postgres-scanner")) from error

    def _ask(self, work: Any) -> Any:  # noqa: ANN401 (a statement's answer)
        try:
            import psycopg  # noqa: PLC0415 (an extra's)
        except ImportError as error:
            raise UNREACHED(where=self.where, **why(error, "没有安装驱动")) from error

        try:
            with psycopg.connect(self.url, connect_timeout=5) as connection:
                if connection.execute("SELECT to_regclass(%s)", [f"{self.schema}.ducklake_metadata"]).fetchone() == (None,):
                    return None
                return work(connection)
        except psycopg.Error as error:
            raise UNREACHED(where=self.where, **why(error, "连接不上")) from error

    def follow(self, readings: Path) -> None:
        """Put the folder's own paths into it."""

        def work(connection: Any) -> None:  # noqa: ANN401 (psycopg's)
            for table in _PATHS:
                rows = connection.execute(f"SELECT data_file_id, path FROM {self.schema}.{table} WHERE NOT path_is_relative".encode()).fetchall()
                connection.cursor().executemany(f"UPDATE {self.schema}.{table} SET path = %s WHERE data_file_id = %s".encode(), _moved(rows, readings))

        self._ask(work)

    def version(self) -> str | None:
        """Return the version of its form."""
        return self._said("version")

    def folder(self) -> str | None:
        """Return the folder its files are in, None where there is none yet."""
        return self._said("data_path")

    def _said(self, key: str) -> str | None:
        found = self._ask(lambda connection: connection.execute(f"SELECT value FROM {self.schema}.ducklake_metadata WHERE key = %s".encode(), [key]).fetchone())
        return None if found is None else str(found[0])

    def faults(self) -> list[str]:
        """Nothing: what lies beneath is the database's own to check (its data checksums); what the catalogue says is held against the files."""
        return []


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _moved(rows: list[tuple[Any, str]], readings: Path) -> list[tuple[str, Any]]:
    """Return (path where the folder is now, row) of the paths that lie elsewhere."""
    paths = [(str(_under(Path(path), readings)), path, row) for row, path in rows]
    return [(now, row) for now, before, row in paths if now != before]


def _under(path: Path, readings: Path) -> Path:
    """Return where a file of the warehouse lies under its folder: what follows the last folder of that name."""
    at = len(path.parts) - 1 - path.parts[::-1].index(readings.name) if readings.name in path.parts else len(path.parts) - 3
    return readings.joinpath(*path.parts[at + 1 :])


@contextlib.contextmanager
def whole(catalogue: Catalogue) -> Iterator[None]:
    """Say `catalogue.damaged` where a catalogue that was reached cannot be read."""
    try:
        yield
    except (sqlite3.Error, duckdb.Error, ValueError, KeyError) as error:
        catalogue.version()  # raises `catalogue.unreached` where it went away meanwhile
        raise DAMAGED(where=catalogue.where, **why(error, "读不出内容")) from error


@contextlib.contextmanager
def transaction(database: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Lend a connection of its own in a transaction, which is taken back unless it was committed.

    It is ended before the connection is closed: closed in one whose catalogue's server is gone, the library would end the process.
    """
    cursor = database.cursor()
    try:
        cursor.execute("BEGIN")
        yield cursor
    finally:
        with contextlib.suppress(duckdb.Error):
            cursor.execute("ROLLBACK")
        cursor.close()


def attach(database: Any, catalogue: Catalogue, readings: Path, *, follow: bool = True) -> None:  # noqa: ANN401 (DuckDB's connection)
    """Attach a catalogue as `lake`, which follows its folder where it is ours to write; raises `catalogue.unreached`, `catalogue.version`, `catalogue.damaged`."""
    catalogue.load(database)
    database.execute(f"LOAD '{extension('duckdb-extension-ducklake')}'")
    found = catalogue.version()
    if found not in {None, VERSION_OURS}:
        raise VERSION(found=found, ours=VERSION_OURS)
    if follow:
        with whole(catalogue):
            catalogue.follow(readings)
    try:
        database.execute(catalogue.attach(readings))
    except duckdb.Error as error:
        raise UNREACHED(where=catalogue.where, **why(error, "库没有接受")) from error


def copy(source: Catalogue, target: Catalogue, readings: Path) -> tuple[int, str]:
    """Copy a catalogue that nobody writes to another store, table by table, compare every row, and return how many there are and a sum over them. Raises `catalogue.not_empty`."""
    if target.version() is not None:
        raise NOT_EMPTY(where=target.where)
    with contextlib.closing(duckdb.connect(config={"autoload_known_extensions": False, "autoinstall_known_extensions": False})) as database:
        try:
            attach(database, target, readings)  # makes its tables
            database.execute("DETACH lake")
            for name, held in (("source", source), ("target", target)):
                held.load(database)
                database.execute(held.open(name))
            return _copied(database, source.schema, target.schema)
        except Exception:
            with contextlib.suppress(duckdb.Error):
                database.execute("ROLLBACK")
            database.close()
            target.discard()
            raise


_KINDS = "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
_LOOSE = {"VARCHAR", "BIGINT"}
"""SQLite keeps times, truth values and ids as these: both sides are read as what the other one says they are."""


def _copied(database: Any, here: str, there: str) -> tuple[int, str]:  # noqa: ANN401 (DuckDB's connection)
    """Copy all tables from `source` to `target` in one transaction."""
    names = database.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'source' AND schema_name = ? AND table_name LIKE 'ducklake%'", [here]).fetchall()
    rows, total = 0, hashlib.sha256()
    database.execute("BEGIN")
    for (name,) in names:
        kinds = [dict(database.execute(_KINDS, [side, schema, name]).fetchall()) for side, schema in (("source", here), ("target", there))]
        listed = ", ".join(kinds[0])
        database.execute(f"DELETE FROM target.{there}.{name}")
        database.execute(f"INSERT INTO target.{there}.{name} ({listed}) SELECT {listed} FROM source.{here}.{name}")
        alike = ", ".join(f"{column}::{kind if kind not in _LOOSE else kinds[1][column]}" for column, kind in kinds[0].items())
        sums = [database.execute(f"SELECT count(*), bit_xor(hash({alike})) FROM {side}.{name}").fetchone() for side in (f"source.{here}", f"target.{there}")]
        if sums[0] != sums[1]:
            message = f"{name}: {sums[0]} rows and sum here, {sums[1]} there"
            raise ValueError(message)
        rows += sums[0][0]
        total.update(f"{name} {sums[0]}".encode())
    database.execute("COMMIT")
    return rows, total.hexdigest()


def extension(package: str) -> Path:
    """Return where a package's DuckDB extension lies."""
    for file in importlib.metadata.files(package) or []:
        if file.name.endswith(".duckdb_extension"):
            return Path(str(file.locate()))
    message = f"{package} holds no extension"
    raise FileNotFoundError(message)
