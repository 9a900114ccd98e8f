"""The bus's port: what has just changed, for whoever watches. It carries news, not truth: a listener who missed some asks the record."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class News:
    """Something changed: its kind (vital, finding, lead, case, clock …), the area it concerns, and the document to show."""

    kind: str
    area: int
    body: dict[str, Any]
    grade: int = 1


class Bus(Protocol):
    """In process, or a server between machines."""

    def publish(self, news: News) -> None:
        """Tell every listener, without waiting for them."""
        ...

    def subscribe(self, listener: Callable[[News], None]) -> Callable[[], None]:
        """Add a listener, called in the publisher's thread; returns how to remove it."""
        ...
