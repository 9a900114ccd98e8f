"""How far a feed has come: kept in the city's folder, one file per connector, written whole and only after the journal's receipt.

A mark is a small JSON object; what stands in it is its reader's. Knows how watermarks compare: as numbers, as times, or as text.
"""

import json
import logging
import os
import time
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from zhongshu.kernel.clock import parse_duration, to_us

Mark = dict[str, Any]
NUMBER, TIME, TEXT = "number", "time", "text"
BACK = "1m"
"""How far a pull by time goes back where the row does not say: what was written then may be seen only now."""
BACK_ROWS = 1000
"""The same for numbers: a transaction with a smaller number may end later."""
PAUSE = 1.0
"""Seconds between writes of a mark that moves fast; what is read again changes nothing."""
_log = logging.getLogger(__name__)


class Marks:
    """One connector's mark."""

    def __init__(self, path: Path) -> None:
        """Read the mark that was kept; one that cannot be read is none, and all is read again."""
        self.path, self._written = path, 0.0
        self.now: Mark = {}
        self._open = False
        try:
            held = json.loads(path.read_bytes())
            self.now = held if isinstance(held, dict) else {}
        except FileNotFoundError:
            pass
        except (OSError, ValueError):
            _log.warning("feed.mark_unreadable %s: everything is read again", path.name)

    def keep(self, mark: Mark) -> None:
        """Take a new mark, whose rows are on disk; write it now or, if it was written a moment ago, with the next."""
        if mark != self.now:
            self.now, self._open = mark, True
        if time.monotonic() - self._written >= PAUSE:
            self.write()

    def write(self) -> None:
        """Write what is not written: beside its place, fsynced, moved there, the folder fsynced too."""
        if not self._open:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".part")
        with beside.open("wb") as file:
            file.write(json.dumps(self.now, ensure_ascii=False).encode())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
        handle = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        self._open, self._written = False, time.monotonic()


def order(value: str, kind: str, zone: str = "") -> Any:  # noqa: ANN401 (what compares)
    """Return what orders a watermark among others of its kind; None for one that can be no mark (no number, no time, infinite)."""
    if kind == NUMBER:
        try:
            number = Decimal(value)
        except InvalidOperation:
            return None
        return number if number.is_finite() else None
    if kind == TIME:
        try:
            moment = datetime.fromisoformat(value)
            return to_us(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone or "UTC")))
        except (ValueError, OverflowError):
            return None
    return value


def back(value: str, kind: str, overlap: str | int | None) -> str:
    """Return where a pull begins: the mark, less the overlap."""
    try:
        if kind == TIME:
            span = timedelta(microseconds=parse_duration(BACK if overlap is None else overlap if isinstance(overlap, str) else f"{overlap}s"))
            return (datetime.fromisoformat(value) - span).isoformat(sep="T" if "T" in value else " ")
        if kind == NUMBER:
            return str(Decimal(value) - (overlap if isinstance(overlap, int) else BACK_ROWS))
    except (ValueError, OverflowError, InvalidOperation):
        return value
    return value


def furthest(values: list[str], kind: str, zone: str, latest: int, held: str = "") -> str:
    """Return the furthest of some watermarks and the one held. A time later than `latest` (µs) is no mark: one bad clock must not hide every later row."""
    best, at = held, order(held, kind, zone) if held else None
    for value in values:
        place = order(value, kind, zone)
        if place is not None and not (kind == TIME and place > latest) and (at is None or place > at):
            best, at = value, place
    return best


def sort_of(values: list[str]) -> str:
    """Tell what kind of watermarks these are, where nothing else says it."""
    for kind in (NUMBER, TIME):
        if values and all(order(value, kind) is not None for value in values):
            return kind
    return TEXT
