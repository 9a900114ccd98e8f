"""The journal's one writer: gathers what waits into a group, sifts it once, appends it, hands it on, and only then tells the senders.

Knows the journal and the stamp of known time; knows nothing of what is done with a group afterwards.
"""

import logging
import queue
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
import numpy.typing as npt

from zhongshu.kernel.clock import Stamp
from zhongshu.kernel.journal import Batch, Entry, Journal, Receipt, document_digest
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reading import Readings, join
from zhongshu.sense.intake import Intake, Opened
from zhongshu.sense.once import Once

BATCH_CONFLICT = declare(
    "batch.conflict",
    "conflict",
    zh=("批次“{batch}”已收到过，内容不同。", "新的内容请用新的批次号。"),
    en=("Batch '{batch}' was received before with other content.", "Give new content a new batch id."),
)
BUSY = declare(
    "intake.busy",
    "busy",
    zh=("待写入的数据过多（{waiting} 条）。", "请稍后重试；已确认的数据不受影响。"),
    en=("Too much is waiting to be written ({waiting} readings).", "Try again shortly; nothing acknowledged is affected."),
)
DISK_LOW = declare(
    "disk.low",
    "full",
    zh=("磁盘剩余 {free_mb} MB，低于 {floor_mb} MB，已停止接收。", "请清理磁盘或扩容；已确认的数据没有丢失。"),
    en=("Only {free_mb} MB of disk are left, below {floor_mb} MB; intake has stopped.", "Free or add space; nothing acknowledged is lost."),
)

CLOSED = declare(
    "intake.closed",
    "unavailable",
    zh=("城市正在停止，不再接收数据。", "请在城市重新运行后重试；已确认的数据没有丢失。"),
    en=("The city is stopping and takes nothing in any more.", "Try again when it runs; nothing acknowledged is lost."),
)

_log = logging.getLogger(__name__)
MAX_WAITING = 2_000_000
MAX_GROUP = 200_000


class Answer(Protocol):
    """Who waits for a receipt: a future, or what stands for one."""

    def done(self) -> bool:
        """Tell whether it was answered."""
        ...

    def set_result(self, receipt: Receipt, /) -> None:
        """Answer."""
        ...

    def set_exception(self, error: BaseException | None, /) -> None:
        """Answer that it failed."""
        ...


Waiting = tuple[Batch | Opened, Answer, int]
Ints = npt.NDArray[np.int64]
Task = tuple[Callable[[], Any], "Future[Any]"]


