"""The warehouse's Parquet files as files: written so that they last, told apart by month, and read through to see whether they are whole."""

import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from zhongshu.engines.checksum import products
from zhongshu.engines.durable import sync_folder
from zhongshu.kernel.reading import SCHEMA


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a file that lasts. The same readings give the same bytes."""
    write_rows(_sorted(table), path)


def write_rows(table: pa.Table, path: Path) -> None:
    """Write a file that lasts, its rows in the order in which they are given."""
    with path.open("wb") as file:
        pq.write_table(table, file, compression="zstd", store_schema=False)
        file.flush()
        os.fsync(file.fileno())


def by_month(table: pa.Table) -> list[tuple[str, pa.Table]]:
    """Split by the month of valid time (UTC)."""
    months = np.asarray(table["valid"]).astype("datetime64[us]").astype("datetime64[M]")
    return [(str(month), table.filter(pa.array(months == month))) for month in np.unique(months)]


def _sorted(table: pa.Table) -> pa.Table:
    """Sort by (property, area, valid), so that one property's places lie together."""
    words = table["property"].combine_chunks()
    rank = np.argsort(np.argsort(np.array(words.dictionary.to_pylist())))
    order = np.lexsort((np.asarray(table["valid"]), np.asarray(table["area"]), rank[np.asarray(words.indices)]))
    return table.take(pa.array(order))


def crc(path: str | Path) -> int:
    """Return a file's CRC-32."""
    held = 0
    with Path(path).open("rb") as file:
        while part := file.read(2**20):
            held = zlib.crc32(part, held)
    return held


def sums(
    files: list[str], home: Path, ends: npt.NDArray[np.int64], schema: pa.Schema = SCHEMA, crcs: Mapping[str, int] | None = None
) -> tuple[list[str], dict[int, tuple[int, int, tuple[str, ...]]]]:
    """Read files whole; return which cannot be, and per commit (by place in `ends`): how many readings, their checksum, and the files that hold them.

    `crcs`: what is known of files by name. One with another CRC counts as unreadable: its values may be whole, and what says where they lie not, which readers trust.
    """
    wrong: list[str] = []
    count, total = np.zeros(len(ends) + 1, np.int64), np.zeros(len(ends) + 1, np.uint64)
    places: dict[int, list[str]] = {}
    for path in files:
        name = str(Path(path).relative_to(home)) if Path(path).is_relative_to(home) else path
        try:
            _need_crc(path, (crcs or {}).get(name))
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=schema.names):
                    table = pa.Table.from_batches([batch])
                    at = np.searchsorted(ends, np.asarray(table["offset"]))
                    np.add.at(total, at, products(table, schema))
                    count += np.bincount(at, minlength=len(count))
                    for i in np.unique(at).tolist():
                        if name not in places.setdefault(i, []):
                            places[i].append(name)
        except Exception as error:  # noqa: BLE001 (damaged bytes make a reader say anything)
            wrong.append(f"lake: {name} cannot be read: {next(iter(str(error).splitlines()), type(error).__name__)}")
    if count[-1]:
        wrong.append(f"lake: {count[-1]} rows of no commit, in {', '.join(places[len(ends)])}")
    return wrong, {i: (int(count[i]), int(total[i]), tuple(places.get(i, ()))) for i in range(len(ends))}


def _need_crc(path: str, known: int | None) -> None:
    """Raise ValueError where a file is not, byte for byte, what was written; one of which that is not known is let pass."""
    if known is not None and crc(path) != known:
        message = "its bytes are not those that were written"
        raise ValueError(message)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file that is there whole, or as it was before."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    sync_folder(path.parent)
