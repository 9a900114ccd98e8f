"""Nothing of its own: the playbooks act on cases, whose types and properties other packs declare."""

from zhongshu.kernel.entity import EntityType
from zhongshu.kernel.quantity import Property

TYPES: tuple[EntityType, ...] = ()
PROPERTIES: tuple[Property, ...] = ()
