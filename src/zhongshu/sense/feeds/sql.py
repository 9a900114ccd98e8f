"""Tables of PostgreSQL and MySQL, pulled by a watermark: rows at or after the mark, in the watermark's order, streamed; ties are read again and change nothing.

Every cell is asked for as text and cut to a bound, so that no value of theirs can break the driver. Identifiers are quoted, values are parameters. Reads only.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from zhongshu.kernel.problem import declare
from zhongshu.sense.feeds.batches import Cells, of_problem, of_rows, wanted
from zhongshu.sense.feeds.declared import Sql
from zhongshu.sense.feeds.feed import NO_EXTRA, Part, Secret
from zhongshu.sense.feeds.marks import NUMBER, TEXT, TIME, Mark, back, furthest
from zhongshu.sense.intake import Intake
from zhongshu.sense.readers.tables import NO_COLUMN
from zhongshu.sense.rows import MAX_LINE
from zhongshu.sense.source import Source

BEHIND = declare(
    "connector.behind",
    "conflict",
    zh=("表 {table} 里有行，但它们的 {column} 都早于已读到的位置，或为空。", "这一列应当只增不减、不为空；如果是重新编号了，请停下城市，删除 connectors/{name}.json，再启动。"),
    en=(
        "The table {table} has rows, but their {column} lies before what was read last, or is NULL.",
        "The column must only grow and never be NULL; where it began anew, stop the city, remove connectors/{name}.json and start it again.",
    ),
)

SLICE, FEW = 5000, 500
"""Rows per batch: of readings, and of requests, whose cells are long."""
LONGEST_CELL = 4096
PATIENCE = 600
"""Seconds that one answer of the database may take."""
_PG_NUMBERS, _PG_TIMES = frozenset({20, 21, 23, 26, 700, 701, 1700}), frozenset({1082, 1114, 1184})
_MY_NUMBERS, _MY_TIMES = frozenset({0, 1, 2, 3, 4, 5, 8, 9, 246}), frozenset({7, 10, 12, 14})
_MY_STAMP = 7
"""The one of MySQL's times that is an instant: it is told in the session's zone, which is UTC."""


class SqlReader(ABC):
    """Pulls one table; what differs between the databases is named below."""

    mark = '"'
    as_text = "text"
    numbers: frozenset[int]
    times: frozenset[int]

    def __init__(self, row: Sql, source: Source, intake: Intake, secret: Secret) -> None:
        """Take the row, its source, what checks, and where its password is."""
        self.row, self.source, self.secret = row, source, secret
        self._intake, self._clock = intake, intake.clock

    @abstractmethod
    def connect(self) -> Any:  # noqa: ANN401 (a driver's connection)
        """Connect, for reading only."""

    @abstractmethod
    def stream(self, connection: Any) -> Any:  # noqa: ANN401 (a driver's)
        """Return a cursor that does not fetch everything at once."""

    def quoted(self, name: str) -> str:
        """Quote an identifier; `%` is the drivers' own sign."""
        return self.mark + name.replace("\0", "").replace(self.mark, 2 * self.mark).replace("%", "%%") + self.mark

    def cell(self, name: str, _code: int) -> str:
        """Return what asks for a column as text."""
        return f"LEFT(CAST({self.quoted(name)} AS {self.as_text}), {MAX_LINE if self.source.kind == 'requests' else LONGEST_CELL})"

    def read(self, mark: Mark, stop: threading.Event) -> Iterator[Part]:
        """Yield the rows at or after the mark, less the overlap, and how far they go."""
        with closing(self.connect()) as connection:
            codes = self._columns(connection)
            names, lost = self._chosen(codes)
            if lost:
                problem = NO_COLUMN(columns=", ".join(lost))
                yield Part(of_problem(self.source, problem, self.row.table), odd=problem)
            kind = self.kind(codes[self.row.watermark])
            held = mark if mark.get("of") == [self.row.table, self.row.watermark, kind] else {}
            cursor = self.stream(connection)
            cursor.execute(*self._select(names, codes, kind, str(held.get("at", ""))))
            some = False
            for part in self._rows(cursor, names, kind, str(held.get("at", "")), stop):
                some = True
                yield part
            if not some and not stop.is_set() and self._holds(connection):  # those at the mark come again each time
                yield Part(odd=BEHIND(table=self.row.table, column=self.row.watermark, name=self.row.name))

    def _rows(self, cursor: Any, names: list[str], kind: str, at: str, stop: threading.Event) -> Iterator[Part]:  # noqa: ANN401 (a driver's)
        of = [self.row.table, self.row.watermark, kind]
        while not stop.is_set() and (rows := cursor.fetchmany(FEW if self.source.kind == "requests" else SLICE)):
            latest = self._clock.now() + self.source.future
            at = furthest([_text(row[-1]) for row in rows], kind, self.source.zone, latest, at)
            salt = "\0".join(_text(row[-1]) for row in rows)
            cells: list[Cells] = [{name: _text(cell) for name, cell in zip(names, row, strict=False)} for row in rows]
            yield Part(of_rows(self.source, self._intake, cells, salt), {"of": of, "at": at} if at else None)

    def _columns(self, connection: Any) -> dict[str, int]:  # noqa: ANN401 (a driver's)
        """Return the table's columns and the database's codes of their types."""
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"SELECT * FROM {self._table()} WHERE 1 = 0", ())
            return {column[0]: column[1] for column in cursor.description}

    def _holds(self, connection: Any) -> bool:  # noqa: ANN401 (a driver's connection)
        """Tell whether the table has any row."""
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"SELECT 1 FROM {self._table()} LIMIT 1", ())
            return cursor.fetchone() is not None

    def _chosen(self, codes: dict[str, int]) -> tuple[list[str], list[str]]:
        """Return which columns to read, and which of those that were declared are lost; raises `table.no_column` where nothing could be read without them."""
        must, may = wanted(self.source)
        absent = [name for name in dict.fromkeys([*must, self.row.watermark, *self.row.key]) if name not in codes]
        if absent or (may and not set(may) & codes.keys()):
            raise NO_COLUMN(columns=", ".join(absent or may))
        if self.source.mapping is None:
            return list(codes)[:200], []
        return [name for name in dict.fromkeys([*must, *may]) if name in codes], [name for name in may if name not in codes]

    def kind(self, code: int) -> str:
        """Return how watermarks of a type compare."""
        return NUMBER if code in self.numbers else TIME if code in self.times else TEXT

    def _table(self) -> str:
        return ".".join(self.quoted(part) for part in self.row.table.split("."))

    def _select(self, names: list[str], codes: dict[str, int], kind: str, at: str) -> tuple[str, tuple[object, ...]]:
        watermark = self.quoted(self.row.watermark)
        columns = ", ".join([*(self.cell(name, codes[name]) for name in names), self.cell(self.row.watermark, codes[self.row.watermark])])
        where = f"{watermark} >= {self.stands(kind)}" if at else f"{watermark} IS NOT NULL"
        order = ", ".join([watermark, *map(self.quoted, self.row.key)])
        return f"SELECT {columns} FROM {self._table()} WHERE {where} ORDER BY {order}", (self.since(back(at, kind, self.row.overlap)),) if at else ()

    def stands(self, _kind: str) -> str:
        """Return what stands for the watermark in the question."""
        return "%s"

    def since(self, value: str) -> str:
        """Return a watermark as the database compares it."""
        return value


