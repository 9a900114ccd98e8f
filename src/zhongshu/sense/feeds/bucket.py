"""Objects of an S3 bucket, or of any file system of Arrow's: each is taken in once, as a file put into the watched folder is.

What was taken is remembered by its size and time for a day behind the newest; what is older is taken to be known. A bad object is named in the
quarantine and passed over. Objects are only read.
"""

import hashlib
import logging
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow.fs as pafs

from zhongshu.kernel.clock import DAY
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.reason import why
from zhongshu.sense.feeds.batches import of_problem
from zhongshu.sense.feeds.declared import Bucket
from zhongshu.sense.feeds.feed import Part, Secret
from zhongshu.sense.feeds.marks import Mark
from zhongshu.sense.intake import Intake
from zhongshu.sense.readers.folder import UNFINISHED, UNREADABLE
from zhongshu.sense.readers.tables import MAX_FILE, read_file
from zhongshu.sense.rows import TOO_LARGE
from zhongshu.sense.source import Source

CHUNK = 1 << 20
TRIES = 3
"""How often an object is fetched in vain before it is passed over."""
PAUSE = 1.0
"""Seconds between marks."""
KEPT = DAY
"""How long what was taken is remembered one by one (µs): an upload in parts bears the time at which it began."""
_log = logging.getLogger(__name__)


class BucketReader:
    """Takes in what lies under one prefix."""

    def __init__(self, row: Bucket, source: Source, intake: Intake, secret: Secret) -> None:
        """Take the row, its source, what checks, and where its key is."""
        self.row, self.source = row, source
        self._intake, self._secret = intake, secret
        self._tries: dict[str, int] = {}

    def read(self, mark: Mark, stop: threading.Event) -> Iterator[Part]:
        """Yield every new object's batches, the oldest first; an object is taken when all of them are on disk."""
        files, root = self._open()
        taken: dict[str, list[int]] = dict(mark.get("taken", {}))
        high = int(mark.get("high", 0))
        told = time.monotonic()
        for info in self._offered(files, root, taken, high):
            if stop.is_set():
                break
            yield from self._take(files, info)
            high = max(high, min(_at(info), time.time_ns() // 1000))  # one dated ahead hides no other
            taken[info.path] = _sign(info)
            if time.monotonic() - told > PAUSE:
                yield Part(None, _mark(taken, high))
                told = time.monotonic()
        yield Part(None, _mark(taken, high))

    def _offered(self, files: Any, root: str, taken: dict[str, list[int]], high: int) -> list[Any]:  # noqa: ANN401 (Arrow's)
        found = files.get_file_info(pafs.FileSelector(root, recursive=True, allow_not_found=False))
        new = [
            info
            for info in found
            if info.type == pafs.FileType.File
            and not info.base_name.startswith(".")
            and not info.base_name.endswith(UNFINISHED)
            and _at(info) > high - KEPT
            and taken.get(info.path) != _sign(info)
        ]
        return sorted(new, key=lambda info: (_at(info), info.path))

    def _take(self, files: Any, info: Any) -> Iterator[Part]:  # noqa: ANN401 (Arrow's)
        """Yield one object's batches. What is wrong with it becomes a row of the quarantine; what may be wrong with the way to it is raised, `TRIES` times."""
        with tempfile.TemporaryDirectory(prefix="zhongshu-") as folder:
            path = Path(folder) / (info.base_name[-120:] or "object")
            digest = f"{_sign(info)}"
            try:
                digest = self._copy(files, info, path)
                for batch in read_file(path, self.source, self._intake):
                    yield Part(batch)
            except Problem as error:
                problem = error
            except (OSError, ValueError, LookupError, TypeError, ArithmeticError) as error:
                _log.warning("feed.unreadable %s %s", info.path, error)
                problem = UNREADABLE(name=info.path, **why(error))
            else:
                return
            told = UNREADABLE(name=info.path, **why(problem))
            yield Part(of_problem(self.source, told, info.path, digest), odd=told)

    def _copy(self, files: Any, info: Any, path: Path) -> str:  # noqa: ANN401 (Arrow's)
        """Bring an object here and return its digest; raises `intake.too_large`, and what the store raises: as `_Unreached` until it did so `TRIES` times."""
        found, size = hashlib.sha256(), 0
        try:
            with files.open_input_stream(info.path, compression=None) as stream, path.open("wb") as file:
                while part := stream.read(CHUNK):
                    size += len(part)
                    if size > MAX_FILE:
                        raise TOO_LARGE(limit=MAX_FILE)
                    found.update(part)
                    file.write(part)
        except FileNotFoundError:
            raise
        except OSError as error:
            self._tries[info.path] = self._tries.get(info.path, 0) + 1
            if self._tries[info.path] < TRIES:
                raise _Unreached(str(error)) from error
            raise
        self._tries.pop(info.path, None)
        return found.hexdigest()

    def _open(self) -> tuple[Any, str]:
        """Return the file system and the place in it."""
        parts = urlsplit(self.row.address)
        if parts.scheme == "file":
            return pafs.LocalFileSystem(), unquote(parts.path).rstrip("/") or "/"
        store = urlsplit(self.row.endpoint)
        given: dict[str, Any] = {"endpoint_override": store.netloc, "scheme": store.scheme or "https"} if self.row.endpoint else {}
        given |= {"access_key": self.row.user, "secret_key": self._secret.get()} if self.row.user else {"anonymous": True}
        given |= {"region": self.row.region or "us-east-1"} if self.row.region or self.row.endpoint else {}
        return pafs.S3FileSystem(connect_timeout=10, request_timeout=60, background_writes=False, **given), f"{parts.netloc}{unquote(parts.path)}".rstrip("/")


class _Unreached(Exception):  # noqa: N818 (a sign to try again)
    """An object could not be fetched; whether that is its own fault is not known yet."""


def _mark(taken: dict[str, list[int]], high: int) -> Mark:
    return {"taken": {path: sign for path, sign in taken.items() if sign[1] > high - KEPT}, "high": high}


def _at(info: Any) -> int:  # noqa: ANN401 (Arrow's)
    return int(info.mtime_ns or 0) // 1000


def _sign(info: Any) -> list[int]:  # noqa: ANN401 (Arrow's)
    return [int(info.size or 0), _at(info)]
