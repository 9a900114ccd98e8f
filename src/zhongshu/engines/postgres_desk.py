"""The desk on PostgreSQL 15 or newer: the same one writer, many commands to a commit; readers see one moment each.

One city, one owner: the writer's connection holds an advisory lock on its schema, so that a second owner is refused and a writer whose
connection was lost takes the lock again before it writes. It knows no table of any stage: it runs work, and migrates.
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from zhongshu.engines.migrations.postgresql import migrate
from zhongshu.engines.one_writer import READERS, OneWriter, as_text, raw
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reason import why

OWNED = declare(
    "desk.owned",
    "busy",
    zh=("这个业务库已有一个城市进程在写。", "每个城市只有一个进程写业务库：请先停下另一个，或给它另一个库。"),
    en=("Another process is writing to this desk already.", "A city's desk has one writer: stop the other one, or give this city a database of its own."),
)
UNREACHED = declare(
    "desk.unreached",
    "unavailable",
    zh=("连不上业务库 {url}：{why_zh}。", "请检查地址和 PostgreSQL 是否在运行；驱动随 `pip install zhongshu[postgresql]` 安装。"),
    en=("The desk at {url} cannot be reached: {why_en}.", "Check the address and that PostgreSQL runs; the driver comes with `pip install zhongshu[postgresql]`."),
)
TOO_OLD = declare(
    "desk.too_old",
    "unsupported",
    zh=("业务库是 PostgreSQL {found}，至少要 {least}。", "请升级数据库后再试。"),
    en=("The desk is PostgreSQL {found}; it must be {least} at least.", "Upgrade the database, then try again."),
)
NOT_DURABLE = declare(
    "desk.not_durable",
    "unsupported",
    zh=("业务库的 {setting} 是 {found}：已确认的写入可能在断电后丢失。", "请把它设为 on。"),
    en=("The desk's {setting} is {found}: what was acknowledged could be lost with the power.", "Set it to on."),
)
IN_DOUBT = declare(
    "desk.in_doubt",
    "unavailable",
    zh=("写业务库时连接断了（{why_zh}）：不知道写成没有。", "请先看一眼是否已经写成，再决定要不要重做；重做不会做两遍。"),
    en=("The connection to the desk was lost while it wrote ({why_en}): whether it was written is not known.", "Look first whether it is done; a step is never done twice."),
)
NO_DUMP = declare(
    "desk.no_dump",
    "unavailable",
    zh=("没有备份成：{why_zh}。", "备份用 pg_dump（Debian 包 postgresql-client）：请安装与数据库同版本或更新的一份。"),
    en=("It was not backed up: {why_en}.", "Backups use pg_dump (Debian's postgresql-client): install one of the database's version or newer."),
)
NOT_FILLED = declare(
    "desk.not_filled",
    "conflict",
    zh=("备份没有恢复进业务库：{why_zh}。", "请给一个空的模式（schema），并安装 pg_restore（Debian 包 postgresql-client）。"),
    en=("The backup was not brought into the desk: {why_en}.", "Give an empty schema, and install pg_restore (Debian's postgresql-client)."),
)

NOT_HERE = declare(
    "desk.not_here",
    "unavailable",
    zh=("这个进程不写业务库。", "请通过城市的主进程办理。"),
    en=("This process does not write to the desk.", "Act through the process that owns the city."),
)

LEAST = 150000
"""PostgreSQL's version number of 15."""
PATIENCE = 5.0
"""So many seconds a new owner waits for the last one's connection to end."""
LOCK = 0x5A53_4445
"""The first half of the advisory lock's key; the second is the schema's."""


T = TypeVar("T")


