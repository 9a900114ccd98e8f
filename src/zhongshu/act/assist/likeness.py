"""How alike two voices are, in numbers and in words a person can check: metres, minutes, kind, words, named place, home, caller, sign.

What each counts stands in rows, fitted on made situations (`fit`); a city fits its own from what its people decided. Must never know a store or an index.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zhongshu.act.assist.grams import cut, fold
from zhongshu.kernel.area import Level, at_level
from zhongshu.kernel.clock import MINUTE

EVENT, KIND, PERSON = "same_event", "same_kind", "same_person"
"""同一事件 (one thing seen by several), 同类关联 (one cause, many homes), 同人重复 (one person again)."""

_EARTH = 6_371_008.8
_ENDINGS = "大道|广场|公园|小区|花园|家园|医院|小学|中学|市场|超市|公寓|宿舍|新村|路|街|巷|站|桥|馆|店|局|宫|苑|湾|家"
_NAME = re.compile(rf"(?=([\u4e00-\u9fff]{{2}}(?:{_ENDINGS})))")
_DOOR = re.compile(r"(?<![月\d])(\d{1,4})(?:号楼|栋|幢|号(?![线码]))(?:(\d{1,2})单元)?(?:(\d{3,4})室?)?")
_NAMES = 12
"""Names of places read out of one voice, the address's first: a hostile text cannot fill the index."""
_SAME_DOOR_METRES = 150
_SAID_ALIKE = 0.25
_HOUR, _DAY = 60, 1440


@dataclass(frozen=True, slots=True)
class Told:
    """A voice or a lead as it is compared: degrees (EPSG:4490) or None, the area's key, µs; what is not known is ''."""

    id: str
    text: str
    class_: str
    lon: float | None
    lat: float | None
    area: int
    when: int
    reporter: str = ""
    address: str = ""
    indicator: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """A voice with what was read out of its words once: its grams of two and more, names of places, and its door."""

    told: Told
    grams: frozenset[int]
    names: frozenset[str]
    door: str


@dataclass(frozen=True, slots=True)
class Pair:
    """What lies between two voices: metres or None, minutes, and the rest as features by name (0 to 1)."""

    metres: float | None
    minutes: int
    names: tuple[str, ...]
    features: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Weight:
    """One row: what a feature counts for a kind of link (log odds)."""

    kind: str
    feature: str
    value: float


FEATURES = {
    EVENT: (
        "base",
        "near",
        "close",
        "placeless",
        "soon",
        "same day",
        "same class",
        "kin class",
        "words",
        "named",
        "placeless, named",
        "other door",
        "homes apart",
        "homes unnamed",
        "same caller",
        "same sign",
    ),
    KIND: ("base", "homes apart", "homes unnamed", "other door", "near", "soon", "same community", "words"),
    PERSON: ("base", "same class", "kin class", "words", "named", "close", "days"),
}
"""What is looked at for each kind of link; the rest lies in its candidates already."""

AGAINST = {(kind, name) for kind in FEATURES for name in ("base", "other door", "homes apart", "homes unnamed")} | {(KIND, "near")}
"""What may speak against a link: all else is a likeness."""

WEIGHTS = (
    Weight(EVENT, "base", -14.9),
    Weight(EVENT, "near", 5.81),
    Weight(EVENT, "close", 4.84),
    Weight(EVENT, "placeless", 2.7),
    Weight(EVENT, "soon", 2.15),
    Weight(EVENT, "same day", 4.15),
    Weight(EVENT, "same class", 5.55),
    Weight(EVENT, "kin class", 5.17),
    Weight(EVENT, "words", 0.0),
    Weight(EVENT, "named", 1.23),
    Weight(EVENT, "placeless, named", 2.7),
    Weight(EVENT, "other door", -2.4),
    Weight(EVENT, "homes apart", -8.46),
    Weight(EVENT, "homes unnamed", -6.72),
    Weight(EVENT, "same caller", 5.64),
    Weight(EVENT, "same sign", 0.1),
    Weight(KIND, "base", -3.9),
    Weight(KIND, "homes apart", 11.72),
    Weight(KIND, "homes unnamed", 9.27),
    Weight(KIND, "other door", 0.78),
    Weight(KIND, "near", -4.36),
    Weight(KIND, "soon", 0.0),
    Weight(KIND, "same community", 0.02),
    Weight(KIND, "words", 0.0),
    Weight(PERSON, "base", -2.08),
    Weight(PERSON, "same class", 3.87),
    Weight(PERSON, "kin class", 2.23),
    Weight(PERSON, "words", 1.98),
    Weight(PERSON, "named", 2.47),
    Weight(PERSON, "close", 1.16),
    Weight(PERSON, "days", 1.3),
)
"""Fitted on the training half of the situations made for the tests; a city hands in its own."""


def read(told: Told) -> Read:
    """Read a voice once; never raises, whatever its text."""
    grams = cut(told.text)
    place = fold(f"{told.address} {told.text}")
    door = _DOOR.search(place)
    return Read(told, frozenset(grams.numbers[grams.orders > 1].tolist()), frozenset(_NAME.findall(place)[:_NAMES]), "/".join(part or "" for part in door.groups()) if door else "")


