"""A process beside a city's owner: it takes readings in, answers what is read and feeds open screens, so that the owner need not.

It follows the journal's stream and reads desk and warehouse; the signs it computes itself, from the same readings at the same boundaries, so they are
the owner's to the last bit. It writes nothing: batches go to the owner, which answers when they are durable, and so does every deed.
"""

import json
import logging
import threading
from typing import Any

from zhongshu.app.assembly import Assembly
from zhongshu.app.batches import heard, pack
from zhongshu.app.screens import Screens, draw, first_lines
from zhongshu.app.serving import serve
from zhongshu.engines.nats_client import NatsClient
from zhongshu.engines.nats_journal import NatsReader
from zhongshu.engines.owner_lock import holder
from zhongshu.judge import Outcome, Pulse
from zhongshu.kernel.area import show_area
from zhongshu.kernel.bus import News
from zhongshu.kernel.clock import GRID, parse_clock
from zhongshu.kernel.journal import Batch, Receipt
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reading import Readings, from_table
from zhongshu.sense import Pipe, Waiting, from_document
from zhongshu.serve.forward import Forward
from zhongshu.serve.routes import build
from zhongshu.settings import Settings

UNSURE = declare(
    "intake.unsure",
    "unavailable",
    zh=("主进程没有答复：不知道这批数据写成没有。", "请用同样的批次号重发：写成了的不会写两遍。"),
    en=("The owner did not answer: whether this batch was kept is not known.", "Send it again under the same batch id: what was kept is not kept twice."),
)
CLUSTER = declare(
    "beside.needs_cluster",
    "invalid",
    zh=("旁边的进程要靠 NATS 和 PostgreSQL：设置里没有 {missing}。", "请先把城市搬到集群（zhongshu move），再用同一个设置文件启动。"),
    en=(
        "A process beside the owner needs NATS and PostgreSQL: the settings have no {missing}.",
        "Move the city to a cluster first (zhongshu move), and start it with the same settings file.",
    ),
)
PATIENCE = 30.0
"""So many seconds the owner's answer is waited for."""
LARGEST = 8_000
"""At most so many rows go to the owner in one message."""
_log = logging.getLogger(__name__)


class Sending(Pipe):
    """The way in of a process beside the owner: checked here, kept there."""

    def __init__(self, parts: Assembly, line: NatsClient, subject: str, floor: int) -> None:
        """Take the parts that check, and where the owner listens."""
        super().__init__(parts.journal, parts.intake, parts.stamp, parts.once, lambda _: None, (parts.folder, floor))
        self._line, self._subject, self._largest = line, subject, LARGEST

    def _fresh(self, group: list[Waiting]) -> list[Waiting]:
        return group

    def _append(self, group: list[Waiting], batches: list[Batch], readings: Readings | None, origin: Any) -> None:  # noqa: ANN401 (an array)
        entities = self._unkept.take()
        try:
            answers = heard(self._line.ask(self._subject, pack(batches, readings, origin, entities), PATIENCE))
        except (Problem, ValueError) as error:
            self._unkept.give_back(entities)
            raise UNSURE() from error
        if not all(isinstance(answer, Receipt) for answer in answers) or len(answers) != len(group):
            self._unkept.give_back(entities)  # whatever the owner has of them, it has once
        if len(answers) != len(group):
            raise UNSURE()
        for (_, done, _), answer in zip(group, answers, strict=True):
            if answer is None:
                done.set_exception(UNSURE())
            elif isinstance(answer, Problem):
                done.set_exception(answer)
            else:
                done.set_result(answer)