class PostgresDesk(OneWriter):
    """`zhongshu.kernel.desk.Desk` in a PostgreSQL database, in the first schema of its search path."""

    def __init__(self, url: str) -> None:
        """Open `postgresql://…`; raises `desk.unreached`, `desk.owned`, `desk.newer`, `desk.too_old`, `desk.not_durable`."""
        self.url = _address(url)
        try:
            writer, readers = _engine(self.url, 1), _engine(self.url, READERS)
        except ImportError as error:
            raise UNREACHED(url=self.url.render_as_string(), **why(error, "没有安装驱动")) from error
        event.listen(writer, "connect", _take)
        try:
            with writer.begin() as connection:
                _fit(connection)
                migrate(connection)
        except Problem:
            writer.dispose()
            raise
        except SQLAlchemyError as error:
            writer.dispose()
            raise UNREACHED(url=self.url.render_as_string(), **why(error, "连接不上")) from error
        super().__init__(writer, readers.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True))

    def read(self, work: Callable[[Any], T]) -> T:
        """Run a read; raises `desk.unreached` where the database is away."""
        with _there(self.url):
            return super().read(work)

    def backup(self, path: str) -> None:
        """Write the store, as it is at one moment, to a file in pg_dump's own form; it appears whole, or not at all."""
        part = Path(f"{path}.part")
        url, secret = _for_program(self.url)
        schema = self.read(lambda connection: connection.exec_driver_sql("SELECT current_schema()").scalar_one())
        command = [_program("pg_dump"), "--format=custom", f"--schema={schema}", f"--file={part}", f"--dbname={url}"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, env=secret)  # noqa: S603 (no shell)
        except (OSError, subprocess.CalledProcessError) as error:
            part.unlink(missing_ok=True)
            raise NO_DUMP(**why(getattr(error, "stderr", "") or str(error), "pg_dump 没有完成")) from error
        part.replace(path)

    def verify(self) -> list[str]:
        """Read every row of every table; return the tables that cannot be read. What lies beneath is the database's own to check (its data checksums)."""
        names = self.read(lambda connection: inspect(connection).get_table_names())
        return [fault for name in names for fault in self._fault(name)]

    def _fault(self, name: str) -> list[str]:
        try:
            self.read(lambda connection: connection.exec_driver_sql(f'SELECT sum(length(held::text)) FROM "{name}" AS held').scalar_one())
        except SQLAlchemyError as error:
            return [f"{name}: {str(error).splitlines()[0]}"]
        return []

    def _look(self, connection: Connection) -> None:
        """Nothing: a read begins with its first statement, and sees that one moment."""

    def _begin(self, connection: Connection) -> None:
        """Nothing: the lock came with the connection, and a transaction begins with its first statement."""

    def _whole(self, connection: Connection) -> bool:
        return not self._lost(connection) and raw(connection).info.transaction_status.name in {"INTRANS", "INERROR"}

    def _lost(self, connection: Connection) -> bool:
        return connection.invalidated or raw(connection).closed

    def _uncommitted(self, error: BaseException) -> BaseException:
        return IN_DOUBT(**why(error, "连接中断了"))


class PostgresReader:
    """The desk as a process beside its writer has it: it is read, each read of one moment; writes are refused."""

    def __init__(self, url: str) -> None:
        """Open `postgresql://…`; raises `desk.unreached`."""
        self.url = _address(url)
        try:
            self._readers = _engine(self.url, READERS).execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with self._readers.begin() as connection:
                connection.exec_driver_sql("SELECT 1 FROM migration LIMIT 1")
        except (ImportError, SQLAlchemyError) as error:
            raise UNREACHED(url=self.url.render_as_string(), **why(error, "连接不上，或库里没有业务表")) from error

    def read(self, work: Callable[[Any], T]) -> T:
        """Run a read; raises `desk.unreached` where the database is away."""
        with _there(self.url), self._readers.begin() as connection:
            connection.info.clear()
            return work(connection)

    def submit(self, work: Callable[[Any], T]) -> "Future[T]":  # noqa: ARG002 (the port's)
        """Refuse: raises `desk.not_here`."""
        raise NOT_HERE()

    def write(self, work: Callable[[Any], T]) -> T:  # noqa: ARG002 (the port's)
        """Refuse: raises `desk.not_here`."""
        raise NOT_HERE()

    def waiting(self) -> int:
        """Return 0: nothing is written here."""
        return 0

    def verify(self) -> list[str]:
        """Nothing: its writer verifies it."""
        return []

    def backup(self, path: str) -> None:  # noqa: ARG002 (the port's)
        """Refuse: raises `desk.not_here`."""
        raise NOT_HERE()

    def close(self) -> None:
        """Close the connections."""
        self._readers.dispose()


