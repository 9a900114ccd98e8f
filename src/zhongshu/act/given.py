"""What a case is opened with, and what a person gives with a verb."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from zhongshu.act.place import Place


@dataclass(frozen=True, slots=True)
class NewCase:
    """What a case is opened with; `opened`, `due` only for another system's, else the duty row's limit from now."""

    verb: str
    class_: str
    title_zh: str
    title_en: str
    area: int
    source: str
    address: str = ""
    lon: float | None = None
    lat: float | None = None
    level: str = "unset"
    indicator: str = ""
    finding: str | None = None
    lead: str | None = None
    opened: int | None = None
    due: int | None = None
    flags: tuple[str, ...] = ()
    reason: str = ""
    voices: int = 0
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """What a person gives with a verb. `version`: the one they acted on; `once`: a key that makes sending twice harmless; `until` in µs.

    `code`: a listed reason's; `did`: when a holder says they did it (µs; `hindsight` says what becomes of that); `what`: which leave is asked for (extend, park, defer, supplement), or which playbook is begun; `person`: who is to do it; `choices`: a task's answers. `undoes` is never a person's to give: the
    line of the history that this step takes back.
    """

    version: int | None = None
    reason: str = ""
    code: str = ""
    unit: str = ""
    evidence: tuple[str, ...] = ()
    note: str = ""
    result: str = ""
    class_: str = ""
    what: str = ""
    person: str = ""
    until: int | None = None
    answer: str = ""
    once: str | None = None
    happened: int | None = None
    did: int | None = None
    undoes: int | None = None
    place: Place | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
