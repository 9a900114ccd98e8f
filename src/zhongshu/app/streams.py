"""Each stream's latest valid time, kept beside the city so that a start reads only what the warehouse got since, and not all it ever had.

A file of its own, made from what the journal's thread remembers and good up to the warehouse's offset of that moment. Without it, or where it does not fit, everything is read.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zhongshu.engines.ducklake import DuckLake
from zhongshu.engines.durable import sync_folder
from zhongshu.engines.parquet_files import write_rows
from zhongshu.sense import Once, Registry

FILE = "streams.parquet"
_LATEST = 'SELECT source, entity, property, max(valid) AS high FROM versions WHERE "offset" > $offset GROUP BY ALL'


class Latest(NamedTuple):
    """Streams' packed keys and latest valid times (µs), all that the warehouse holds up to an offset among them."""

    offset: int
    keys: np.ndarray[tuple[int], np.dtype[np.int64]]
    high: np.ndarray[tuple[int], np.dtype[np.int64]]


def latest(lake: DuckLake, once: Once) -> Latest:
    """Return what is remembered now. Called by the journal's thread, the only one that changes it."""
    return Latest(lake.offset(), *once.latest())


def keep_streams(folder: Path, registry: Registry, held: Latest) -> None:
    """Write the file, whole or as it was."""
    key, part = held.keys, folder / f"{FILE}.part"
    named = {
        "source": (key >> 48, registry.sources.names),
        "entity": (key >> 20 & (1 << 28) - 1, registry.entities.names),
        "property": (key & (1 << 20) - 1, registry.properties.names),
    }
    columns = {name: pa.DictionaryArray.from_arrays(pa.array(code.astype(np.int32)), pa.array(words, pa.string())) for name, (code, words) in named.items()}
    write_rows(pa.table({**columns, "high": pa.array(held.high), "offset": pa.array(np.full(len(key), held.offset))}), part)
    part.rename(folder / FILE)
    sync_folder(folder)


def recall_streams(folder: Path, lake: DuckLake) -> list[pa.Table]:
    """Return tables (source, entity, property, high) that together name every stream of warehouse and tail, later ones perhaps again with a later time."""
    tables, offset = [], -1
    try:
        table = pq.read_table(folder / FILE, read_dictionary=["source", "entity", "property"])
        kept = table["offset"][0].as_py() if len(table) else -1
        if 0 <= kept <= lake.offset():
            tables, offset = [table], kept
    except (OSError, ValueError, KeyError, pa.ArrowException):
        pass
    return [*tables, lake.query(_LATEST, {"offset": offset})]


def remember(tables: list[pa.Table], once: Once, registry: Registry) -> None:
    """Let the journal's thread know the streams again; those of entities or properties that are no longer known are left out."""
    for table in tables:
        keys, known = np.zeros(len(table), np.int64), np.ones(len(table), np.bool_)
        for name, words, shift in (("source", registry.sources, 48), ("entity", registry.entities, 20), ("property", registry.properties, 0)):
            column = table[name].combine_chunks()
            column = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
            number = [words.number(w) if name == "source" else words.numbers.get(w, -1) for w in column.dictionary.to_pylist()]
            code = np.array(number or [-1], np.int64)[np.asarray(column.indices)] if len(table) else keys
            known &= code >= 0
            keys |= np.maximum(code, 0) << shift
        if known.any():
            once.remember(keys[known], np.asarray(table["high"], np.int64)[known])
