"""One desk's rows into another's empty tables: from SQLite to PostgreSQL, in one transaction, and compared by counts and checksums before it counts.

Both are of the same form, so a row is a row. Knows no table's meaning.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from zhongshu.engines.migrations import connect, migrate
from zhongshu.engines.one_writer import raw
from zhongshu.engines.postgres_desk import PostgresDesk
from zhongshu.kernel.problem import declare

NOT_EMPTY = declare(
    "move.not_empty",
    "conflict",
    zh=("目标处的 {table} 里已有 {count} 行。", "请给空的库、模式（schema）或 NATS 账户；里面若是另一座城市，请不要动它。"),
    en=("{table} at the target holds {count} rows already.", "Give an empty database, schema or NATS account; if another city is there, leave it alone."),
)
NOT_EQUAL = declare(
    "move.not_equal",
    "unavailable",
    zh=("表 {table} 搬过去后不相等：{here} 行变成 {there} 行。", "什么都没有切换，目标库已恢复为空；请检查磁盘和数据库后重试。"),
    en=(
        "The table {table} is not equal after the move: {here} rows, {there} there.",
        "Nothing was switched and the target is empty again; check disk and database, then try again.",
    ),
)

_KINDS = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = %(t)s"
AT_ONCE = 5_000
"""So many rows are read at a time."""
Tell = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Moved:
    """A table that was moved: its rows, and the SHA-256 of them in the order of their keys, equal on both sides."""

    table: str
    rows: int
    sha256: str


def move(source: Path, target: PostgresDesk, tell: Tell, *, again: bool = False) -> list[Moved]:
    """Copy every row of a desk nobody else has open; all tables, or nothing. `again`: what a move that was killed left there goes first. Raises `move.not_empty`, `move.not_equal`."""
    migrate(source)

    def work(connection: Connection) -> list[Moved]:
        with closing(connect(source)) as store:
            store.execute("BEGIN")
            tables = _in_order(store)
            if again and _is_beginning(store, connection):
                connection.exec_driver_sql(f"TRUNCATE {', '.join(tables)}")
            return [_table(store, connection, table, tell) for table in tables]

    return target.write(work)


def _is_beginning(store: Any, connection: Connection) -> bool:  # noqa: ANN401 (SQLite's own connection)
    """Tell whether the target was this desk once and nothing happened in it since: its ledger's last line is one of this ledger's."""
    last = "SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1"
    there = connection.exec_driver_sql(last).one_or_none()
    return there is not None and store.execute("SELECT hash FROM ledger WHERE seq = ?", (there[0],)).fetchone() == (there[1],)


def _in_order(store: Any) -> list[str]:  # noqa: ANN401 (SQLite's own connection)
    """Return the tables, those that others refer to before them."""
    names = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name != 'migration' ORDER BY name")]
    needs = {name: {row[2] for row in store.execute(f"PRAGMA foreign_key_list({name})")} - {name} for name in names}
    ordered: list[str] = []
    while len(ordered) < len(names):
        ordered += [name for name in names if name not in ordered and needs[name] <= set(ordered)]
    return ordered


def _table(store: Any, connection: Connection, table: str, tell: Tell) -> Moved:  # noqa: ANN401
    held = connection.exec_driver_sql(f'SELECT count(*) FROM "{table}"').scalar_one()
    if held:
        raise NOT_EMPTY(table=table, count=held)
    info = store.execute(f"PRAGMA table_info({table})").fetchall()
    columns = [row[1] for row in info]
    keys = [row[1] for row in sorted(info, key=lambda row: int(row[5])) if row[5]]
    kinds: dict[str, str] = {column: kind for column, kind in connection.exec_driver_sql(_KINDS, {"t": table})}  # noqa: C416 (rows are no pairs to the types)
    flags = [kinds[column] == "boolean" for column in columns]
    named = ", ".join(f'"{column}"' for column in columns)
    order = ", ".join(f'"{key}"' for key in keys)
    here = _Sum()
    driver = raw(connection)
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table}" ({named}) FROM STDIN') as copy:
        for row in _rows(store.execute(f'SELECT {named} FROM "{table}" ORDER BY {order}')):
            here.add(row)
            copy.write_row([bool(cell) if flag and cell is not None else cell for cell, flag in zip(row, flags, strict=True)])
            if here.rows % AT_ONCE == 0:
                tell(table, here.rows)
    shown = ", ".join(f'"{column}"::text' if kinds[column] == "json" else f'"{column}"::int' if flag else f'"{column}"' for column, flag in zip(columns, flags, strict=True))
    there = _Sum()
    with driver.cursor(f"move_{table}") as cursor:
        cursor.itersize = AT_ONCE
        cursor.execute(f'SELECT {shown} FROM "{table}" ORDER BY {order}')
        for row in cursor:
            there.add(row)
    if (here.rows, here.hexdigest()) != (there.rows, there.hexdigest()):
        raise NOT_EQUAL(table=table, here=here.rows, there=there.rows)
    for column in columns:
        if column in {"id", "seq"} and kinds[column] == "bigint":
            last = f'SELECT setval(pg_get_serial_sequence(\'"{table}"\', \'{column}\'), greatest(1, (SELECT max("{column}") FROM "{table}")))'
            connection.exec_driver_sql(last)
    tell(table, here.rows)
    return Moved(table, here.rows, here.hexdigest())


def _rows(cursor: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (SQLite's own)
    while some := cursor.fetchmany(AT_ONCE):
        yield from some


class _Sum:
    """Counts rows and hashes them, as they come."""

    def __init__(self) -> None:
        self.rows = 0
        self._hash = hashlib.sha256()

    def add(self, row: Any) -> None:  # noqa: ANN401 (cells)
        self.rows += 1
        self._hash.update(json.dumps(list(row), ensure_ascii=False).replace("\\u0000", "\u2400").encode() + b"\n")

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
