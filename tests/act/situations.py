"""Made situations of several callers, with what is true of every two voices: one event, one cause in many homes, one person again, or nothing.

By seed and half; the training half speaks in training phrasings and the tested half in others. Streets, spots and times are drawn; 12 % of the classes are
mistaken, a fifth of the voices have no coordinates, a quarter of the homes are not named, and what is alike but not linked is made on purpose.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from labelled import BYROADS, ESTATES, PLACES, ROADS, Phrase, phrasings, say

from zhongshu.act.assist import EVENT, KIND, PERSON, Told
from zhongshu.kernel.clock import DAY, HOUR, MINUTE

BEGIN = 20_000 * DAY
MONTH = 30
METRE = 1 / 111_000
CONFUSABLE = (
    ("drainage.ponding", "drainage.overflow"),
    ("drainage.ponding", "drainage.blocked"),
    ("drainage.ponding", "hotline.water_supply"),
    ("drainage.ponding", "drainage.river"),
    ("hotline.water_supply", "hotline.collapse"),
    ("drainage.ponding", "hotline.collapse"),
    ("hotline.road_damage", "hotline.collapse"),
    ("hotline.road_damage", "drainage.manhole"),
    ("hotline.garbage", "hotline.dirty_road"),
    ("environment.air", "environment.burning"),
    ("environment.dust", "hotline.dirty_road"),
    ("drainage.overflow", "hotline.gas_smell"),
    ("hotline.tree", "hotline.cable"),
    ("environment.noise", "hotline.stall"),
    ("traffic.jam", "traffic.signal"),
    ("traffic.jam", "traffic.parking"),
)
HOMES = ("hotline.heating", "hotline.water_supply")
OUTDOOR = (
    "drainage.overflow drainage.manhole environment.dust environment.noise environment.burning hotline.garbage hotline.streetlight "
    "hotline.road_damage hotline.collapse hotline.cable hotline.stall hotline.tree traffic.parking traffic.signal"
).split()


@dataclass(frozen=True, slots=True)
class Made:
    """A voice and what is true of it: its event, its cause, and its caller's matter ('' where there is none)."""

    told: Told
    event: str
    cause: str = ""
    matter: str = ""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place: its street's area, a point, and what people call it."""

    street: int
    lon: float
    lat: float
    road: str
    place: str

    @property
    def byroad(self) -> "Spot":
        """Return the spot as one of the street's other road, at the other end of which nobody names the same places."""
        at = self.street // 10**6 % 1000 - 1
        return Spot(self.street, self.lon, self.lat, BYROADS[at], BYROADS[at] + "口")

    def moved(self, metres: float, chance: random.Random) -> "Spot":
        """Return a spot so far away, in any direction."""
        angle = chance.uniform(0, 2 * math.pi)
        lon = self.lon + metres * math.cos(angle) * METRE / math.cos(math.radians(self.lat))
        return Spot(self.street, lon, self.lat + metres * math.sin(angle) * METRE, self.road, self.place)


