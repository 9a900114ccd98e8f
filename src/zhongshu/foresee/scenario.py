"""A scenario: which models run together, what is changed, and how one network's state bears on another's. All of it declared as rows, read from one TOML file.

Knows no engine: what can be set and observed, and in which unit, a model's card says.
"""

import operator
import tomllib
from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from zhongshu.foresee.models import Card
from zhongshu.kernel.clock import SECOND, parse_duration
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.quantity import known_unit
from zhongshu.kernel.reason import why

BAD_SCENARIO = declare(
    "twin.bad_scenario",
    "invalid",
    zh=("情景 {name} 有误：{why_zh}。", "情景的写法见 docs/how-to/run-a-scenario.md。"),
    en=("The scenario {name} is wrong: {why_en}.", "How a scenario is written: docs/how-to/run-a-scenario.md."),
)
UNITS_MIXED = declare(
    "twin.units_mixed",
    "invalid",
    zh=("{what} 的单位是 {canonical}，不能用“{unit}”。", "请换成 {canonical}，或一个可以换算的单位。"),
    en=("{what} is in {canonical}; '{unit}' cannot be turned into it.", "Write {canonical}, or a unit of the same dimension."),
)
UNKNOWN_OBJECT = declare(
    "twin.unknown_object",
    "invalid",
    zh=("{what} 里写的 {object} 不在模型里。", "请核对名称；对象写在 DATA/twin 里这个模型的文件里。"),
    en=("{object}, which {what} names, is not in the model.", "Check the name: the model's file is in its folder in DATA/twin."),
)
Op = Literal[">", ">=", "<", "<=", "=", "!="]
HOLDS: Mapping[str, Callable[[float, float], bool]] = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq, "!=": operator.ne}
SHORTEST, LONGEST = 60 * SECOND, 300 * SECOND
"""How far engines may go between two exchanges: less costs more than it tells, more lets them run apart."""
LONGEST_SPIN = 24 * 3600 * SECOND
Whole = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Source(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where a rule comes from."""

    doc: Whole
    clause: str = ""


class Change(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"what": "set"}):
    """What is set from outside, from a time of the run on: of some objects, or of all (`*`); at `until` it is set to `after`."""

    what: Whole
    value: float
    unit: Whole
    of: list[Whole] | Literal["*"] = "*"
    begin: str = "0s"
    until: str = ""
    after: float = 0.0


class Near(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Objects of one model bear on those of the other that lie within so many metres; or only on the nearest of them."""

    metres: Annotated[float, msgspec.Meta(gt=0, le=10_000)]
    nearest: bool = False


class Coupling(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"what": "of", "target": "set"}):
    """A rule between two networks: where `of` holds against a bound, `set` of what it bears on becomes `then`, and `otherwise` where it no longer does.

    An object that several bear on follows `then` as long as one of them holds. Without `otherwise` what happened stays.
    """

    name: Whole
    what: Whole
    op: Op
    value: float
    unit: Whole
    target: Whole
    then: float
    source: Source
    otherwise: float | None = None
    near: Near | None = None
    pairs: dict[str, list[str]] = {}


