"""How the survey's files are read and written: whole or not at all, and the same bytes from the same content.

It must never know what the tables mean.
"""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why

CRS = "EPSG:4490"

NOT_SURVEYED = declare(
    "survey.missing",
    "unavailable",
    zh=("城市目录里没有 {name}。", "请先用 zhongshu city make 生成城市，或用 zhongshu city import 导入城市。"),
    en=("The city's folder has no {name}.", "Make a city first (zhongshu city make) or import one (zhongshu city import)."),
)
FOREIGN_FILE = declare(
    "survey.foreign_file",
    "unsupported",
    zh=("{name} 读不了：{why_zh}。", "请从备份恢复这个文件，或重新生成、导入城市。"),
    en=("{name} cannot be read: {why_en}.", "Restore the file from a backup, or make or import the city again."),
)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, fsync it and move it there, so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file (zstd) whole."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=1 << 20)
    write_whole(path, sink.getvalue().to_pybytes())


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a Parquet file that must have a schema's columns; a missing or foreign file is a Problem."""
    if not path.is_file():
        raise NOT_SURVEYED(name=path.name)
    try:
        table = pq.read_table(path, columns=schema.names, partitioning=None)
        return table.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, ValueError) as error:
        raise FOREIGN_FILE(name=path.name, **why(error)) from error