class Maker:
    """Makes the situations of one half, each with ids and callers of its own."""

    def __init__(self, half: str, seed: int) -> None:
        self.chance = random.Random(f"{seed} situations {half}")
        self.phrases: dict[str, list[Phrase]] = {}
        for phrase in phrasings():
            if phrase.half == half and not phrase.hard:
                self.phrases.setdefault(phrase.class_, []).append(phrase)
        self.half, self.count = half, 0

    def spot(self) -> Spot:
        """Draw a spot: a street of twenty, a road of its own there, a point within 600 m of its middle."""
        at = self.chance.randrange(20)
        lon, lat = 120.0 + 0.02 * (at % 5), 30.0 + 0.02 * (at // 5)
        return Spot(990101000000000 + (at + 1) * 10**6, lon, lat, ROADS[at], PLACES[at]).moved(self.chance.uniform(0, 600), self.chance)

    def when(self) -> int:
        """Draw a minute of the month."""
        return BEGIN + self.chance.randrange(MONTH * 24 * 60) * MINUTE

    def fresh(self, what: str) -> str:
        """Return a name nobody has."""
        self.count += 1
        return f"{self.half}-{what}-{self.count}"

    def voice(self, class_: str, spot: Spot, when: int, *, event: str, cause: str = "", reporter: str = "", matter: str = "", phrase: Phrase | None = None, door: str = "") -> Made:
        """Make a voice at a spot, some 25 m off, with its class mistaken at times and without coordinates at times."""
        chance = self.chance
        said = phrase or chance.choice(self.phrases[class_])
        home = door or f"{chance.choice(ESTATES)}{chance.randint(1, 28)}号楼{chance.randint(1, 4)}单元{chance.randint(1, 18)}0{chance.randint(1, 4)}"
        text = say(said, chance, road=spot.road, place=spot.place, door=home)
        kin = [b if a == class_ else a for a, b in CONFUSABLE if class_ in {a, b}]
        heard = chance.choice([*kin, ""]) if chance.random() < 0.12 else class_
        there = spot.moved(abs(chance.gauss(0, 25)), chance)
        blind = chance.random() < 0.2
        told = Told(
            self.fresh("voice"),
            text,
            heard,
            None if blind else there.lon,
            None if blind else there.lat,
            spot.street + 1000 * chance.randint(1, 3),
            when,
            reporter or self.fresh("caller"),
            door if "{door}" in said.text else spot.road + spot.place if blind or chance.random() < 0.5 else "",
        )
        return Made(told, event, cause, matter)

    # situations

    def plain(self) -> list[Made]:
        """Two to four people see one thing within four hours."""
        class_, spot, when, event = self.chance.choice(OUTDOOR), self.spot(), self.when(), self.fresh("event")
        return [
            self.voice(class_, spot.moved(self.chance.uniform(0, 60), self.chance), when + self.chance.randrange(240) * MINUTE, event=event)
            for _ in range(self.chance.randint(2, 4))
        ]

    def burst(self) -> list[Made]:
        """A burst main: forty calls in three hours, of a pipe, of water on the road, of the road giving way."""
        spot, when, event = self.spot(), self.when(), self.fresh("event")
        classes = self.chance.choices(("hotline.water_supply", "drainage.ponding", "hotline.collapse"), (2, 6, 2), k=40)
        pipe = [phrase for phrase in self.phrases["hotline.water_supply"] if "管" in phrase.text and "{road}" in phrase.text] or None
        made = []
        for class_ in classes:
            phrase = self.chance.choice(pipe) if pipe and class_ == "hotline.water_supply" else None
            made.append(self.voice(class_, spot.moved(self.chance.uniform(0, 120), self.chance), when + self.chance.randrange(180) * MINUTE, event=event, phrase=phrase))
        return made

    def outage(self, class_: str, homes: int) -> list[Made]:
        """One network fails: many homes of one street, each to be put right."""
        spot, when, cause = self.spot(), self.when(), self.fresh("cause")
        made = []
        for _ in range(homes):
            door = f"{self.chance.choice(ESTATES[:4])}{self.chance.randint(1, 28)}号楼{self.chance.randint(1, 4)}单元{self.chance.randint(1, 18)}0{self.chance.randint(1, 4)}"
            event, caller = self.fresh("home"), self.fresh("caller")
            at = spot.moved(self.chance.uniform(0, 700), self.chance)
            vague = [phrase for phrase in self.phrases[class_] if "{door}" not in phrase.text] if self.chance.random() < 0.25 else []
            for again in range(1 + (self.chance.random() < 0.08)):
                later = when + self.chance.randrange(480) * MINUTE + again * 30 * MINUTE
                made.append(self.voice(class_, at, later, event=event, cause=cause, reporter=caller, matter=event, phrase=self.chance.choice(vague) if vague else None, door=door))
        return made

    def heat(self) -> list[Made]:
        """Two hundred cold flats."""
        return self.outage("hotline.heating", 200)

    def dry(self) -> list[Made]:
        """Thirty homes without water."""
        return self.outage("hotline.water_supply", 30)

    def noise(self) -> list[Made]:
        """Two neighbouring streets, each kept awake by something of its own, on the same evening."""
        one, when = self.spot(), self.when()
        two = one.moved(self.chance.uniform(350, 600), self.chance).byroad
        made = []
        for spot in (one, two):
            event = self.fresh("event")
            made += [
                self.voice("environment.noise", spot.moved(self.chance.uniform(0, 60), self.chance), when + self.chance.randrange(150) * MINUTE, event=event)
                for _ in range(self.chance.randint(3, 6))
            ]
        return made

    def again(self) -> list[Made]:
        """One person calls five times in three weeks about one thing, twice from home."""
        class_, spot, when = self.chance.choice(OUTDOOR), self.spot(), self.when()
        caller, matter = self.fresh("caller"), self.fresh("matter")
        said = self.chance.choice(self.phrases[class_])
        return [
            self.voice(
                class_,
                spot.moved(3000, self.chance) if call in {1, 3} else spot,
                when + call * self.chance.randint(12, 96) * HOUR,
                event=matter,
                reporter=caller,
                matter=matter,
                phrase=said if self.chance.random() < 0.6 else None,
            )
            for call in range(5)
        ]

    def other_days(self) -> list[Made]:
        """The same words of the same place, two to six days apart, by different people."""
        class_, spot, when = self.chance.choice(OUTDOOR), self.spot(), self.when()
        said = self.chance.choice(self.phrases[class_])
        return [self.voice(class_, spot, when + day * self.chance.randint(2, 3) * DAY, event=self.fresh("event"), phrase=said) for day in range(3)]

    def apart(self) -> list[Made]:
        """The same words in the same hour, 800 to 1,200 m apart."""
        class_, spot, when = self.chance.choice(OUTDOOR), self.spot(), self.when()
        said = self.chance.choice(self.phrases[class_])
        far = spot.moved(self.chance.uniform(800, 1200), self.chance).byroad
        return [self.voice(class_, each, when + self.chance.randrange(60) * MINUTE, event=self.fresh("event"), phrase=said) for each in (spot, far)]

    def matters(self) -> list[Made]:
        """One person speaks of three different things within a month."""
        caller, when = self.fresh("caller"), self.when()
        classes = self.chance.sample(OUTDOOR, 3)
        return [
            self.voice(class_, self.spot(), when + self.chance.randrange(20 * 24) * HOUR, event=self.fresh("event"), reporter=caller, matter=self.fresh("matter"))
            for class_ in classes
        ]

    def beside(self) -> list[Made]:
        """Different things in one place and hour."""
        spot, when = self.spot(), self.when()
        mixed = self.chance.sample(OUTDOOR, 3)
        apart = [class_ for class_ in mixed if not any({class_, other} in map(set, CONFUSABLE) for other in mixed)]
        return [self.voice(class_, spot.moved(self.chance.uniform(0, 60), self.chance), when + self.chance.randrange(90) * MINUTE, event=self.fresh("event")) for class_ in apart]

    def sensed(self) -> list[Made]:
        """Two gauges find water on a road, and people call about it."""
        spot, when, event = self.spot(), self.when(), self.fresh("event")
        found = Told(self.fresh("finding"), f"道路积水 {spot.road}", "drainage.ponding", spot.lon, spot.lat, spot.street + 1000, when, "", spot.road, "drainage.ponding_depth")
        calls = [self.voice("drainage.ponding", spot.moved(self.chance.uniform(0, 80), self.chance), when + self.chance.randrange(120) * MINUTE, event=event) for _ in range(2)]
        beside = spot.moved(80, self.chance)
        next_ = Told(self.fresh("finding"), found.text, found.class_, beside.lon, beside.lat, found.area, when + 10 * MINUTE, "", spot.road, found.indicator)
        return [Made(found, event), Made(next_, event), *calls]

    def single(self) -> list[Made]:
        """One voice, alone."""
        return [self.voice(self.chance.choice(sorted(self.phrases)), self.spot(), self.when(), event=self.fresh("event"))]


PLAN: dict[str, tuple[Callable[[Maker], list[Made]], int]] = {
    "plain": (Maker.plain, 90),
    "burst": (Maker.burst, 5),
    "heat": (Maker.heat, 3),
    "dry": (Maker.dry, 5),
    "noise": (Maker.noise, 25),
    "again": (Maker.again, 40),
    "other_days": (Maker.other_days, 40),
    "apart": (Maker.apart, 40),
    "matters": (Maker.matters, 30),
    "beside": (Maker.beside, 30),
    "sensed": (Maker.sensed, 20),
    "single": (Maker.single, 60),
}


def situations(half: str, seed: int = 7) -> Iterator[tuple[str, list[Made]]]:
    """Yield the situations of a half (train or test), by name: 388 of each."""
    maker = Maker(half, seed)
    for name, (make, count) in PLAN.items():
        for _ in range(count):
            yield name, make(maker)


def heard(half: str, seed: int = 7) -> list[Made]:
    """Return every voice of a half as they came in."""
    return sorted((made for _, situation in situations(half, seed) for made in situation), key=lambda made: (made.told.when, made.told.id))


def truth(kind: str, one: Made, other: Made) -> bool | None:
    """Tell whether two voices are linked so; None where they are too far apart in time for it to be asked."""
    apart = abs(one.told.when - other.told.when)
    if kind == EVENT:
        same = one.event == other.event
        return None if same and apart > 12 * HOUR else same
    if kind == KIND:
        same = one.cause == other.cause != "" and one.event != other.event
        return None if same and apart > DAY else same
    return kind == PERSON and one.told.reporter == other.told.reporter and one.matter == other.matter != ""
