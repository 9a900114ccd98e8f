"""What is told when something cannot be done: a code, a sentence and a remedy, in both languages.

A kind of problem is declared once, as a row beside its use; raising it fills in the particulars. Nothing here speaks HTTP.
"""

from dataclasses import dataclass, field
from typing import Literal

Sort = Literal["invalid", "unknown", "refused", "unsigned", "conflict", "too_large", "busy", "full", "unavailable", "unsupported", "foreign_media"]

SHOWN = 200
"""How much of a particular is shown."""
_KINDS: dict[str, "ProblemKind"] = {}


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One row: a stable code, what sort of trouble it is, and its sentence and remedy as format strings in zh and en."""

    code: str
    sort: Sort
    zh: str
    en: str
    remedy_zh: str
    remedy_en: str

    def __call__(self, **particulars: object) -> "Problem":
        """Return the problem with its particulars, ready to be raised or recorded."""
        return Problem(self, particulars)


def declare(code: str, sort: Sort, *, zh: tuple[str, str], en: tuple[str, str]) -> ProblemKind:
    """Declare a kind once; `zh` and `en` are (sentence, remedy). A code declared twice is a programming error."""
    if code in _KINDS:
        message = f"problem {code} is declared twice"
        raise ValueError(message)
    _KINDS[code] = kind = ProblemKind(code, sort, zh[0], en[0], zh[1], en[1])
    return kind


def kinds() -> dict[str, ProblemKind]:
    """Return every kind declared so far, by code."""
    return dict(_KINDS)


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 (the house's word is Problem)
    """A refusal that a person can act on."""

    kind: ProblemKind
    particulars: dict[str, object] = field(default_factory=dict)

    def sentence(self, language: str = "en") -> str:
        """Say what is wrong, in `zh` or `en`."""
        return _fill(self.kind.zh if language.startswith("zh") else self.kind.en, self.particulars)

    def remedy(self, language: str = "en") -> str:
        """Say what mends it, in `zh` or `en`."""
        return _fill(self.kind.remedy_zh if language.startswith("zh") else self.kind.remedy_en, self.particulars)

    def __str__(self) -> str:
        """Return code, sentence and remedy in one line."""
        return f"{self.kind.code}: {self.sentence()} {self.remedy()}"


def _fill(template: str, particulars: dict[str, object]) -> str:
    shown = {key: text if len(text := str(value)) <= SHOWN else text[:SHOWN] + "…" for key, value in particulars.items()}
    return template.format_map(_Blank(shown))


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"
