"""What the lifelines' models are driven by, seen as and coupled by, and what people may change and compare. Roles: roads, sewers, water, grid."""

from zhongshu.packs.lifelines.forecasts.couplings import COUPLINGS
from zhongshu.packs.lifelines.forecasts.levers import LEVERS
from zhongshu.packs.lifelines.forecasts.outcomes import OUTCOMES
from zhongshu.packs.lifelines.forecasts.record import DRIVES, SIGHTS

__all__ = ["COUPLINGS", "DRIVES", "LEVERS", "OUTCOMES", "SIGHTS"]
