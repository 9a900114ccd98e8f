"""The port for evidence: photographs and papers, kept by the hash of their bytes and durable before the step that names them."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Evidence:
    """A kept file: its sha256, content type and size in bytes."""

    sha256: str
    content_type: str
    size: int


class EvidenceStore(Protocol):
    """Content-addressed, append-only."""

    def put(self, content: bytes) -> Evidence:
        """Keep bytes; the content type is found from the bytes, not believed; durable on return."""
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
