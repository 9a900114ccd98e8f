"""What a pack declares for looking ahead, as rows: what the record says to a model, what a model's state is called in the record, what people may change, and what they compare.

Each names a model by its role and an attribute of its objects, as `role:kind.attribute`; a row whose role or attribute a city's models have not is left out. Knows no engine.
"""

from typing import Annotated, Literal

import msgspec

from zhongshu.foresee.scenario import Coupling, Op, Source, Whole

Metres = Annotated[float, msgspec.Meta(gt=0, le=10_000)]


class Drive(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The record drives a model: every object of `target`'s kind follows the nearest entity that measures `property`, within so many metres.

    Before now it follows the mean of what was measured in each step. From now on it keeps the last for `hold` (empty: to the end), and is set to `after` then.
    `facets`: only entities that have these.
    """

    property: Whole
    target: Whole
    metres: Metres
    source: Source
    hold: str = ""
    after: float = 0.0
    facets: dict[str, str] = {}


class Sight(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A model's state is told as readings: what the object nearest to an entity, within so many metres, is at, is the entity's `property`.

    `factor`: what one of the model's unit is in the property's unit, where that is no plain turning of units. `event`: from where on (in the property's unit; with `below` down from there)
    it is something that has to be foreseen.
    """

    property: Whole
    what: Whole
    metres: Metres
    source: Source
    factor: float = 0.0
    event: float | None = None
    below: bool = False
    facets: dict[str, str] = {}


class Outcome(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What options are compared by: of the objects where `what` holds against a bound (or of all) their count, sum or mean, times `factor`; over time the most, the last, or the sum per hour.

    `people`: of the city's people the share that `what` (what is lacking) is of all that is wanted; `had` is the rest, what is there. `better`: whether less or more of it is.
    """

    id: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,39}$")]
    zh: Whole
    en: Whole
    unit: str
    what: Whole
    source: Source
    op: Op | Literal[""] = ""
    value: float = 0.0
    reckon: Literal["count", "sum", "mean", "people"] = "count"
    had: str = ""
    over: Literal["most", "last", "hours"] = "most"
    factor: float = 1.0
    better: Literal["less", "more"] = "less"
    decimals: Annotated[int, msgspec.Meta(ge=0, le=6)] = 0


class Lever(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Something people may change: `target` of the objects they point at is set to `value`, or (`asks`) to what they say between `low` and `high` of `unit`, times `value`, in `gives`.

    `draws`: what is drawn on the map to point at them: places, or nothing (all of them). Objects within `metres` of what is drawn are meant; `nearest`: only the nearest of them.
    `shares`: what is said is divided among the objects that are meant; `lasts`: it is an amount of the whole time it lasts, and becomes a rate per hour.
    """

    id: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,39}$")]
    zh: Whole
    en: Whole
    target: Whole
    draws: Literal["place", "nothing"] = "place"
    metres: Metres = 60.0
    nearest: bool = False
    value: float = 1.0
    after: float = 0.0
    unit: str = "1"
    gives: str = ""
    asks: bool = False
    low: float = 0.0
    high: float = 0.0
    shares: bool = False
    lasts: bool = False


class Foreseen(msgspec.Struct, frozen=True):
    """All rows of all packs."""

    couplings: tuple[Coupling, ...] = ()
    drives: tuple[Drive, ...] = ()
    sights: tuple[Sight, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    levers: tuple[Lever, ...] = ()
