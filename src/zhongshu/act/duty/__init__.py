"""The duty tables: dated rows, each with its source, of what classes there are, whose duty they are, within which limits and how they are checked.

Packs bring rows, a city its own, which stand before them. What held on a day is found by its date.
"""

from zhongshu.act.duty.catalogue import bring_in, classes, figure, guess, kinds, leads, load, names_unit, row_for, rows, suggest, unit_names, units
from zhongshu.act.duty.kinds import KINDS, SHARES, SUPERVISIONS
from zhongshu.act.duty.load import STREET, on_list
from zhongshu.act.duty.pages import Book, Row, book
from zhongshu.act.duty.rota import Limit, limit_of, moved, term

__all__ = [
    "KINDS",
    "SHARES",
    "STREET",
    "SUPERVISIONS",
    "Book",
    "Limit",
    "Row",
    "book",
    "bring_in",
    "classes",
    "figure",
    "guess",
    "kinds",
    "leads",
    "limit_of",
    "load",
    "moved",
    "names_unit",
    "on_list",
    "row_for",
    "rows",
    "suggest",
    "term",
    "unit_names",
    "units",
]
