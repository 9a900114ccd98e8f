"""By what options are compared."""

from zhongshu.foresee import Outcome, Source

_SHARE = Source("assumed", "of the city's people the share that what is not delivered is of all that is wanted at that time: those who use most count for most")
_PONDING = Source("GB 51222-2017 城镇内涝防治技术规范", "3.2.2: water on a road deeper than 15 cm is waterlogging")
_RECKONED = Source("reckoned", "a plain sum of what the engine says")

OUTCOMES = (
    Outcome("flooded", "积水点", "Flooded places", "1", "sewers:node.ponding", _PONDING, op=">", value=0.15),
    Outcome("dry_people", "断水人口", "People without water", "1", "water:node.deficit", _SHARE, op=">", value=1e-6, reckon="people", had="water:node.served"),
    Outcome("dark_people", "失电人口", "People without power", "1", "grid:load.lost", _SHARE, op=">", value=1e-6, reckon="people", had="grid:load.power"),
    Outcome("dark", "失电台区", "Places without power", "1", "grid:bus.supplied", _RECKONED, op="=", value=0.0),
    Outcome("on_the_road", "路上总时间", "Time spent on the road", "veh·h", "roads:net.running", _RECKONED, reckon="sum", over="hours"),
    Outcome("response", "救护车到达", "Ambulance's way", "min", "roads:trip.time", _RECKONED, op=">", value=0.0, reckon="mean", over="last", factor=1 / 60, decimals=1),
)
