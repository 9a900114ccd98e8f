"""The warehouse's SQL answered on Spark: the same text, over the same files and the tail beyond them, as of one moment.

What the two dialects say differently is turned by sqlglot and by the rows of `REWRITES`. Only whole numbers come back, and one that does not
fit is an error. It knows no indicator, and writes nothing.
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp

from zhongshu.engines.ducklake import Held
from zhongshu.engines.record_views import readings, versions
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reading import SCHEMA
from zhongshu.kernel.reason import why

MISSING = declare(
    "spark.missing",
    "unavailable",
    zh=("这台机器上起不来 Spark：{why_zh}。", "请安装 `pip install zhongshu[spark]` 和 Java 17（Debian 包 openjdk-17-jre-headless），再试一次。"),
    en=("Spark does not start on this machine: {why_en}.", "Install `pip install zhongshu[spark]` and Java 17 (Debian's openjdk-17-jre-headless), then try again."),
)
UNREACHED = declare(
    "spark.unreached",
    "unavailable",
    zh=("Spark 集群 {address} 没有应答：{why_zh}。", "请检查地址，以及主节点和工作节点是否在运行；同样的命令会从停下的地方接着做。"),
    en=("The Spark cluster {address} does not answer: {why_en}.", "Check the address, and that a master and a worker run; the same command goes on where it stopped."),
)
FAILED = declare(
    "spark.failed",
    "unavailable",
    zh=("Spark 没有算成：{why_zh}。", "请看 Spark 的日志；也可以不加 --engine spark，用本机的 DuckDB 计算。"),
    en=("Spark could not compute it: {why_en}.", "See Spark's log; without --engine spark, DuckDB computes it on this machine."),
)

REWRITES: dict[str, Callable[..., exp.Expression]] = {
    "ROUND_EVEN": lambda number, _: exp.Anonymous(this="RINT", expressions=[number]),  # to the even neighbour, exactly, as IEEE 754 has it
}
"""What sqlglot leaves as it is though Spark has another word for it."""
PATIENCE = 30.0
"""So many seconds a cluster may be without any worker before it counts as lost."""
_SQL_TYPES = {"int64": "BIGINT", "int32": "INT", "double": "DOUBLE"}
_COLUMNS = ", ".join(f"`{f.name}` {'STRING' if pa.types.is_dictionary(f.type) else _SQL_TYPES[str(f.type)]}" for f in SCHEMA)


def to_spark(sql: str) -> str:
    """Return a text in Spark's dialect."""
    tree = sqlglot.parse_one(sql, read="duckdb")
    for node in list(tree.find_all(exp.Anonymous)):
        if rewrite := REWRITES.get(str(node.this).upper()):
            node.replace(rewrite(*node.expressions))
    return tree.sql(dialect="spark")


