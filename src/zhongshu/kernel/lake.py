"""The warehouse's port: what was acknowledged, for ever, in columns; and one reader that joins it with what is not there yet."""

from typing import Any, Protocol

import pyarrow as pa


class Lake(Protocol):
    """Holds readings up to an offset; the owner also shows it the tail beyond, so that every read sees all that was acknowledged."""

    def commit(self) -> int:
        """Write the tail to the warehouse and return the offset it now holds."""
        ...

    def offset(self) -> int:
        """Return the offset up to which the warehouse holds everything."""
        ...

    def show(self, table: pa.Table, offset: int) -> None:
        """Add an appended group to the tail that readers see."""
        ...

    def query(self, sql: str, parameters: dict[str, Any] | None = None, tables: dict[str, pa.Table] | None = None) -> pa.Table:
        """Answer SQL in which `readings` is lake ∪ tail, each key once, latest known wins; other tables may be lent by name."""
        ...

    def merge(self) -> int:
        """Join small files into sorted larger ones, a slice at a time; return how many files went."""
        ...

    def verify(self) -> list[str]:
        """Read every column against the manifest and return what is not whole, one sentence each."""
        ...
