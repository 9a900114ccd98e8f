"""One connector at work, in a thread of its own: reads a part, hands it to the journal, keeps how far it came, waits, and does so again whatever happens.

Every kind has one small reader; the rest of a feed's life is here. Knows no kind, no driver and no format.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from zhongshu.kernel.clock import Clock, parse_duration, rfc3339
from zhongshu.kernel.journal import Batch, Receipt
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reason import why
from zhongshu.sense.feeds.declared import Declared, Refused
from zhongshu.sense.feeds.marks import Mark, Marks
from zhongshu.sense.handing import Handing, Stopped

FAILED = declare(
    "connector.failed",
    "unavailable",
    zh=("数据源 {source} 的接入暂时不通：{why_zh}。", "请检查对方的服务、网络和账号；会自动重试，不丢也不重。"),
    en=("The feed of source {source} does not come: {why_en}.", "Check the other side, the network and the account; it is tried again, and nothing is lost or doubled."),
)
NO_SECRET = declare(
    "connector.no_secret",
    "unavailable",
    zh=("找不到名为 {secret} 的口令。", "请设环境变量 ZS_SECRET_{setting}，或写入城市目录的 secrets/{secret}（只许城市的用户读）。"),
    en=(
        "There is no secret named {secret}.",
        "Set ZS_SECRET_{setting} in the environment, or write the file secrets/{secret} in the city's folder, readable by the city's user only.",
    ),
)
NO_EXTRA = declare(
    "connector.no_extra",
    "unavailable",
    zh=("接入 {kind} 的组件没有安装（{module}）。", "请运行 pip install 'zhongshu[feeds]'，再重新启动城市。"),
    en=("What reads {kind} is not installed ({module}).", "Run pip install 'zhongshu[feeds]' and start the city again."),
)

FIRST_DELAY, LONGEST_DELAY = 1.0, 300.0
"""Seconds until a feed that failed is tried again: doubled each time."""
UNDER_WAY = 4
_log = logging.getLogger(__name__)


class Later(Exception):  # noqa: N818 (a sign from a reader)
    """The other side says when to ask again."""

    def __init__(self, problem: Problem, seconds: float) -> None:
        """Take what is told, and for how long to wait."""
        super().__init__(str(problem))
        self.problem, self.seconds = problem, seconds


@dataclass(slots=True)
class Part:
    """Some of what came: a batch, how far the feed has come once that is on disk (None: no further), and what was odd about it. An empty one says that all is well."""

    batch: Batch | None = None
    mark: Mark | None = None
    odd: Problem | None = None


class Reader(Protocol):
    """Reads one kind. What it yields is asked of it only as fast as the journal takes it."""

    def read(self, mark: Mark, stop: threading.Event) -> Iterator[Part]:
        """Yield what came after a mark: all there is (a pull), or for as long as the connection holds (a subscription). May raise anything."""
        ...


@dataclass(slots=True)
class State:
    """How a feed is: times in µs since 1970 by the machine's clock, except `newest`, the latest valid time it brought.

    `problem`: while it is failing, why; else what was odd last.
    """

    success: int | None = None
    problem: Problem | None = None
    at: int = 0
    failing: bool = False
    rows: int = 0
    quarantined: int = 0
    newest: int | None = None


@dataclass(slots=True)
class Secret:
    """A secret under its name, asked for each time it is needed, and taken out of what is told."""

    name: str
    find: Callable[[str], str | None]

    def get(self) -> str:
        """Return the secret, '' where none is named; raises `connector.no_secret`."""
        if not self.name:
            return ""
        if not (held := self.find(self.name)):
            raise NO_SECRET(secret=self.name, setting=self.name.upper().replace("-", "_").replace(".", "_"))
        return held

    def hide(self, text: str) -> str:
        """Return a text without the secret."""
        held = self.find(self.name) if self.name else None
        return text.replace(held, "***").replace(quote(held, safe=""), "***") if held else text


@dataclass(slots=True)
class Feed:
    """One connector. `reader`: what reads its kind; `submit`: who takes batches; `clock`: the city's."""

    declared: Declared
    reader: Reader
    submit: Callable[[Batch], "Future[Receipt]"]
    marks: Marks
    secret: Secret
    clock: Clock
    state: State = field(default_factory=State)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """Return the name of the source it feeds."""
        return self.declared.row.name

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name=f"feed-{self.name}"[:40], daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after what is under way; what is not kept is read again."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=15)

    def _run(self) -> None:
        delay, every = FIRST_DELAY, parse_duration(self.declared.row.every) / 1e6
        while not self._stop.is_set():
            before = self.state.success
            try:
                self.once()
                wait, delay = every, FIRST_DELAY
            except Stopped:
                break
            except Exception as error:  # noqa: BLE001 (told, and tried again)
                if self.state.success != before:
                    delay = FIRST_DELAY
                self._failed(error)
                wait = max(delay, error.seconds if isinstance(error, Later) else 0)
                delay = min(2 * delay, LONGEST_DELAY)
            self._stop.wait(wait)
        self._keep()

    def _keep(self) -> None:
        try:
            self.marks.write()
        except OSError as error:
            _log.warning("feed.mark_not_written %s %s", self.name, error)

    def once(self) -> None:
        """Read to the end of what there is now, each part durable before its mark is; raises what the reader raises, and `Stopped`."""
        hand = Handing(f"feed.{self.name}", self.submit, self._stop)
        waiting: list[tuple[Part, int | None, Future[Receipt] | None]] = []
        parts = self.reader.read(dict(self.marks.now), self._stop)
        try:
            for part in parts:
                newest = None if part.batch is None else _newest(part.batch)  # now: the journal's writer takes the readings out
                waiting.append((part, newest, None if part.batch is None else hand.put(part.batch)))
                while len(waiting) >= UNDER_WAY or (waiting and part.batch is None):
                    self._settle(hand, *waiting.pop(0))
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
            for each in waiting:
                self._settle(hand, *each)
        self._well()
        self.marks.write()

    def _settle(self, hand: Handing, part: Part, newest: int | None, future: "Future[Receipt] | None") -> None:
        if part.batch is not None and future is not None:
            receipt = hand.settle(part.batch, future)
            if not receipt.repeated:
                self.state.rows += receipt.accepted
                self.state.quarantined += receipt.quarantined
            if newest is not None:
                self.state.newest = max(newest, self.state.newest or newest)
        if part.batch is None or part.mark is not None:  # a turn that fails half-way each time is not well in between
            self._well()
        if part.odd is not None:
            self._tell(part.odd, again=False)
        if part.mark is not None:
            self.marks.keep(part.mark)

    def _well(self) -> None:
        if self.state.failing:
            self.state.failing, self.state.problem = False, None
        self.state.success = time.time_ns() // 1000

    def _failed(self, error: Exception) -> None:
        problem = error.problem if isinstance(error, Later) else error if isinstance(error, Problem) else FAILED(source=self.name, **why(error, "连接不上，或对方拒绝"))
        self._tell(problem, again=not self.state.failing)
        self.state.failing = True

    def _tell(self, problem: Problem, *, again: bool) -> None:
        """Note a problem; it stands in the log once, until it is another, or comes `again` after all was well."""
        told = {key: self._hidden(value) if isinstance(value, str) else value for key, value in problem.particulars.items()}
        if again or self.state.problem is None or (problem.kind.code, told) != (self.state.problem.kind.code, self.state.problem.particulars):
            _log.warning("feed.failed %s %s", self.name, Problem(problem.kind, told))
        self.state.problem, self.state.at = Problem(problem.kind, told), time.time_ns() // 1000

    def _hidden(self, text: str) -> str:
        """Return what a library said without the secret, the address and its host: those who may see a source need not know the network."""
        address = self.declared.row.address
        hidden = self.secret.hide(text).replace(address, "…")
        return hidden.replace(host, "…") if (host := urlsplit(address).hostname) else hidden

    def report(self) -> dict[str, Any]:
        """Say how it is, without its address: {kind, every_s, failing, last_success, last_error, rows, quarantined, lag_s}."""
        state = self.state
        return {
            "kind": self.declared.kind,
            "every_s": parse_duration(self.declared.row.every) / 1e6,
            "failing": state.failing,
            "last_success": None if state.success is None else rfc3339(state.success),
            "last_error": None if state.problem is None else shown(state.problem, state.at),
            "rows": state.rows,
            "quarantined": state.quarantined,
            "lag_s": None if state.newest is None else max(0, self.clock.now() - state.newest) / 1e6,
        }


def shown(problem: Problem, at: int) -> dict[str, Any]:
    """Return a problem as it is told, in both languages."""
    return {"code": problem.kind.code, "at": rfc3339(at)} | {lang: {"sentence": problem.sentence(lang), "remedy": problem.remedy(lang)} for lang in ("zh", "en")}


def broken(row: Refused, at: int) -> dict[str, Any]:
    """Say of a row that was refused how its feed is: it is not there, and never asked."""
    return {"kind": row.kind, "every_s": 0.0, "failing": True, "last_success": None, "last_error": shown(row.problem, at), "rows": 0, "quarantined": 0, "lag_s": None}


def _newest(batch: Batch) -> int | None:
    if batch.readings is not None and len(batch.readings):
        return int(batch.readings.valid.max())
    return max((int(d["created"]) for d in batch.documents), default=None)


def mark_path(folder: Path, name: str) -> Path:
    """Return where a connector's mark is kept."""
    return folder / "connectors" / f"{name}.json"