class Spark:
    """One record at one moment, asked on a cluster. One thread at a time asks."""

    def __init__(self, address: str, held: Held, host: str = "127.0.0.1") -> None:
        """Reach `spark://host:port`, or start `local[n]` here; `host` is what workers reach this process by. Raises `spark.missing`, `spark.unreached`."""
        self.address, self._held, self._host = address, held, host
        self._lent: dict[str, pa.Table] = {}
        self._known: tuple[int | None] | None = None
        self._far = address.startswith("spark://")
        if self._far:
            self._knock()
        self._session = self._open()
        try:
            self._wait_for_workers()
            files = self._session.read.schema(_COLUMNS)
            lake = files.parquet(*held.files) if held.files else self._session.createDataFrame(SCHEMA.empty_table())
            lake.createOrReplaceTempView("lake")
            self._lend({"tail": held.tail, "revised": held.revised})
        except BaseException:
            self.close()
            raise

    def _knock(self) -> None:
        """See whether anybody listens, before Spark would try for a minute."""
        host, _, port = self.address.removeprefix("spark://").partition(",")[0].rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except (OSError, ValueError) as error:
            raise UNREACHED(address=self.address, **why(error, "连不上")) from error

    def _open(self) -> Any:  # noqa: ANN401 (a SparkSession)
        try:
            from pyspark.errors import PySparkException  # noqa: PLC0415 (an extra's)
            from pyspark.sql import SparkSession  # noqa: PLC0415 (an extra's)
        except ImportError as error:
            raise MISSING(**why(error, "没有安装 pyspark")) from error
        logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL + 1)
        builder = SparkSession.builder.master(self.address).appName("zhongshu")
        for name, value in self._settings().items():
            builder = builder.config(name, value)
        try:
            return builder.getOrCreate()
        except PySparkException as error:
            raise MISSING(**why(error, "没有 Java，或版本太旧")) from error
        except Exception as error:  # Py4J has many
            raise UNREACHED(address=self.address, **why(error, "它没有接受我们")) from error

    def _settings(self) -> dict[str, str]:
        return {
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.ansi.enabled": "true",  # a number that does not fit is an error, never another number
            "spark.sql.caseSensitive": "true",
            "spark.sql.shuffle.partitions": "16",
            "spark.sql.execution.arrow.pyspark.enabled": "true",
            "spark.driver.host": self._host,
            "spark.driver.bindAddress": self._host,
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "OFF",
        }

    def _lend(self, tables: dict[str, pa.Table]) -> None:
        """Make tables known by their names; one that was lent already is not sent again."""
        for name, table in tables.items():
            if self._lent.get(name) is not table:
                self._session.createDataFrame(table).createOrReplaceTempView(name)
                self._lent[name] = table

    def query(self, sql: str, tables: dict[str, pa.Table] | None = None, known: int | None = None) -> pa.Table:
        """Answer SQL over `readings`, `versions` and the lent tables, as the warehouse does. Raises `spark.unreached`, `spark.failed`."""
        with self._watched():
            self._lend(tables or {})
            if self._known != (known,):
                for name, text in (("versions", versions("lake", known, replay=self._held.replay)), ("readings", readings(revised=len(self._held.revised) > 0))):
                    self._session.sql(to_spark(text)).createOrReplaceTempView(name)
                self._known = (known,)
            table: pa.Table = self._session.sql(to_spark(sql)).toArrow()
            return table

    def _workers(self) -> int:
        """Return how many executors there are; the driver counts as one of those that Spark tells of."""
        return len(self._session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()) - 1  # noqa: SLF001 (the Python side has no name for it)

    def _wait_for_workers(self) -> None:
        until = time.monotonic() + PATIENCE
        while self._far and self._workers() < 1:
            if time.monotonic() > until:
                raise UNREACHED(address=self.address, why_zh="没有工作节点接活", why_en="no worker takes work")
            time.sleep(0.2)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Give up a query whose cluster has no worker left, which Spark itself would wait for without end; say in our words what went wrong."""
        done, lost = threading.Event(), threading.Event()

        def look() -> None:
            seen = time.monotonic()
            with contextlib.suppress(Exception):  # a process that is gone cannot be asked; the query itself will say so
                while not done.wait(1.0):
                    if self._workers() > 0:
                        seen = time.monotonic()
                    elif time.monotonic() - seen > PATIENCE:
                        lost.set()
                        self._session.sparkContext.cancelAllJobs()

        watcher = threading.Thread(target=look, name="spark-watch", daemon=True)
        if self._far:
            watcher.start()
        try:
            yield
        except Exception as error:  # Py4J and PySpark have many, and a lost connection may look like any
            if lost.is_set() or not self._alive():
                raise UNREACHED(address=self.address, why_zh="工作节点都不见了", why_en="its workers are gone") from error
            raise FAILED(**why(error, "它报告了错误")) from error
        finally:
            done.set()
            if self._far:
                watcher.join()

    def _alive(self) -> bool:
        try:
            return not self._session.sparkContext._jsc.sc().isStopped()  # noqa: SLF001 (the Python side has no name for it)
        except Exception:  # noqa: BLE001 (whatever it is: nobody answers)
            return False

    def close(self) -> None:
        """Leave the cluster, and end the Java process that spoke for us."""
        from pyspark import SparkContext  # noqa: PLC0415 (an extra's)

        with contextlib.suppress(Exception):  # a process that is gone already cannot be asked to stop
            self._session.stop()
        gateway = SparkContext._gateway  # noqa: SLF001 (pyspark keeps it for the life of the program)
        SparkContext._gateway = SparkContext._jvm = None  # noqa: SLF001
        if gateway is not None:
            gateway.shutdown()
            if (process := getattr(gateway, "proc", None)) is not None:
                process.stdin.close()
                process.wait()