def compare(one: Read, other: Read, kin: frozenset[str], homes: frozenset[str], shared: Sequence[str]) -> Pair:
    """Compare two voices. `kin`: classes confusable with the first's; `homes`: classes whose every voice is a home of its own; `shared`: names of places both say."""
    a, b = one.told, other.told
    metres, minutes = _metres(a, b), abs(a.when - b.when) // MINUTE
    home = float(a.class_ == b.class_ and a.class_ in homes)
    same_door = float(bool(one.door) and one.door == other.door and (metres is None or metres <= _SAME_DOOR_METRES))
    features = {
        "base": 1.0,
        "near": 0.0 if metres is None else math.exp(-metres / 150),
        "close": 0.0 if metres is None else math.exp(-metres / 500),
        "placeless": float(metres is None),
        "soon": math.exp(-minutes / (2 * _HOUR)),
        "same day": math.exp(-minutes / (12 * _HOUR)),
        "days": math.exp(-minutes / (10 * _DAY)),
        "same class": float(a.class_ == b.class_ != ""),
        "kin class": float(b.class_ in kin),
        "words": _alike(one.grams, other.grams),
        "named": float(bool(shared)),
        "placeless, named": float(metres is None and bool(shared)),
        "same door": same_door,
        "other door": float(bool(one.door) and bool(other.door) and not same_door),
        "homes apart": home * (1 - same_door) * float(bool(one.door) or bool(other.door)),
        "homes unnamed": home * float(not one.door and not other.door),
        "same community": float(at_level(a.area, Level.COMMUNITY) == at_level(b.area, Level.COMMUNITY)),
        "same caller": float(a.reporter == b.reporter != ""),
        "same sign": float(a.indicator == b.indicator != ""),
    }
    return Pair(metres, minutes, tuple(shared), features)


def share(kind: str, features: Mapping[str, float], weights: Mapping[tuple[str, str], float]) -> float:
    """Return the share of belief (0 to 1) that a pair is of a kind."""
    return 1 / (1 + math.exp(-max(-40.0, min(40.0, sum(weights.get((kind, name), 0.0) * value for name, value in features.items())))))


def fit(rows: Sequence[Mapping[str, float]], true: Sequence[bool], kind: str, ridge: float = 1.0) -> tuple[Weight, ...]:
    """Fit a kind's weights to pairs that people judged. A likeness never counts against: what would is left out (0), and the rest fitted again."""
    names = list(FEATURES[kind])
    while True:
        weights = _newton(np.array([[row[name] for name in names] for row in rows], dtype=np.float64), np.array(true, dtype=np.float64), ridge)
        against = [(value, name) for value, name in zip(weights.tolist(), names, strict=True) if value < 0 and (kind, name) not in AGAINST]
        if not against:
            fitted = dict(zip(names, weights.tolist(), strict=True))
            return tuple(Weight(kind, name, round(fitted.get(name, 0.0), 2)) for name in FEATURES[kind])
        names.remove(min(against)[1])


def _newton(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], ridge: float) -> npt.NDArray[np.float64]:
    """Fit a logistic regression with a ridge by Newton's steps."""
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -40, 40)))
        bend = (x * (p * (1 - p))[:, None]).T @ x + ridge * np.eye(len(w))
        step = np.linalg.solve(bend, x.T @ (p - y) + ridge * w)
        w -= step
        if float(np.abs(step).max()) < 1e-8:  # noqa: PLR2004 (the search has ended)
            break
    return w


def reason(kind: str, pair: Pair) -> tuple[str, str]:
    """Say in zh and en why two voices are proposed as linked."""
    has = pair.features
    zh, en = [], []
    for holds, said_zh, said_en in (
        (kind == PERSON, "同一来电人", "same caller"),
        (kind == KIND, "同一街道", "same street"),
        (pair.metres is not None, f"{pair.metres or 0:.0f} m", f"{pair.metres or 0:.0f} m"),
        (True, *_lapse(pair.minutes)),
        (has["same class"] > 0, "同类", "same kind"),
        (has["kin class"] > 0, "易混类", "kinds often confused"),
        (kind == KIND and not has["same door"], "不同住户", "different homes"),
        (bool(pair.names), f"同提“{'、'.join(pair.names[:2])}”", f"both name {', '.join(pair.names[:2])}"),
        (has["same sign"] > 0, "同一体征", "same vital sign"),
        (has["words"] >= _SAID_ALIKE, f"用词相近 {has['words']:.0%}", f"words alike {has['words']:.0%}"),
        (kind == EVENT and has["same caller"] > 0, "同一来电人", "same caller"),
    ):
        if holds:
            zh.append(said_zh)
            en.append(said_en)
    return " · ".join(zh), " · ".join(en)


def _lapse(minutes: int) -> tuple[str, str]:
    if minutes < 2 * _HOUR:
        return f"{minutes} 分钟", f"{minutes} min"
    if minutes < 2 * _DAY:
        return f"{minutes // _HOUR} 小时", f"{minutes // _HOUR} h"
    return f"{minutes // _DAY} 天", f"{minutes // _DAY} days"


def _alike(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / math.sqrt(len(one) * len(other)) if one and other else 0.0


def _metres(a: Told, b: Told) -> float | None:
    """Return the great-circle distance (haversine), or None where a place is not known."""
    if a.lon is None or a.lat is None or b.lon is None or b.lat is None or not all(map(math.isfinite, (a.lon, a.lat, b.lon, b.lat))):
        return None
    half_lat, half_lon = math.radians(b.lat - a.lat) / 2, math.radians(b.lon - a.lon) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(math.radians(a.lat)) * math.cos(math.radians(b.lat)) * math.sin(half_lon) ** 2
    return 2 * _EARTH * math.asin(min(1.0, math.sqrt(chord)))