def fill(url: str, path: Path) -> None:
    """Bring a backup into an empty schema of the same name; all of it, or nothing. Raises `desk.unreached`, `desk.not_filled`."""
    command = [_program("pg_restore"), "--no-owner", "--exit-on-error", "--single-transaction"]
    there = _address(url)
    try:
        engine = _engine(there, 1)
        with engine.connect() as connection:
            schema = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
        engine.dispose()
    except (ImportError, SQLAlchemyError) as error:
        raise UNREACHED(url=there.render_as_string(), **why(error, "连接不上")) from error
    address, secret = _for_program(there)
    try:
        subprocess.run([*command, f"--schema={schema}", f"--dbname={address}", str(path)], check=True, capture_output=True, text=True, env=secret)  # noqa: S603 (no shell)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NOT_FILLED(**why(getattr(error, "stderr", "") or str(error), "pg_restore 没有完成")) from error


@contextlib.contextmanager
def _there(url: URL) -> Iterator[None]:
    """Say in words that the database is away, where a connection cannot be had or was lost; what else goes wrong stays what it is."""
    try:
        yield
    except OperationalError as error:
        if error.statement is None or error.connection_invalidated:
            raise UNREACHED(url=url.set(username=None, password=None).render_as_string(), **why(error, "没有应答")) from error
        raise


def _address(url: str) -> URL:
    """Read an address; raises `desk.unreached` where it is none."""
    try:
        return make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError) as error:
        raise UNREACHED(url=url.rpartition("@")[2], **why(error, "地址写错了")) from error


def _program(name: str) -> str:
    return shutil.which(name) or name


def _for_program(url: URL) -> tuple[str, dict[str, str] | None]:
    """Return an address without its password, which everyone on the machine could read on a command line, and where there is one the environment that holds it, and nothing else."""
    plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    return plain.render_as_string(), None if url.password is None else {"PGPASSWORD": str(url.password), "PATH": os.defpath}


def _fit(connection: Connection) -> None:
    """Refuse a database that is too old, or that acknowledges what is not on disk."""
    version, shown = connection.exec_driver_sql("SELECT current_setting('server_version_num')::int, current_setting('server_version')").one()
    if version < LEAST:
        raise TOO_OLD(found=shown, least=LEAST // 10_000)
    for setting in ("fsync", "synchronous_commit"):
        if (found := connection.exec_driver_sql(f"SELECT current_setting('{setting}')").scalar_one()) == "off":
            raise NOT_DURABLE(setting=setting, found=found)


def _engine(url: URL, connections: int) -> Engine:
    soon = {} if "connect_timeout" in url.query else {"connect_timeout": int(PATIENCE)}
    engine = create_engine(url, connect_args=soon, pool_size=connections, max_overflow=0, pool_timeout=30, pool_pre_ping=True, json_serializer=as_text)
    event.listen(engine, "connect", _write_down)
    return engine


def _write_down(driver: Any, _record: object) -> None:  # noqa: ANN401 (the driver's own connection)
    """Let no text fail for a NUL, which PostgreSQL's text cannot hold: it is written as the sign for it, U+2400."""
    from psycopg.types.string import StrDumperUnknown  # noqa: PLC0415 (an extra's)

    class Text(StrDumperUnknown):
        def dump(self, obj: str) -> Any:  # noqa: ANN401 (as the driver has it)
            return super().dump(obj.replace("\0", "\u2400"))

    driver.adapters.register_dumper(str, Text)


def _take(driver: Any, _record: object) -> None:  # noqa: ANN401 (the driver's own connection)
    """Take the schema's lock for as long as this connection lasts; an owner that was killed just now may hold it for a moment more."""
    until = time.monotonic() + PATIENCE
    while not driver.execute(f"SELECT pg_try_advisory_lock({LOCK}, hashtext(current_database() || '.' || current_schema()))").fetchone()[0]:
        driver.commit()
        if time.monotonic() > until:
            raise OWNED()
        time.sleep(0.1)
    driver.commit()
