"""What handlers may reach of a running city: the stages' doors and the kernel's ports. It is put together elsewhere and only read here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa

from zhongshu.act import Lesson, Office
from zhongshu.foresee import Foreseen, Models, docket
from zhongshu.govern import Attempts, Guard, Identity, Ledger
from zhongshu.judge import Explainer, Indicator, Values, Watch
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import Clock
from zhongshu.kernel.desk import Desk
from zhongshu.kernel.entity import EntityType
from zhongshu.kernel.evidence import EvidenceStore
from zhongshu.kernel.journal import Journal
from zhongshu.kernel.problem import declare
from zhongshu.sense import Intake, Pipe, Registry, Source
from zhongshu.serve.hot import Answers
from zhongshu.serve.live import Hub
from zhongshu.survey import Areas, Roads
from zhongshu.survey import City as About

TOO_MANY_REPORTS = declare(
    "request.too_many",
    "busy",
    zh=("这个网络地址反映得太快了。", "请等 {seconds} 秒再发；有急事请打 12345，危险请打 110、119、120。"),
    en=("Too many reports come from this network address.", "Wait {seconds} seconds, or call 12345; in danger call 110, 119 or 120."),
)
Command = Callable[[dict[str, Any], Callable[[str, int], None]], Any]
"""A command of this machine's user: from arguments and a teller of progress to what it gives."""


class Sandbox(Protocol):
    """The simulated life of a sandbox city, as far as its door shows it."""

    def start_story(self) -> dict[str, Any]:
        """Begin the storm's story."""
        ...

    def story(self) -> dict[str, Any]:
        """Return the story as it stands."""
        ...

    def take_seat(self, seat: str) -> None:
        """Let a visitor have a seat."""
        ...


class Told(Protocol):
    """What runs left, read again."""

    def whole(self, run: str) -> dict[str, Any]:
        """Return everything a run that is done told."""
        ...

    def values(self, run: docket.Row, indicators: Sequence[Indicator], times: Sequence[int], levels: tuple[Level, ...]) -> list[tuple[int, dict[str, Values]]]:
        """Compute signs at times of a run."""
        ...

    def foreseen_signs(self, run: docket.Row) -> list[Indicator]:
        """Return the signs of which a run foresees some reading."""
        ...

    def map(self, run: docket.Row, second: int) -> dict[str, Any]:
        """Return what is out of order at a time of a run."""
        ...

    def skill(self) -> list[dict[str, Any]]:
        """Return how good forecasts were."""
        ...


class Foresight(Protocol):
    """What keeps and runs scenarios."""

    models: Models
    rows: Foreseen
    installed: bool

    @property
    def told(self) -> Told:
        """Return what reads runs again."""
        ...

    def roles(self) -> dict[str, str]:
        """Return the roles the city has models for."""
        ...

    def make(self, given: Mapping[str, Any], who: str) -> docket.Row:
        """Keep a scenario."""
        ...

    def ask(self, scenario: str, seed: int | None, who: str) -> docket.Row:
        """Queue a run."""
        ...

    def halt(self, run: str) -> docket.Row:
        """Stop a run."""
        ...

    def progress(self, run: str) -> float:
        """Return how far a run is, 0 to 1."""
        ...

    def can_happen(self, event: Mapping[str, Any]) -> bool:
        """Tell whether the living networks can be given an event."""
        ...

    def happen(self, event: Mapping[str, Any]) -> bool:
        """Let an event come upon the living networks."""
        ...


class Warehouse(Protocol):
    """The reader over lake ∪ tail, and how far the lake is."""

    def query(self, sql: str, parameters: dict[str, Any] | None = None, tables: dict[str, pa.Table] | None = None, known: int | None = None) -> pa.Table:
        """Answer SQL over `readings`."""
        ...

    def offset(self) -> int:
        """Return the lake's offset."""
        ...

    def behind(self) -> int | None:
        """Return the known time (µs) of the oldest reading that is not in the lake; None: all are."""
        ...


@dataclass(slots=True)
class City:
    """A running city."""

    folder: Path
    about: About
    areas: Areas
    types: dict[str, EntityType]
    clock: Clock
    zone: ZoneInfo
    registry: Registry
    sources: dict[str, Source]
    intake: Intake
    pipe: Pipe
    journal: Journal
    lake: Warehouse
    desk: Desk
    office: Office
    evidence: EvidenceStore
    watch: Watch
    explainer: Explainer
    guard: Guard
    identity: Identity
    ledger: Ledger
    hub: Hub
    loopback: bool
    sandbox: bool
    answers: Answers = field(default_factory=Answers)
    proof: dict[str, Any] = field(default_factory=dict)
    sparks: dict[tuple[str, int], list[tuple[int, float | None]]] = field(default_factory=dict)
    life: Sandbox | None = None
    add_source: Callable[[Source], None] = lambda _: None
    seats: dict[str, str] = field(default_factory=dict)
    speakers: Attempts = field(default_factory=lambda: Attempts(free=10, refusal=TOO_MANY_REPORTS))
    """How often someone without an account reports, by network address."""
    roads: Roads = field(default_factory=Roads)
    commands: dict[str, Command] = field(default_factory=dict)
    salt: bytes = b""
    """The secret by which words that were sought stand in the ledger as digests, so that nobody who reads it can try names."""
    uplink: Callable[[], tuple[int, int, int]] | None = None
    """What waits for the line to the city: bytes, their limit, and groups of the journal that are not there yet; None: there is no such line."""
    reached: dict[str, Callable[[], bool]] = field(default_factory=dict)
    """What tells of a store on a server (journal, desk) whether it answers now."""
    failing: set[str] = field(default_factory=set)
    """The owner's rounds whose last turn failed."""
    feeds: list[tuple[str, Callable[[], dict[str, Any]]]] = field(default_factory=list)
    """What says how each connector is, by the name of its source."""
    metrics: Callable[[], tuple[bytes, str]] | None = None
    """The program's metrics as they are collected, with their media type; None: not told."""
    foresight: Foresight | None = None
    """What looks ahead; None in a process beside the owner."""
    lessons: dict[str, Lesson] = field(default_factory=dict)
    """The training ground's lessons; none but in a sandbox city."""
    samples: dict[str, bytes] = field(default_factory=dict)
    """The packs' drawings (SVG) of how a place looks when its case may be closed, by name."""
