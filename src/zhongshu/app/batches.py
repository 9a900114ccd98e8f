"""A group of batches as bytes, from a process that takes them in to the one that owns the city: checked readings as Arrow, all else as MessagePack.

Knows no connection. What comes in is decoded by type and refused whole where it does not fit.
"""

import json
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.kernel.journal import Batch, Receipt, Refused
from zhongshu.kernel.problem import Problem, kinds
from zhongshu.kernel.reading import SCHEMA, Readings, from_table
from zhongshu.sense import Registry, from_document


class _Batch(msgspec.Struct, array_like=True):
    kind: str
    source: str
    batch: str
    digest: str
    mapping: str
    documents: bytes
    refused: list[tuple[int, str, str, str]]
    duplicates: int
    mends: list[int]


class _Group(msgspec.Struct, array_like=True):
    batches: list[_Batch]
    entities: bytes
    readings: bytes
    origin: bytes


class _Told(msgspec.Struct, array_like=True):
    receipt: tuple[str, int, int, int, int, bool] | None = None
    code: str = ""
    particulars: dict[str, str] = {}


def pack(batches: list[Batch], readings: Readings | None, origin: npt.NDArray[np.int64], entities: list[dict[str, Any]]) -> bytes:
    """Return a group as bytes; `origin`: the batch (by place) that each reading is of."""
    sink = pa.BufferOutputStream()
    readings = readings if readings is not None and len(readings) else None
    if readings is not None:
        table = readings.table()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    rows = [
        _Batch(
            b.kind,
            b.source,
            b.batch,
            b.digest,
            b.mapping,
            json.dumps(b.documents).encode(),
            [(q.row, q.code, json.dumps(q.detail, default=str), q.raw) for q in b.refused],
            b.duplicates,
            list(b.mends),
        )
        for b in batches
    ]
    return msgspec.msgpack.encode(_Group(rows, json.dumps(entities).encode(), bytes(sink.getvalue()) if readings is not None else b"", origin.astype(np.int32).tobytes()))


def unpack(content: bytes, registry: Registry) -> list[Batch]:
    """Register the entities a group brings, and return its batches, each with its own readings; raises ValueError where it is damaged."""
    held = msgspec.msgpack.decode(content, type=_Group)
    entities = json.loads(held.entities)
    for document in entities:
        registry.register(from_document(document))
    registry.unkept.add(entities)
    found = [
        Batch(
            b.kind,
            b.source,
            b.batch,
            b.digest,
            b.mapping,
            None,
            json.loads(b.documents),
            [],
            [Refused(r[0], r[1], json.loads(r[2]), r[3]) for r in b.refused],
            b.duplicates,
            None,
            tuple(b.mends),
        )
        for b in held.batches
    ]
    if held.readings:
        origin = np.frombuffer(held.origin, np.int32)
        table = pa.ipc.open_stream(held.readings).read_all().cast(SCHEMA)
        for name, words in (("entity", registry.entities), ("property", registry.properties)):
            if strangers := set(table[name].unique().to_pylist()) - words.numbers.keys():
                message = f"unknown {name}: {sorted(map(str, strangers))[:3]}"
                raise ValueError(message)
        (readings,) = from_table(table, registry.sources, registry.entities, registry.properties, registry.units)
        if len(origin) != len(readings) or origin.min() < 0 or origin.max() >= len(found):
            message = "the readings are not of these batches"
            raise ValueError(message)
        for i in np.unique(origin).tolist():
            found[i].readings = readings.select(origin == i)
    return found


def told(answers: list[Receipt | BaseException]) -> bytes:
    """Return what became of a group's batches as bytes."""
    return msgspec.msgpack.encode([_one(answer) for answer in answers])


def _one(answer: Receipt | BaseException) -> _Told:
    if isinstance(answer, Receipt):
        return _Told((answer.batch, answer.accepted, answer.quarantined, answer.duplicates, answer.offset, answer.repeated))
    if isinstance(answer, Problem):
        return _Told(None, answer.kind.code, {key: str(value) for key, value in answer.particulars.items()})
    return _Told()


def heard(content: bytes) -> list[Receipt | Problem | None]:
    """Read what became of a group's batches: a receipt, the owner's problem, or None where the owner broke off."""
    known = kinds()
    told_ = msgspec.msgpack.decode(content, type=list[_Told])
    return [Receipt(*one.receipt) if one.receipt is not None else known[one.code](**one.particulars) if one.code in known else None for one in told_]