class Pipe:
    """Group commit: while one group is on its way to the disk, the next one gathers."""

    most = MAX_WAITING
    """So many rows may wait; then senders are asked to."""

    def __init__(self, journal: Journal, intake: Intake, stamp: Stamp, once: Once, deliver: Callable[[Entry], None], floor: tuple[Path, int]) -> None:
        """Take the journal to write, what checks, the stamp of known time, and who gets each durable group; `floor`: folder and bytes that must stay free.

        Every group keeps first what the registry holds and the journal does not.
        """
        self._journal, self._intake, self._stamp, self._once, self._deliver = journal, intake, stamp, once, deliver
        self._folder, self._floor = floor
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._waiting = 0
        self._unkept = intake.registry.unkept
        self._closed = False
        self._largest = MAX_GROUP
        self._lock = threading.Condition()
        self._under_way = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @overload
    def submit(self, batch: Batch | Opened) -> "Future[Receipt]": ...

    @overload
    def submit(self, batch: Batch | Opened, answer: Answer) -> Answer: ...

    def submit(self, batch: Batch | Opened, answer: Answer | None = None) -> "Answer | Future[Receipt]":
        """Queue a batch; the answer (a future where none is given) gets its receipt once it is on disk. A sender who goes away takes nothing back."""
        rows = _size(batch)
        if isinstance(batch, Batch):
            self._unkept.add(batch.entities)
        done = answer or _future()
        with self._lock:
            if self._closed:
                raise CLOSED()
            if self._waiting and self._waiting + rows > MAX_WAITING:
                raise BUSY(waiting=self._waiting)
            self._waiting += rows
            self._queue.put((batch, done, rows))
        return done

    def do(self, work: Callable[[], Any]) -> "Future[Any]":
        """Run something between groups, in the writer's thread."""
        done: Future[Any] = Future()
        done.set_running_or_notify_cancel()
        with self._lock:
            if self._closed:
                raise CLOSED()
            self._queue.put((work, done))
        return done

    def settle(self, at: int) -> None:
        """Wait until every group known at or before `at` is delivered; later groups will be known after it."""
        with self._lock:
            self._stamp.pass_by(at)
            self._lock.wait_for(lambda: not self._under_way)

    def waiting(self) -> int:
        """Return how many rows wait."""
        return self._waiting

    def disk(self) -> tuple[int, int]:
        """Return how many bytes of disk are left, and below how many nothing is taken in."""
        return shutil.disk_usage(self._folder).free, self._floor

    def stamped(self) -> int:
        """Return the latest known time that was given out (µs)."""
        return self._stamp.last

    def close(self) -> None:
        """Write what waits, then stop; what comes later is refused."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        item = self._queue.get()
        while item is not None:
            if len(item) == 2:  # noqa: PLR2004 (a task)
                _resolve(item)
                item = self._queue.get()
                continue
            group, item = self._gather(item)
            try:
                self._write(group)
            finally:
                with self._lock:
                    self._waiting -= sum(rows for _, _, rows in group)
            if item == ():
                item = self._queue.get()

    def _gather(self, first: Waiting) -> tuple[list[Waiting], Any]:
        """Take what waits, up to a group's size, and what comes next (`()`: nothing yet); a batch id may stand in a group only once."""
        group, rows, ids = [first], first[2], {(first[0].source, first[0].batch)}
        while rows < self._largest:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, ()
            if item is None or len(item) == 2 or (item[0].source, item[0].batch) in ids:  # noqa: PLR2004 (a task)
                return group, item
            group.append(item)
            rows += item[2]
            ids.add((item[0].source, item[0].batch))
        return group, ()

    def _write(self, group: list[Waiting]) -> None:
        """Write a group and tell its senders. Where its bodies cannot be checked together, each is taken alone, so that one costs no other."""
        fresh: list[Waiting] = []
        try:
            for entry in self._journal.late():
                if entry.readings is not None:
                    self._once.appended(entry.readings)
                self._hand_on(entry)
            fresh = self._fresh(group)
            if fresh:
                self._append(fresh, *self._checked(fresh))
        except BaseException as error:  # noqa: BLE001 (whatever it is, every sender must hear of it)
            open_ = [w for w in fresh or group if not w[1].done()]
            if isinstance(error, _UncheckedError) and len(open_) > 1:
                for each in open_:
                    self._write([each])
                return
            for _, done, _ in open_:
                done.set_exception(error.__cause__ if isinstance(error, _UncheckedError) else error)

    def _fresh(self, group: list[Waiting]) -> list[Waiting]:
        """Answer the batches seen before; return the others."""
        fresh = []
        held = self._journal.seen([(batch.source, batch.batch) for batch, _, _ in group])
        for batch, done, rows in group:
            seen = held.get((batch.source, batch.batch))
            if seen is None:
                fresh.append((batch, done, rows))
            elif seen[0] == batch.digest:
                done.set_result(seen[1])
            else:
                done.set_exception(BATCH_CONFLICT(batch=batch.batch))
        if fresh and (free := shutil.disk_usage(self._folder).free) < self._floor:
            raise DISK_LOW(free_mb=free >> 20, floor_mb=self._floor >> 20)
        return fresh

    def _checked(self, group: list[Waiting]) -> tuple[list[Batch], Readings | None, Ints]:
        """Return a group's batches, all their readings, checked, and the batch that each reading is of."""
        opened = [(i, w[0]) for i, w in enumerate(group) if isinstance(w[0], Opened)]
        batches = {i: w[0] for i, w in enumerate(group) if isinstance(w[0], Batch)}
        found = [(b.readings, np.full(len(b.readings), i)) for i, b in batches.items() if b.readings is not None]
        if opened:
            try:
                checked, readings, origin = self._intake.check_together([o for _, o in opened])
            except Exception as error:
                raise _UncheckedError from error
            places = np.array([i for i, _ in opened])
            batches |= dict(zip(places.tolist(), checked, strict=True))
            found.append((readings, places[origin]))
        joined = join([r for r, _ in found]) if found else None
        return [batches[i] for i in range(len(group))], joined, np.concatenate([o for _, o in found]) if found else np.zeros(0, np.int64)

    def _append(self, group: list[Waiting], batches: list[Batch], readings: Readings | None, origin: Ints) -> None:
        ranks, kept = 1, readings
        whole = [(b, b.readings, b.documents, b.duplicates) for b in batches]
        try:
            if readings is not None:
                kept, rows = self._once.sift(readings)
                ranks = 1 if kept.rank is None else int(kept.rank.max(initial=0)) + 1
                sent, taken = (np.bincount(which, minlength=len(batches)).tolist() for which in (origin, origin[rows]))
                for i, batch in enumerate(batches):
                    batch.readings, batch.accepted = None, taken[i]
                    batch.duplicates += sent[i] - taken[i]
            self._sift_requests([b for b in batches if b.documents])
            for batch in batches:
                batch.entities = []
            batches[0].entities = self._unkept.take()
            with self._lock:
                known = self._stamp.next(ranks)
                self._under_way = True
            receipts, entries = self._keep(batches, known, kept)
            for entry in entries:
                self._hand_on(entry)
        except BaseException:
            for batch, held, documents, duplicates in whole:  # whoever sends it again sends the whole of it
                batch.readings, batch.documents, batch.duplicates = held, documents, duplicates
            raise
        finally:
            with self._lock:
                self._under_way = False
                self._lock.notify_all()
        for (_, done, _), receipt in zip(group, receipts, strict=True):
            done.set_result(receipt)

    def _keep(self, batches: list[Batch], known: int, readings: Readings | None) -> tuple[list[Receipt], list[Entry]]:
        """Make a group durable, and remember what it brought."""
        try:
            receipts, entries = self._journal.append(batches, known, readings)
        except BaseException:
            self._unkept.give_back(batches[0].entities)
            raise
        for entry in entries:
            if entry.readings is not None:
                self._once.appended(entry.readings)
        return receipts, entries

    def _hand_on(self, entry: Entry) -> None:
        """Hand a durable entry on; a taker's failure is told, and is no reason to tell the sender that nothing was kept."""
        try:
            self._deliver(entry)
        except Exception:  # noqa: BLE001 (whatever it is, the group is durable and its senders are told so)
            _log.exception("deliver.failed offset=%d", entry.offset)

    def _sift_requests(self, batches: list[Batch]) -> None:
        """Leave out requests that the source sent before with the same content, seen across the group; other content is news of a known request."""
        held: dict[tuple[str, str], str] = {}
        for batch in batches:
            digests = self._journal.digests(batch.source, [d["id"] for d in batch.documents])
            held = {(batch.source, key): digest for key, digest in digests.items()} | held
            kept = []
            for document in batch.documents:
                key, digest = (batch.source, document["id"]), document_digest(document)
                if held.get(key) != digest:
                    held[key] = digest
                    kept.append(document)
            batch.duplicates += len(batch.documents) - len(kept)
            batch.documents = kept


class _UncheckedError(Exception):
    """A group's bodies could not be checked together."""


def _size(batch: Batch | Opened) -> int:
    if isinstance(batch, Opened):
        return len(batch.rows)
    return (0 if batch.readings is None else len(batch.readings)) + len(batch.documents)


def _future() -> "Future[Receipt]":
    done: Future[Receipt] = Future()
    done.set_running_or_notify_cancel()
    return done


def _resolve(task: Task) -> None:
    work, done = task
    try:
        done.set_result(work())
    except BaseException as error:  # noqa: BLE001 (the asker hears of it)
        done.set_exception(error)
