"""Who may see what, once decided: a scope of areas, a ceiling of grade, and fields. The guard makes it; queries and streams obey it."""

from dataclasses import dataclass, field

from zhongshu.kernel.area import UNIT, Level

EVERYWHERE = ((0, 10**15),)


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone who asks: a party's id, its roles, each with the codes of its areas, and how it signed in."""

    id: str
    name: str = ""
    roles: tuple[tuple[str, int], ...] = ()
    means: str = "anonymous"
    unit: str = ""

    @property
    def role_names(self) -> frozenset[str]:
        """Return the roles' names without their areas."""
        return frozenset(name for name, _ in self.roles)


ANONYMOUS = Principal("anonymous")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a decision allows: half-open intervals of area codes, the highest grade, fields hidden, and a unit if only its own."""

    areas: tuple[tuple[int, int], ...] = ()
    grade: int = 1
    hidden: frozenset[str] = field(default_factory=frozenset)
    unit: str = ""

    def holds(self, area: int) -> bool:
        """Tell whether an area lies in the scope."""
        return any(low <= area < high for low, high in self.areas)

    def touches(self, low: int, high: int) -> bool:
        """Tell whether an interval of areas meets the scope."""
        return any(a < high and low < b for a, b in self.areas)

    def __bool__(self) -> bool:
        """Tell whether anything at all is allowed."""
        return bool(self.areas)


def street_of(area: int) -> int:
    """Return the street an area lies in, the finest level a scope is given for."""
    return area // UNIT[Level.STREET] * UNIT[Level.STREET]
