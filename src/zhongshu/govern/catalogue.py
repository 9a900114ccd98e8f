"""The grade of what is kept, by kind and name: 1 public, 2 within the administration, 3 personal or sensitive, 4 core (GB/T 43697).

A name without a row is of grade 1. It must never know who asks: that is the guard's.
"""

from collections.abc import Iterable
from dataclasses import dataclass

PUBLIC, INTERNAL, SENSITIVE, CORE = GRADES = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Grading:
    """One row: a field, a type or a property of a kind, its grade, and what the grade rests on."""

    kind: str
    name: str
    grade: int
    basis: str


_PERSONAL = "GB/T 43697—2024, personal information"
_RAW = "ungraded text as it was sent may hold personal information"

BUILT_IN = (
    *(
        Grading(kind, name, SENSITIVE, _PERSONAL)
        for kind in ("case", "request", "lead", "evidence")
        for name in ("reporter", "reporter_id", "reporter_name", "reporter_phone", "caller", "phone", "contact", "id_number", "home")
    ),
    Grading("case", "person", INTERNAL, "who works on what"),
    *(Grading("evidence", name, SENSITIVE, _PERSONAL) for name in ("gps", "exif")),
    Grading("request", "text", SENSITIVE, _RAW),
    *(Grading("quarantine", name, SENSITIVE, _RAW) for name in ("raw",)),
    *(Grading("user", name, SENSITIVE, _PERSONAL) for name in ("account", "name_zh", "name_en", "phone")),
    *(Grading("ledger", name, INTERNAL, "who worked on what") for name in ("actor", "subject")),
)


class Catalogue:
    """The gradings in force; made once, never changed. `with_rows` makes a new one, in which a later row replaces an earlier."""

    def __init__(self, rows: Iterable[Grading] = BUILT_IN) -> None:
        """Take the rows; a grade outside 1 to 4 is a programming error (ValueError)."""
        self.rows = tuple(rows)
        self._grades = {(row.kind, row.name): row.grade for row in self.rows}
        if any(grade not in GRADES for grade in self._grades.values()):
            message = "a grade is 1, 2, 3 or 4"
            raise ValueError(message)

    def with_rows(self, rows: Iterable[Grading]) -> "Catalogue":
        """Return a catalogue with more rows."""
        return Catalogue((*self.rows, *rows))

    def grade(self, kind: str, name: str) -> int:
        """Return the grade of a field, type or property of a kind."""
        return self._grades.get((kind, name), PUBLIC)

    def hidden(self, kind: str, ceiling: int) -> frozenset[str]:
        """Return the names of a kind that are graded above the ceiling."""
        return frozenset(name for (of, name), grade in self._grades.items() if of == kind and grade > ceiling)
