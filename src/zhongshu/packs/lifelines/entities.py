"""A pipe or cable below a street: its network (storm, water, power), its name in the network's model, and what it is made of.

Declares only: where the pipes lie, the survey knows.
"""

from zhongshu.kernel.entity import EntityType
from zhongshu.kernel.quantity import Property

TYPES = (EntityType("Pipe", "地下管线", "Pipe", "pipe", {"network": str, "model": str, "diameter_mm": float, "material": str, "depth_m": float, "year": int}),)

PROPERTIES: tuple[Property, ...] = ()