class Beside:
    """A running process beside the owner."""

    def __init__(self, settings: Settings) -> None:
        """Open every part for reading, and stand where the city stood; raises `beside.needs_cluster` and what a store refuses."""
        for name in ("journal", "desk"):
            if not getattr(settings, name):
                raise CLUSTER(missing=name)
        self.settings, self.url = settings, f"http://{settings.host}:{settings.port}"
        self.parts = parts = Assembly(settings, parse_clock(settings.clock))
        assert isinstance(parts.journal, NatsReader)  # noqa: S101 (the settings say so)
        self.journal, self._line = parts.journal, parts.journal.line
        name = show_area(parts.about.code)
        self.pipe = Sending(parts, self._line, f"zs.{name}.take", settings.disk_floor_mb << 20)
        self.screens = Screens(parts.hub)
        self._beat, self._told = threading.Condition(), {"at": 0, "seq": self.journal.last()}
        self._at = 0
        self.pulse = Pulse(parts.clock, parts.live, parts.watch, self._settle, self._tell, None, parts.journal.head())
        self.city = parts.city(self.pipe)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        memory = parts.watch.memory
        memory.at = memory.at or parts.clock.now() // GRID * GRID
        parts.live.restore(memory.at)
        self._take(parts.lake.query('SELECT * FROM versions WHERE known > $at AND "offset" <= $head ORDER BY "offset"', {"at": memory.at, "head": parts.journal.head()}))
        self._line.hear(f"zs.{name}.beat", self._hear)
        self._line.hear(f"zs.{name}.news", self._news)
        self._line.hear(f"zs.{name}.accounts", lambda _: parts.identity.forget())

    # what the owner says

    def _hear(self, content: bytes) -> None:
        said: dict[str, int] = json.loads(content)
        with self._beat:
            self._told = {key: max(self._told[key], said.get(key, 0)) for key in self._told}
            self._beat.notify_all()

    def _news(self, content: bytes) -> None:
        said = json.loads(content)
        self.parts.hub.publish(News(said["kind"], said["area"], said["body"], said["grade"]))

    def _take(self, table: Any) -> None:  # noqa: ANN401 (an Arrow table)
        words = self.parts.registry
        for group in from_table(table, words.sources, words.entities, words.properties, words.units):
            self.pulse.take(group)

    def _follow(self) -> None:
        """Take what the journal has beyond what is known here, whenever the owner says that there is more."""
        while not self._stop.is_set():
            with self._beat:
                self._beat.wait_for(lambda: self._told["seq"] > self.journal.last() or self._told["at"] > self._at or self._stop.is_set(), 1)
                at, seq = self._told["at"], self._told["seq"]
            try:
                for entry in self.journal.follow(seq):
                    for document in entry.documents if entry.kind == "entities" else ():
                        self.parts.registry.register(from_document(document))
                    if entry.table is not None:
                        self.parts.lake.show(entry.table, entry.offset)
                        self._take(entry.table)
                with self._beat:
                    self._at = at
                    self._beat.notify_all()
            except Exception:  # noqa: BLE001 (told; the next turn begins where this one broke off)
                _log.exception("follow.failed")
                self._stop.wait(0.5)

    def _settle(self, at: int) -> None:
        """Wait until all that was known by `at` is here; while the owner is away, the signs stand still."""
        with self._beat:
            while not self._beat.wait_for(lambda: self._at >= at or self._stop.is_set(), 1):
                pass

    def _tell(self, outcome: Outcome) -> None:
        self.screens.take(outcome)

    def _rounds(self) -> None:
        while not self._stop.wait(15):
            self.parts.lake.advance()
            draw(self.city.sparks, self.parts.watch.latest, self.parts.clock.now())

    # running

    def start(self) -> None:
        """Start every thread but the server's."""
        self.pipe.start()
        for name, run in (
            ("follow", self._follow),
            ("rounds", self._rounds),
            ("sparks", lambda: first_lines(self.parts.explainer, self.parts.clock, self.parts.about.code, self.city.sparks, self._stop)),
        ):
            self._threads.append(thread := threading.Thread(target=run, name=name, daemon=True))
            thread.start()
        self.pulse.start()

    def application(self) -> Forward:
        """Return what is served: our own answers, and the owner's."""
        return Forward(build(self.city, self.settings.data), lambda: str(holder(self.settings.data).get("url", "http://127.0.0.1:9")))

    def serve(self) -> None:
        """Serve until told to stop."""
        serve(self.application(), self.settings)

    def stop(self) -> None:
        """Send what waits, and let go."""
        self._stop.set()
        with self._beat:
            self._beat.notify_all()
        self.pulse.stop()
        for thread in self._threads:
            thread.join(timeout=30)
        self.pipe.close()
        self.parts.close()
