"""The desk's port: cases, registry, sessions and the ledger, in one transactional store with one writer."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Desk(Protocol):
    """`work` receives a SQLAlchemy Core connection. Writes run one after the other, each in a savepoint, several in one commit.

    What work keeps in the connection's `info` is remembered until that work is done, and no longer.
    """

    def submit(self, work: Callable[[Any], T]) -> "Future[T]":
        """Queue a write; the future is done when it is durable, or holds the exception that undid it alone."""
        ...

    def write(self, work: Callable[[Any], T]) -> T:
        """Queue a write and wait for it."""
        ...

    def read(self, work: Callable[[Any], T]) -> T:
        """Run a read on a connection of its own."""
        ...

    def waiting(self) -> int:
        """Return how many writes wait."""
        ...

    def verify(self) -> list[str]:
        """Read everything there is and return what is not whole."""
        ...

    def backup(self, path: str) -> None:
        """Copy the store to a file while it is in use."""
        ...

    def close(self) -> None:
        """Finish what is queued and close."""
        ...
