"""What an importer says in the end: what was taken, what was guessed, and what was refused, in both languages. Knows no format."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Said:
    """One line of a report, in both languages."""

    zh: str
    en: str


@dataclass(slots=True)
class Report:
    """How many objects of each kind were taken, what was guessed, and what was left out, with the reason."""

    taken: dict[str, int] = field(default_factory=dict)
    guessed: list[Said] = field(default_factory=list)
    refused: list[Said] = field(default_factory=list)

    def take(self, kind: str, count: int = 1) -> None:
        """Count what was taken."""
        self.taken[kind] = self.taken.get(kind, 0) + count

    def guess(self, zh: str, en: str) -> None:
        """Say what the file did not."""
        self.guessed.append(Said(zh, en))

    def refuse(self, zh: str, en: str) -> None:
        """Say what was left out."""
        self.refused.append(Said(zh, en))
