"""The journal's port: the one place where what comes in is made durable, in one order, before it is acknowledged."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from zhongshu.kernel.reading import Readings


@dataclass(slots=True)
class Refused:
    """One bad row, whole: its place in the batch, the problem's code and particulars, and what was sent."""

    row: int
    code: str
    detail: dict[str, object]
    raw: str


@dataclass(slots=True)
class Batch:
    """What one sender handed over at once, decoded: good readings or requests, and the refused rows."""

    kind: str
    source: str
    batch: str
    digest: str
    mapping: str = ""
    readings: Readings | None = None
    documents: list[dict[str, Any]] = field(default_factory=list)
    entities: list[dict[str, Any]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    duplicates: int = 0
    accepted: int | None = None
    """How many of its readings were kept, where the group carries them together."""
    mends: tuple[int, ...] = ()
    """Ids of quarantined rows that this batch mends."""


def document_digest(document: dict[str, Any]) -> str:
    """Return the digest of a request's content: what its reader noted as `digest` (what was sent), else all its keys."""
    held = document.get("digest")
    return str(held) if held else hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a sender is told: counts, and the journal offset at which it is durable."""

    batch: str
    accepted: int
    quarantined: int
    duplicates: int
    offset: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal group as read back: its offset, kind, known time (µs) and content."""

    offset: int
    kind: str
    known: int
    readings: Readings | None = None
    table: pa.Table | None = None
    documents: tuple[dict[str, Any], ...] = ()


class Journal(Protocol):
    """Append returns only when the bytes are on disk. Kinds: `readings`, `requests`, `entities`."""

    def append(self, batches: list[Batch], known: int, readings: Readings | None = None) -> tuple[list[Receipt], list[Entry]]:
        """Make a group durable in one transaction; its readings (`readings`, if they were put together, and the batches' own) become one entry, with `known` (µs) as known time."""

    def seen(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, Receipt]]:
        """Return digest and receipt of those batches, named by (source, batch), that were taken in before and are remembered."""

    def digests(self, source: str, keys: list[str]) -> dict[str, str]:
        """Return, for the external ids of requests that are known, the digest of what was last taken in under them."""

    def read(self, after: int) -> Iterator[Entry]:
        """Yield the entries after an offset, in order."""

    def trim(self, upto: int) -> None:
        """Forget readings at or before an offset; only what the warehouse holds may be forgotten."""

    def head(self) -> int:
        """Return the last offset."""

    def counts(self) -> dict[str, dict[str, int]]:
        """Return {source: {accepted, quarantined, duplicates}}."""

    def quarantine(self, source: str, after: int, limit: int) -> list[dict[str, Any]]:
        """Return quarantined rows of a source, in order."""

    def refused(self, source: str, row: int) -> dict[str, Any] | None:
        """Return one quarantined row."""

    def late(self) -> list[Entry]:
        """Return, once, the entries of a group that was kept although its senders could not be told: the writer hands them on first."""

    def last_known(self) -> int:
        """Return the latest known time in it, µs."""