class Scenario(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A whole scenario. `models`: role → name of a model, in the order in which they bear on each other; `watch`: what is kept of every step.

    `spinup`: for so long before now the engines run by what the record says, to come to the state of now; changes begin counting from now.
    """

    name: Whole
    models: Annotated[dict[str, str], msgspec.Meta(min_length=1, max_length=8)]
    hours: Annotated[float, msgspec.Meta(gt=0, le=24 * 31)] = 2.0
    step: str = "5m"
    seed: int = 0
    spinup: str = "0s"
    change: list[Change] = []
    coupling: list[Coupling] = []
    watch: list[Whole] = []

    @property
    def macro(self) -> int:
        """Return how far all engines go between two exchanges, µs."""
        return parse_duration(self.step)

    @property
    def spin(self) -> int:
        """Return how long before now the engines begin, µs."""
        return parse_duration(self.spinup)


def read_scenario(path: Path) -> Scenario:
    """Read a scenario's file; raises a Problem that says where it is wrong."""
    try:
        return made(path.name, tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BAD_SCENARIO(name=path.name, **why(error)) from None


def made(name: str, rows: Any) -> Scenario:  # noqa: ANN401 (whatever was written)
    """Read a scenario from its rows; raises a Problem that says, under a name, where it is wrong."""
    try:
        held = msgspec.convert(rows, Scenario)
        times = [parse_duration(text or "0s") for change in held.change for text in (change.begin, change.until)]
        macro, spin = held.macro, held.spin
    except (msgspec.ValidationError, Problem) as error:
        raise BAD_SCENARIO(name=name, **why(error)) from None
    if not SHORTEST <= macro <= LONGEST:
        raise _wrong(name, "step 应在 1 到 5 分钟之间", "step must be from 1 to 5 minutes")
    if spin > LONGEST_SPIN:
        raise _wrong(name, "spinup 最长 24 小时", "spinup can be 24 hours at most")
    if any(time > held.hours * 3600 * SECOND for time in times):
        raise _wrong(name, "有变动晚于推演的结束", "a change comes after the run has ended")
    return held


def check(scenario: Scenario, cards: Mapping[str, Card]) -> None:
    """Hold a scenario against the cards of its models: everything named is there, can be set or observed, and is in a unit that can be turned."""
    for change in scenario.change:
        _unit(scenario, cards, change.what, change.unit, settable=True)
    for rule in scenario.coupling:
        _unit(scenario, cards, rule.what, rule.unit, settable=False)
        _known(scenario, cards, rule.target, settable=True)
        if (rule.near is None) == (not rule.pairs):
            raise _wrong(scenario.name, f"规则“{rule.name}”要么写 near，要么写 pairs", f"rule '{rule.name}' needs either near or pairs")
    for what in scenario.watch:
        _known(scenario, cards, what, settable=False)


def check_objects(scenario: Scenario, objects: Mapping[str, Mapping[str, Collection[str]]]) -> None:
    """Refuse a scenario that names what its models have not."""
    named = [(change.what, change.what, change.of) for change in scenario.change if change.of != "*"]
    for rule in scenario.coupling:
        named += [(rule.name, rule.what, list(rule.pairs)), (rule.name, rule.target, [name for names in rule.pairs.values() for name in names])]
    for who, what, names in named:
        role, attribute = parted(what)
        there = set(objects[role].get(attribute.partition(".")[0], ()))
        for name in names:
            if name not in there:
                raise UNKNOWN_OBJECT(what=who, object=f"{role}:{name}")


def canonical(value: float, unit: str, wanted: str) -> float:
    """Turn a value into the wanted unit; both are known to be of one dimension."""
    if unit == wanted:
        return value
    (_, scale, shift), (_, to, back) = known_unit(unit) or ("", Fraction(1), Fraction(0)), known_unit(wanted) or ("", Fraction(1), Fraction(0))
    return float((Fraction(value) * scale + shift - back) / to)


def parted(what: str) -> tuple[str, str]:
    """Return role and attribute of `role:kind.name`."""
    role, _, attribute = what.partition(":")
    return role, attribute


def _known(scenario: Scenario, cards: Mapping[str, Card], what: str, *, settable: bool) -> str:
    """Return the unit of what is named."""
    role, attribute = parted(what)
    if role not in cards:
        raise _wrong(scenario.name, f"{what} 的“{role}”不在 models 里", f"'{role}' of {what} is not among its models")
    there = cards[role].inputs if settable else cards[role].observed
    if attribute not in there:
        words = ("能设的", "can be set") if settable else ("能看的", "can be observed")
        raise _wrong(scenario.name, f"{role} 没有 {attribute}；{words[0]}有 {'、'.join(there)}", f"{role} has no {attribute}; what {words[1]}: {', '.join(there)}")
    return there[attribute]


def _unit(scenario: Scenario, cards: Mapping[str, Card], what: str, unit: str, *, settable: bool) -> None:
    wanted = _known(scenario, cards, what, settable=settable)
    ours, theirs = known_unit(unit), known_unit(wanted)
    if unit != wanted and (ours is None or theirs is None or ours[0] != theirs[0]):
        raise UNITS_MIXED(what=what, canonical=wanted, unit=unit)


def _wrong(name: str, zh: str, en: str) -> Problem:
    return BAD_SCENARIO(name=name, why_zh=zh, why_en=en)
