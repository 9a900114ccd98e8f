"""The anchor: a small file that says how far the ledger had come, so that a tail cut off is found. It never writes the ledger.

An anchor that does not agree with the ledger is left as it is: writing over it would hide what was cut. Copy it elsewhere to be safe from
someone who can write both.
"""

import json
import logging
import os
import threading
from pathlib import Path

from zhongshu.govern.chain import START, Mark, head, mark_at
from zhongshu.kernel.desk import Desk
from zhongshu.kernel.problem import Problem, declare

UNREADABLE = declare(
    "ledger.anchor_unreadable",
    "invalid",
    zh=("台账锚点文件读不出来。", "请从备份或异地副本恢复 ledger.anchor；查明原因之前不要删除它。"),
    en=("The ledger's anchor cannot be read.", "Restore ledger.anchor from a backup or a copy kept elsewhere; do not delete it before the cause is known."),
)


def read_anchor(path: Path) -> Mark | None:
    """Return what the file says, or None if there is none; raise `ledger.anchor_unreadable`."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Mark(int(said["seq"]), str(said["hash"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise UNREADABLE() from None


_log = logging.getLogger(__name__)


class Anchor:
    """Keeps the file at the ledger's durable head, at most `delay` seconds behind it."""

    def __init__(self, desk: Desk, path: Path, delay: float) -> None:
        """Take the desk, the file and the delay in seconds."""
        self.path = path
        self._desk, self._delay = desk, delay
        self._gate = threading.Lock()
        self._write_gate = threading.Lock()
        self._timer: threading.Timer | None = None
        self._closed = False

    def arm(self) -> None:
        """See to it that the anchor is written soon; it never waits."""
        with self._gate:
            if self._timer is not None or self._closed:
                return
            self._timer = threading.Timer(self._delay, self._fire)
            self._timer.daemon = True
            self._timer.start()

    def agrees(self) -> bool:
        """Tell whether the ledger still holds the line that the file names."""
        try:
            mark = read_anchor(self.path)
        except Problem:
            return False
        return mark is None or mark == START or self._desk.read(lambda conn: mark_at(conn, mark.seq)) == mark

    def write(self) -> bool:
        """Write the file, durably, at the ledger's durable head; return False, and leave it, if it does not agree."""
        with self._write_gate:
            if not self.agrees():
                return False
            mark = self._desk.read(head)
            draft = self.path.with_suffix(".draft")
            with draft.open("w", encoding="utf-8") as file:
                json.dump({"seq": mark.seq, "hash": mark.hash}, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            return True

    def close(self) -> bool:
        """Write the file now and no more; return whether it agreed."""
        with self._gate:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
        return self.write()

    def _fire(self) -> None:
        with self._gate:
            self._timer = None
            if self._closed:
                return
        try:
            self.write()
        except Exception as error:  # noqa: BLE001 (the desk is away, or the disk full: what is behind is written when it is back)
            _log.warning("anchor.wait %s", error)
            self.arm()
