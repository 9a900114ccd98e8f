"""Anything with an id: a device, a road, a building, an organisation. Shaped after NGSI-LD: id, type, attributes, place, grade."""

from dataclasses import dataclass, field

from zhongshu.kernel.ids import is_urn
from zhongshu.kernel.problem import declare

BAD_ENTITY = declare(
    "entity.bad_id",
    "invalid",
    zh=("“{id}”不是实体编号。", "实体编号是 URN，例如 urn:zs:RainGauge:YT-0001。"),
    en=("'{id}' is not an entity id.", "An entity id is a URN, for example urn:zs:RainGauge:YT-0001."),
)
UNKNOWN_ENTITY = declare(
    "entity.unknown",
    "unknown",
    zh=("没有编号为 {id} 的实体。", "请先登记，或把数据源设为 entities = register。"),
    en=("There is no entity {id}.", "Register it first, or let its source register: entities = register."),
)


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity. `area` is a 15-digit key; `lon`, `lat` in degrees (EPSG:4490) or None; `facets` are fixed at registration."""

    id: str
    type: str
    name_zh: str
    name_en: str
    area: int
    lon: float | None = None
    lat: float | None = None
    owner: str = ""
    grade: int = 1
    facets: dict[str, str | float | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an id that is no URN."""
        if not is_urn(self.id):
            raise BAD_ENTITY(id=self.id)


@dataclass(frozen=True, slots=True)
class EntityType:
    """A type of entity, declared by a pack: its names, a map icon, and its facets (name → str, float or int)."""

    name: str
    zh: str
    en: str
    icon: str = "dot"
    facets: dict[str, type] = field(default_factory=dict)
