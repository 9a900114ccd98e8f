"""Duty tables in memory: a city's files read, compared and held as its desk does it, with no desk."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from zhongshu.act.duty.kinds import KINDS
from zhongshu.act.duty.load import compare
from zhongshu.act.duty.pages import Book, Row
from zhongshu.act.duty.sheets import read

ZONE = ZoneInfo("Asia/Shanghai")


def hold(held: Book, source: str, rows: list[Row]) -> Book:
    """Return the book with the rows of a source that is new to it, which may contradict neither themselves nor it."""
    folded = {kind: {key: list(of) for key, of in keys.items()} for kind, keys in held.rows.items()}
    for kind in {row.kind for row in rows}:
        for row in compare(held, KINDS[kind], source, [row for row in rows if row.kind == kind], 0, ZONE).new:
            folded[kind].setdefault(row.key, []).append(replace(row, line=0))
    return Book(folded)


def bring(held: Book, kind: str, text: str, source: str = "the city") -> Book:
    """Return the book with a file brought in whose source is new to it."""
    return hold(held, source, read(KINDS[kind], source, text.encode(), ZONE))


def known(*classes: str) -> Book:
    """Return a book that knows these classes, and nothing else."""
    lines = (f"{class_},{class_},{class_},示例,1970-01-01\n" for class_ in classes)
    return bring(Book({kind: {} for kind in KINDS}), "classes", "class,zh,en,basis,valid_from\n" + "".join(lines), "classes")