class PostgresReader(SqlReader):
    """A PostgreSQL, by psycopg."""

    numbers, times = _PG_NUMBERS, _PG_TIMES

    def connect(self) -> Any:  # noqa: ANN401 (a driver's connection)
        """Connect; a transaction of ours reads one state and changes nothing."""
        try:
            import psycopg  # noqa: PLC0415 (an extra's)
        except ImportError as error:
            raise NO_EXTRA(kind="postgresql", module="psycopg") from error
        given = {name: value for name, value in (("user", self.row.user), ("password", self.secret.get())) if value}
        connection = psycopg.connect(self.row.address, connect_timeout=10, keepalives_idle=30, tcp_user_timeout=60_000, application_name="zhongshu", **given)  # type: ignore[arg-type]
        try:
            connection.read_only = True
            connection.execute("SET TimeZone TO 'UTC'; SET DateStyle TO 'ISO'; SET extra_float_digits TO 1")
            connection.execute(f"SET statement_timeout TO '{PATIENCE:d}s'")
            connection.execute("SET client_encoding TO 'UTF8'")
        except BaseException:
            connection.close()
            raise
        return connection

    def stream(self, connection: Any) -> Any:  # noqa: ANN401 (a driver's)
        """Return a cursor that stands on the server."""
        return connection.cursor(name="zhongshu")


class MysqlReader(SqlReader):
    """A MySQL or MariaDB, by pymysql."""

    mark = "`"
    as_text = "CHAR"
    numbers, times = _MY_NUMBERS, _MY_TIMES

    def connect(self) -> Any:  # noqa: ANN401 (a driver's connection)
        """Connect; `?ca=<file>` in the address asks for TLS with that authority."""
        try:
            import pymysql  # noqa: PLC0415 (an extra's)
        except ImportError as error:
            raise NO_EXTRA(kind="mysql", module="pymysql") from error
        parts = urlsplit(self.row.address)
        ca = parse_qs(parts.query).get("ca", [""])[0]
        connection = pymysql.connect(
            host=parts.hostname or "",
            port=parts.port or 3306,
            user=self.row.user or unquote(parts.username or ""),
            password=self.secret.get(),
            database=unquote(parts.path.lstrip("/")),
            charset="utf8mb4",
            connect_timeout=10,
            read_timeout=PATIENCE,
            write_timeout=60,
            init_command="SET time_zone = '+00:00'",
            **({"ssl_ca": ca, "ssl_verify_identity": True} if ca else {}),
        )
        with closing(connection.cursor()) as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
        return connection

    def stream(self, connection: Any) -> Any:  # noqa: ANN401 (a driver's)
        """Return a cursor that reads as it goes."""
        from pymysql.cursors import SSCursor  # noqa: PLC0415 (an extra's)

        return connection.cursor(SSCursor)

    def cell(self, name: str, code: int) -> str:
        """Return what asks for a column as text; an instant is told with its offset."""
        asked = super().cell(name, code)
        return f"CONCAT({asked}, '+00:00')" if code == _MY_STAMP else asked

    def stands(self, kind: str) -> str:
        """Return what stands for the watermark: a number is compared as one."""
        return "CAST(%s AS DECIMAL(65, 10))" if kind == NUMBER else "%s"

    def since(self, value: str) -> str:
        """Return a watermark without the offset, which is the session's."""
        return value.removesuffix("+00:00")


def _text(cell: object) -> str:
    return "" if cell is None else cell.decode("utf-8", "backslashreplace") if isinstance(cell, bytes) else str(cell)
