"""How one lifeline's state bears on another's; each rule with where it comes from."""

from zhongshu.foresee import Coupling

COUPLINGS: tuple[Coupling, ...] = ()
