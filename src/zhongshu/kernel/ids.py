"""Names that never collide: UUIDv7 for what is made here, URNs for entities, and hashes for what must come out the same twice."""

import hashlib
import os
import re
import threading
import time
import uuid

_URN = re.compile(r"urn:[A-Za-z0-9][A-Za-z0-9-]{1,31}:(?![^\s:]*:\Z)\S{1,200}")
_lock = threading.Lock()
_last = 0


def uuid7() -> str:
    """Return a UUIDv7 (RFC 9562 §5.7), later than every one made before by this process."""
    global _last  # noqa: PLW0603 (the one counter of the process)
    with _lock:
        ms = max(time.time_ns() // 1_000_000, _last >> 12)
        _last = max(_last + 1, ms << 12)
        ms, count = _last >> 12, _last & 0xFFF
    tail = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    return str(uuid.UUID(int=ms << 80 | 0x7 << 76 | count << 64 | 0b10 << 62 | tail))


def stable_id(*parts: object) -> str:
    """Return 24 hex digits that depend on the parts alone."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:24]


def is_urn(text: str) -> bool:
    """Tell whether `text` has the form of a URN (RFC 8141, abridged); a type with nothing after its colon names no entity."""
    return _URN.fullmatch(text) is not None


def urn(kind: str, name: str) -> str:
    """Make the URN of an entity of a type: `urn:zs:<Type>:<name>`; what may not stand in a URN becomes `_`."""
    return f"urn:zs:{kind}:{re.sub(r'[^0-9A-Za-z._~:%-]', '_', name)[:160]}"
