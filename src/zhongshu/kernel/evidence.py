"""The port for evidence: photographs and papers, kept by the hash of their bytes and durable before the step that names them."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Evidence:
    """A kept file: its sha256, content type and size in bytes; and what its camera wrote into it, which proves nothing by itself.

    `taken`: ISO 8601, with its offset where the camera gave one, else the wall clock of where it was; '' if unknown. `lon`, `lat`: degrees.
    """

    sha256: str
    content_type: str
    size: int
    taken: str = ""
    lon: float | None = None
    lat: float | None = None


class EvidenceStore(Protocol):
    """Content-addressed, append-only."""

    def put(self, content: bytes, size: int = 0) -> Evidence:
        """Keep bytes; the content type is found from the bytes, not believed; durable on return. `size`: of the whole, where only its beginning was read."""
        ...

    def get(self, sha256: str) -> bytes:
        """Return the bytes, or raise `evidence.unknown`."""
        ...

    def public(self, sha256: str) -> tuple[str, bytes]:
        """Return (content type, bytes) of a picture's copy for the public, bare of place and device."""
        ...

    def verify(self) -> list[str]:
        """Read everything and return what is not whole, one sentence each."""
        ...
