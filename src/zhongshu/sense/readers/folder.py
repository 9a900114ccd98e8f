"""A watched folder: a file put into `inbox/<source>/` is taken in once it is complete, then moved to `done/`, or to `refused/` with its problem beside it.

A batch's id is its content's, so a file that was broken off, or is put there twice, costs and doubles nothing. Knows files; no network, no format.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from zhongshu.kernel.journal import Batch, Receipt
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reason import why
from zhongshu.sense.handing import Handing, Stopped
from zhongshu.sense.intake import Intake
from zhongshu.sense.readers.tables import read_file
from zhongshu.sense.source import UNKNOWN_SOURCE, Source

UNREADABLE = declare(
    "folder.unreadable",
    "invalid",
    zh=("文件 {name} 无法读取：{why_zh}。", "请检查文件后重新放入；已接收的数据不受影响。"),
    en=("The file {name} cannot be read: {why_en}.", "Check it and put it there again; what was taken in stays."),
)

SETTLED = 2.0
"""Seconds for which a file must not change before it is taken to be complete."""
PAUSE = 0.5
UNDER_WAY = 4
UNFINISHED = (".part", ".tmp", ".partial", ".filepart", ".crdownload", "~")
DONE, REFUSED = "done", "refused"
_log = logging.getLogger(__name__)


class FolderReader:
    """Looks at every source's folder in turn; one file at a time."""

    def __init__(self, inbox: Path, sources: Mapping[str, Source], intake: Intake, submit: Callable[[Batch], "Future[Receipt]"]) -> None:
        """Take the folder to watch and who takes batches."""
        self.inbox, self._sources, self._intake = inbox, sources, intake
        self._seen: dict[Path, tuple[tuple[int, int, int], float]] = {}
        self._stop = threading.Event()
        self._hand = Handing("inbox", submit, self._stop)
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self.inbox.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the batches under way; a file half read stays and is read again."""
        self._stop.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            try:
                self.look()
            except Stopped:
                return
            except Exception:  # noqa: BLE001 (told, and looked at again)
                _log.exception("inbox.failed")

    def look(self) -> int:
        """Take in what is complete now and return how many files that were."""
        taken, there = 0, set()
        for folder in sorted(p for p in self.inbox.iterdir() if p.is_dir() and not p.name.startswith(".")):
            for path in sorted(p for p in folder.iterdir() if _is_offered(p)):
                there.add(path)
                if not self._complete(path):
                    continue
                if folder.name not in self._sources:
                    _note(folder / f".{folder.name}", UNKNOWN_SOURCE(source=folder.name))
                    continue
                self._take(path, self._sources[folder.name])
                taken += 1
        self._seen = {path: seen for path, seen in self._seen.items() if path in there}
        return taken

    def _complete(self, path: Path) -> bool:
        """Tell whether a file has not changed for a while, by its own times or since it was first seen."""
        try:
            stat = path.stat()
        except OSError:
            return False
        sign, now = (stat.st_size, stat.st_mtime_ns, stat.st_ino), time.monotonic()
        seen = self._seen.get(path)
        if seen is None or seen[0] != sign:
            self._seen[path] = seen = (sign, now)
        return now - seen[1] >= SETTLED or time.time() - max(stat.st_mtime, stat.st_ctime) >= SETTLED

    def _take(self, path: Path, source: Source) -> None:
        counts = {"accepted": 0, "quarantined": 0, "duplicates": 0}
        waiting: list[tuple[Batch, Future[Receipt]]] = []
        try:
            for batch in read_file(path, source, self._intake):
                waiting.append((batch, self._hand.put(batch)))
                if len(waiting) >= UNDER_WAY:
                    self._count(counts, *waiting.pop(0))
            for each in waiting:
                self._count(counts, *each)
        except Problem as problem:
            self._refuse(path, problem)
        except (OSError, ValueError, LookupError, TypeError, ArithmeticError) as error:
            _log.exception("inbox.unreadable %s", path.name)
            self._refuse(path, UNREADABLE(name=path.name, **why(error)))
        else:
            _log.info("inbox.taken %s %s %s", source.name, path.name, counts)
            _move(path, path.parent / DONE)

    def _count(self, counts: dict[str, int], batch: Batch, future: "Future[Receipt]") -> None:
        """Wait until a batch is on disk, and count what it brought."""
        receipt = self._hand.settle(batch, future)
        counts["accepted"] += 0 if receipt.repeated else receipt.accepted
        counts["quarantined"] += receipt.quarantined
        counts["duplicates"] += receipt.duplicates + (receipt.accepted if receipt.repeated else 0)

    def _refuse(self, path: Path, problem: Problem) -> None:
        _log.warning("inbox.refused %s %s", path.name, problem)
        _note(_move(path, path.parent / REFUSED), problem)


def _is_offered(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and not path.name.startswith(".") and not path.name.endswith((*UNFINISHED, ".problem.json"))


def _move(path: Path, folder: Path) -> Path:
    """Move a file into a folder under a name that is free there."""
    folder.mkdir(exist_ok=True)
    target, n = folder / path.name, 1
    while target.exists():
        target, n = folder / f"{n}.{path.name}", n + 1
    return path.rename(target)


def _note(path: Path, problem: Problem) -> None:
    """Write a problem beside a file, in both languages."""
    told: dict[str, Any] = {lang: {"sentence": problem.sentence(lang), "remedy": problem.remedy(lang)} for lang in ("zh", "en")}
    beside = path.with_name(path.name + ".problem.json")
    content = json.dumps({"code": problem.kind.code} | told, ensure_ascii=False, indent=1)
    if not beside.exists() or beside.read_text() != content:
        beside.write_text(content)
