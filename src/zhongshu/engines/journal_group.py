"""A journal's group as rows: what is made durable together, whatever keeps it. Readings travel as Arrow IPC, requests and entities as JSON lines.

Knows no store. A group is bytes too (`pack`, `unpack`), for a journal that keeps it elsewhere than its index.
"""

import json
import time
import zlib
from typing import Any

import msgspec
import pyarrow as pa

from zhongshu.kernel.journal import Batch, Entry, Receipt, document_digest
from zhongshu.kernel.reading import Readings, join


class Group(msgspec.Struct, array_like=True):
    """What one append makes durable: rows for every table of an index, in the order of its columns.

    entries: (offset, kind, known, count, payload); batches: (source, batch, digest, offset, accepted, quarantined, duplicates, known, mapping, taken);
    counts: (source, accepted, quarantined, duplicates, known); refused: (source, batch, line, code, detail, raw, known, mapping); keys: (source, id, digest);
    mended: (known, id of a quarantined row). known in µs, taken in seconds of the wall.
    """

    entries: list[tuple[int, str, int, int, bytes | None]]
    batches: list[tuple[str, str, str, int, int, int, int, int, str, int]]
    counts: list[tuple[str, int, int, int, int]]
    refused: list[tuple[str, str, int, str, str, str, int, str]]
    keys: list[tuple[str, str, str]]
    mended: list[tuple[int, int]]


def group(batches: list[Batch], known: int, readings: Readings | None, head: int) -> tuple[Group, list[Receipt], list[Entry]]:
    """Put together what follows offset `head`: the group, each batch's receipt, and the entries in their order."""
    entries = _entries(batches, known, readings, head)
    last = entries[-1].offset if entries else head
    receipts = [Receipt(b.batch, (b.accepted or 0) + (len(b.readings) if b.readings is not None else 0) + len(b.documents), len(b.refused), b.duplicates, last) for b in batches]
    both, now = list(zip(batches, receipts, strict=True)), int(time.time())
    return (
        Group(
            [(e.offset, e.kind, known, len(e.table) if e.table is not None else len(e.documents), payload(e)) for e in entries],
            [(b.source, b.batch, b.digest, r.offset, r.accepted, r.quarantined, r.duplicates, known, b.mapping, now) for b, r in both],
            [(source, *sums, known) for source, sums in _sums(both).items()],
            [(b.source, b.batch, q.row, q.code, json.dumps(q.detail, default=str, ensure_ascii=False), q.raw, known, b.mapping) for b in batches for q in b.refused],
            [(b.source, d["id"], document_digest(d)) for b in batches for d in b.documents],
            [(known, row) for b in batches for row in b.mends],
        ),
        receipts,
        entries,
    )


def _entries(batches: list[Batch], known: int, readings: Readings | None, head: int) -> list[Entry]:
    found: list[Entry] = []
    groups = [r for r in (readings, *(b.readings for b in batches)) if r is not None and len(r)]
    if entities := [d for b in batches for d in b.entities]:
        found.append(Entry(head + 1, "entities", known, documents=tuple(entities)))
    if groups:
        joined = join(groups)
        joined.offset, joined.known = head + len(found) + 1, known
        found.append(Entry(joined.offset, "readings", known, joined, joined.table()))
    if requests := [{**d, "source": b.source} for b in batches for d in b.documents]:
        found.append(Entry(head + len(found) + 1, "requests", known, documents=tuple(requests)))
    return found


def _sums(both: list[tuple[Batch, Receipt]]) -> dict[str, tuple[int, int, int]]:
    """Return accepted, quarantined and duplicates of a group by source."""
    sums: dict[str, tuple[int, int, int]] = {}
    for b, r in both:
        accepted, quarantined, duplicates = sums.get(b.source, (0, 0, 0))
        sums[b.source] = accepted + r.accepted, quarantined + r.quarantined, duplicates + r.duplicates
    return sums


def payload(entry: Entry) -> bytes:
    """Return an entry's content as bytes."""
    if entry.table is None:
        return "\n".join(json.dumps(d, ensure_ascii=False) for d in entry.documents).encode()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, entry.table.schema) as writer:
        writer.write_table(entry.table)
    return bytes(sink.getvalue())


def entry(offset: int, kind: str, known: int, content: bytes) -> Entry:
    """Read an entry's content back; raises ArrowException or ValueError where it is damaged."""
    if kind == "readings":
        return Entry(offset, kind, known, table=pa.ipc.open_stream(content).read_all())
    return Entry(offset, kind, known, documents=tuple(json.loads(line) for line in content.decode().split("\n")))


def seal(offset: int, kind: str, known: int, count: int, content: bytes | None) -> int:
    """Return the CRC-32 of an entry as a file keeps it. Content that damage made something else than bytes gives another."""
    return zlib.crc32(content if isinstance(content, bytes) else b"", zlib.crc32(f"{offset} {kind} {known} {count} ".encode()))


def fault(offset: int, kind: str, count: int, content: bytes | None, *, whole: bool = True) -> str | None:
    """Say what is wrong with an entry, None where nothing is; `whole`: it is as it was sealed."""
    if content is None:
        return f"entry {offset} is gone"
    if not whole:
        return f"entry {offset} is not as it was written"
    try:
        read = entry(offset, kind, 0, content)
    except (pa.ArrowException, ValueError) as error:
        return f"entry {offset} cannot be read: {str(error).splitlines()[0]}"
    held = len(read.table) if read.table is not None else len(read.documents)
    return None if held == count else f"entry {offset} holds {held} of {count}"


def between(entries: "list[Entry]", first: int, last: int) -> pa.Table | None:
    """Return the readings of entries from one offset to another, as they came; None where any of them is missing."""
    if {e.offset for e in entries} != set(range(first, last + 1)):
        return None
    tables = [e.table for e in entries if e.table is not None]
    return pa.concat_tables(tables).unify_dictionaries() if tables else None


def pack(held: Group) -> bytes:
    """Return a group as bytes (MessagePack)."""
    return msgspec.msgpack.encode(held)


def unpack(content: bytes) -> Group:
    """Read a group back; raises ValueError where it is damaged."""
    return msgspec.msgpack.decode(content, type=Group)


def refused(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a quarantined row (id, batch, line, code, detail, raw, known, mended) by name."""
    keys = ("id", "batch", "row", "code", "detail", "raw", "known", "mended")
    return dict(zip(keys, row, strict=True)) | {"detail": json.loads(row[4])}
