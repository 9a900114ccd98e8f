"""For authors of packs: a clock that stands still, and the check of a pack's form."""

from zhongshu.app import check_pack
from zhongshu.kernel.clock import FrozenClock

__all__ = ["FrozenClock", "check_pack"]
