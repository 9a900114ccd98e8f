"""The lifelines have no things of their own: what they speak of, other packs declare.

Declares only: no limit, no level, no source stands here.
"""

from zhongshu.kernel.entity import EntityType
from zhongshu.kernel.quantity import Property

TYPES: tuple[EntityType, ...] = ()
PROPERTIES: tuple[Property, ...] = ()
