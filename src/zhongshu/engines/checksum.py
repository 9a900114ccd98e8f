"""One order-independent checksum over readings, the same in numpy and in SQL: a sum of per-row products modulo 2^64.

Each row gives the product of two linear forms over all its columns, so that a value moved from one row to another shows.
"""

import functools
import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.kernel.reading import SCHEMA

FORM = 1
"""The version of this form; a manifest line names it."""


@functools.cache
def _odd(name: str) -> tuple[np.uint64, np.uint64]:
    """Return a column's two factors, odd."""
    left, right = (np.uint64(int.from_bytes(hashlib.sha256(f"zhongshu {name} {side}".encode()).digest()[:8]) | 1) for side in (0, 1))
    return left, right


def checksum(table: pa.Table, schema: pa.Schema = SCHEMA) -> int:
    """Return the checksum of a table of readings, or of another schema's rows; 0 for none."""
    with np.errstate(over="ignore"):
        return int(products(table, schema).sum(dtype=np.uint64))


def products(table: pa.Table, schema: pa.Schema = SCHEMA) -> npt.NDArray[np.uint64]:
    """Return each row's part of the checksum: whatever the order and the grouping, the parts of the same rows have the same sum."""
    n = len(table)
    left, right = np.full(n, 1, np.uint64), np.full(n, 1, np.uint64)
    with np.errstate(over="ignore"):
        for column in schema:
            values, (one, other) = _column(table[column.name].combine_chunks()), _odd(column.name)
            left += values * one
            right += values * other
        return left * right


def _column(column: pa.Array) -> npt.NDArray[np.uint64]:
    """Return a column as unsigned integers: texts by the hash of their bytes, doubles by their bits, null as all ones."""
    if pa.types.is_string(column.type):
        column = column.dictionary_encode()
    if pa.types.is_dictionary(column.type):
        words = np.array([int.from_bytes(hashlib.md5(w.encode()).digest()[8:], "little") for w in column.dictionary.to_pylist()] or [0], np.uint64)  # noqa: S324 (no secret)
        codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return np.where(codes < 0, np.uint64(2**64 - 1), words[np.maximum(codes, 0)])
    missing = column.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_floating(column.type):
        values = column.fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64)
    else:
        values = column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
    return np.where(missing, np.uint64(2**64 - 1), values)
