"""Properties and their units: a reading becomes an integer count of its property's resolution, exactly and once.

All aggregates later are over these ticks; so equal readings give equal bits on every engine.
"""

import functools
import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from zhongshu.kernel.problem import declare

WRONG_UNIT = declare(
    "reading.wrong_unit",
    "invalid",
    zh=("属性 {property} 的单位是 {canonical}，不接受“{unit}”。", "请换成 {canonical}，或一个可以换算的单位。"),
    en=("Property {property} is measured in {canonical}; '{unit}' cannot be converted.", "Send {canonical}, or a unit of the same dimension."),
)
BAD_PROPERTY = declare(
    "property.invalid",
    "invalid",
    zh=("属性 {property} 的声明有误：{why_zh}。", "请更正声明。"),
    en=("The declaration of property {property} is wrong: {why_en}.", "Correct the declaration."),
)

NULL = np.int64(-(2**63))
"""The ticks of a reading that says it has no value."""

MAX_TICKS = 2**40
"""No property may range beyond this many ticks, so that 2^22 readings sum within int64 and 2^40 fits a double."""

Ticks = npt.NDArray[np.int64]

# unit -> (dimension, factor to the dimension's own unit, offset)
_UNITS: dict[str, tuple[str, Fraction, Fraction]] = {}


def _unit(dimension: str, **factors: str) -> None:
    for name, factor in factors.items():
        scale, _, offset = factor.partition("+")
        _UNITS[name] = (dimension, Fraction(scale), Fraction(offset or 0))


_unit("length", mm="0.001", cm="0.01", m="1", km="1000", ft="0.3048", mi="1609.344")
_UNITS["in"] = ("length", Fraction("0.0254"), Fraction(0))
_unit("speed", kn="463/900", mph="0.44704")
_UNITS |= {"m/s": ("speed", Fraction(1), Fraction(0)), "km/h": ("speed", Fraction(5, 18), Fraction(0))}
_UNITS |= {"mm/h": ("rain", Fraction(1), Fraction(0)), "m3/s": ("flow", Fraction(1), Fraction(0)), "L/s": ("flow", Fraction(1, 1000), Fraction(0))}
_UNITS |= {"°C": ("temperature", Fraction(1), Fraction("273.15")), "K": ("temperature", Fraction(1), Fraction(0))}
_UNITS |= {"°F": ("temperature", Fraction(5, 9), Fraction("459.67") * Fraction(5, 9))}
_UNITS |= {"µg/m3": ("density", Fraction(1, 10**9), Fraction(0)), "mg/m3": ("density", Fraction(1, 10**6), Fraction(0))}
_unit("pressure", Pa="1", hPa="100", kPa="1000", MPa="1000000", bar="100000")
_unit("time", ms="0.001", s="1", min="60", h="3600", d="86400")
_unit("power", W="1", kW="1000", MW="1000000")
_unit("angle", deg="1")
_UNITS |= {"1": ("number", Fraction(1), Fraction(0)), "%": ("number", Fraction(1, 100), Fraction(0)), "‰": ("number", Fraction(1, 1000), Fraction(0))}
_unit("sound", dB="1")
_UNITS["dB(A)"] = ("sound", Fraction(1), Fraction(0))
_unit("turbidity", NTU="1")
_unit("energy", Wh="1", kWh="1000", MWh="1000000")
_ALIASES = {
    "ug/m3": "µg/m3",
    "μg/m3": "µg/m3",
    "µg/m³": "µg/m3",
    "μg/m³": "µg/m3",
    "mg/m³": "mg/m3",
    "kmh": "km/h",
    "km/hr": "km/h",
    "degC": "°C",
    "C": "°C",
    "m³/s": "m3/s",
    "": "1",
}
_NAME = re.compile(r"[A-Z][A-Za-z0-9]*\.[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a type of entity, declared once. Name `Type.attribute`; times in µs; range in the canonical unit."""

    name: str
    unit: str
    resolution: str
    low: float
    high: float
    rhythm: int
    lateness: int
    zh: str = ""
    en: str = ""

    def __post_init__(self) -> None:
        """Refuse a declaration that could not be kept."""
        if not _NAME.fullmatch(self.name):
            raise BAD_PROPERTY(property=self.name, why_zh="名称不是“类型.属性”的写法", why_en="the name is not Type.attribute")
        if known_unit(self.unit) is None:
            raise BAD_PROPERTY(property=self.name, why_zh=f"没有单位 {self.unit}", why_en=f"unknown unit {self.unit}")
        if not self.low < self.high or max(abs(self.low), abs(self.high)) / float(self.tick) > MAX_TICKS:
            raise BAD_PROPERTY(property=self.name, why_zh="范围为空，或超过 2^40 格", why_en="the range is empty or over 2^40 ticks")

    @property
    def type(self) -> str:
        """Return the entity type it belongs to."""
        return self.name.partition(".")[0]

    @property
    def tick(self) -> Fraction:
        """Return one tick in the canonical unit."""
        return Fraction(self.resolution)

    @property
    def ratio(self) -> tuple[float, float]:
        """Return one tick in the canonical unit as numerator and denominator."""
        return _ratio(self)

    def factor(self, unit: str | None) -> tuple[float, float]:
        """Return (scale, shift): ticks = rint(value · scale + shift) for values in `unit` (None: the canonical one)."""
        return _factor(self, unit)

    def _factor(self, unit: str | None) -> tuple[float, float]:
        ours = known_unit(self.unit)
        theirs = ours if unit is None else known_unit(unit)
        if ours is None or theirs is None or ours[0] != theirs[0]:
            raise WRONG_UNIT(property=self.name, canonical=self.unit, unit=unit)
        scale = theirs[1] / ours[1] / self.tick
        shift = (theirs[2] - ours[2]) / ours[1] / self.tick
        return float(scale), float(shift)

    def value(self, ticks: int | None) -> float | None:
        """Return ticks as a number of the canonical unit."""
        return None if ticks is None or ticks == NULL else float(Fraction(int(ticks)) * self.tick)


@functools.lru_cache(10_000)
def _ratio(prop: Property) -> tuple[float, float]:
    return float(prop.tick.numerator), float(prop.tick.denominator)


@functools.lru_cache(10_000)
def _factor(prop: Property, unit: str | None) -> tuple[float, float]:
    return prop._factor(unit)  # noqa: SLF001 (its own cache)


def known_unit(unit: str) -> tuple[str, Fraction, Fraction] | None:
    """Return (dimension, factor, offset) of a unit, or None if it is unknown."""
    return _UNITS.get(_ALIASES.get(unit, unit))


@functools.lru_cache(10_000)
def _bounds(prop: Property) -> tuple[float, float]:
    tick = float(prop.tick)
    return float(np.floor(prop.low / tick)), float(np.ceil(prop.high / tick))


def to_ticks(values: npt.NDArray[np.float64], scale: float, shift: float, prop: Property) -> tuple[Ticks, npt.NDArray[np.bool_]]:
    """Turn values into ticks, rounded half to even; the mask tells which were in range (NaN, infinity and overflow are not)."""
    with np.errstate(over="ignore", invalid="ignore"):
        raw = np.rint(values * scale + shift)
        low, high = _bounds(prop)
        inside = (raw >= low) & (raw <= high)
    return np.where(inside, raw, 0).astype(np.int64), inside
