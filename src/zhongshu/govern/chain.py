"""The ledger's chain: what a line's hash is taken of, and the check that finds any line changed, removed or reordered.

Whoever holds the lines can check them with this file's rule and an SM3 (GB/T 32905): nothing here is secret. It never writes.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from cryptography.hazmat.primitives.hashes import SM3, Hash
from sqlalchemy import Connection, text

from zhongshu.kernel.problem import Problem

GENESIS = "0" * 64
"""What the first line holds in place of the hash before it."""

FIELDS = ("seq", "at", "actor", "action", "kind", "subject", "detail", "prev")
_PAGE = 5_000
_HEAD = text("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1")
_ONE = text("SELECT seq, hash FROM ledger WHERE seq = :seq")
_LINK = text("SELECT seq, prev, hash FROM ledger WHERE seq > :after ORDER BY seq LIMIT 1")
_NEXT = text("SELECT seq FROM ledger WHERE seq > :after ORDER BY seq LIMIT 1")
_SOME = text("SELECT seq, at, actor, action, kind, subject, detail, prev, hash FROM ledger WHERE seq > :after ORDER BY seq LIMIT :limit")
_KIND = text("SELECT seq, at, actor, action, kind, subject, detail FROM ledger WHERE kind = :kind AND action <> 'read' ORDER BY seq DESC LIMIT :limit")
_DEEDS = text("SELECT seq, at, actor, action, kind, subject, detail FROM ledger WHERE seq > :after AND action NOT IN ('read', 'stream', 'intake') ORDER BY seq LIMIT :limit")

_SAID = {
    "changed": ("第 {seq} 行被改动：内容与其哈希不符。", "Line {seq} was changed: its content does not give its hash."),
    "broken": ("第 {seq} 行与前一行不相接。", "Line {seq} does not follow from the line before it."),
    "missing": ("第 {low} 至 {high} 行缺失。", "Lines {low} to {high} are missing."),
    "cut": ("末尾被截去：锚点记录到第 {seq} 行，台账只到第 {last} 行。", "The tail was cut: the anchor holds line {seq}, the ledger ends at line {last}."),
    "rewritten": ("第 {seq} 行与锚点不符：台账曾被整体改写。", "Line {seq} differs from the anchor: the ledger was written anew."),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the ledger: a line's number and its hash."""

    seq: int
    hash: str


START = Mark(0, GENESIS)


def sm3(data: bytes) -> str:
    """Return the SM3 of bytes in 64 hex digits."""
    state = Hash(SM3())
    state.update(data)
    return state.finalize().hex()


def canonical(row: Mapping[str, Any]) -> str:
    """Write JSON with sorted keys and without spaces."""
    return json.dumps(dict(row), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def line_hash(row: Mapping[str, Any]) -> str:
    """Return the hash of a line: the SM3 of its fields but the hash, canonical, in UTF-8. `detail` is taken as the text it is."""
    return sm3(canonical({name: row[name] for name in FIELDS}).encode())


def head(conn: Connection) -> Mark:
    """Return the last line's place; `START` if there is none."""
    found = conn.execute(_HEAD).first()
    return Mark(found[0], found[1]) if found else START


def mark_at(conn: Connection, seq: int) -> Mark | None:
    """Return the place of a line, or None if it is not there."""
    found = conn.execute(_ONE, {"seq": seq}).first()
    return Mark(found[0], found[1]) if found else None


def lines(conn: Connection, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    """Return lines after a number, in order; `detail` is canonical JSON text, so that a reader can take the hash himself."""
    return [dict(row) for row in conn.execute(_SOME, {"after": after, "limit": limit}).mappings()]


def lines_of(conn: Connection, kind: str, limit: int) -> list[dict[str, Any]]:
    """Return the last deeds of a kind, the newest first; looks at it are left out, or whoever watches would push out what was done."""
    return [dict(row) for row in conn.execute(_KIND, {"kind": kind, "limit": limit}).mappings()]


def deeds_since(conn: Connection, after: int, until: int, limit: int) -> list[dict[str, Any]]:
    """Return what was done after a line and not after a time (µs), in order; what was only looked at or taken in is left out."""
    return [dict(row) for row in takewhile(lambda row: row["at"] <= until, conn.execute(_DEEDS, {"after": after, "limit": limit}).mappings())]


def verify(conn: Connection, mark: Mark | None = None, language: str = "en") -> list[str]:
    """Read the whole ledger and return what is wrong, a sentence each; `mark` is where an anchor says it had come to."""
    wrong = [_say(code, language, **particulars) for code, particulars in _breaks(conn)]
    if mark is None or mark == START:
        return wrong
    if (last := head(conn)).seq < mark.seq:
        wrong.append(_say("cut", language, seq=mark.seq, last=last.seq))
    elif mark_at(conn, mark.seq) != mark:
        wrong.append(_say("rewritten", language, seq=mark.seq))
    return wrong


def _breaks(conn: Connection) -> Iterator[tuple[str, dict[str, int]]]:
    last = START
    low = -(2**63)
    while page := _page(conn, low):
        for row in page:
            seq = row["seq"]
            if seq > last.seq + 1:
                yield "missing", {"low": last.seq + 1, "high": seq - 1}
            if seq < 1 or row["prev"] != last.hash:
                yield "broken", {"seq": seq}
            if not _whole(row):
                yield "changed", {"seq": seq}
            last = Mark(seq, row["hash"])
        low = last.seq


def _page(conn: Connection, low: int) -> list[dict[str, Any]]:
    """Return the next lines. Where the store cannot read one among them they come one by one, and that one with as much of it as can be read."""
    for limit in (_PAGE, 1):
        with suppress(Problem):
            return lines(conn, low, limit)
    for part in (_LINK, _NEXT):
        with suppress(Problem):
            return [dict.fromkeys((*FIELDS, "hash")) | dict(row) for row in conn.execute(part, {"after": low}).mappings()]
    return []


def _whole(row: Mapping[str, Any]) -> bool:
    """Tell whether a line gives its hash; a value of another type than was written does not."""
    numbers, words = FIELDS[:2], (*FIELDS[2:], "hash")
    if not all(type(row[name]) is int for name in numbers) or not all(type(row[name]) is str for name in words):
        return False
    try:
        return line_hash(row) == str(row["hash"])
    except UnicodeEncodeError:  # a lone surrogate cannot have been written by us
        return False


def _say(code: str, language: str, **particulars: int) -> str:
    zh, en = _SAID[code]
    return (zh if language.startswith("zh") else en).format(**particulars)
