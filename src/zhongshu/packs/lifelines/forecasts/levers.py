"""What people may change before anything is decided."""

from zhongshu.foresee import Lever

CARS_PER_VISITOR = 0.2
"""Assumed: three of ten visitors come by car, one and a half in each."""

LEVERS = (
    Lever("rain", "降雨", "Rain", "sewers:gage.rain", draws="nothing", unit="mm", gives="mm/h", asks=True, low=0, high=500, lasts=True),
    Lever("close_road", "封闭道路", "Close a road", "roads:edge.closed", metres=20),
    Lever("speed_limit", "限速", "Limit the speed", "roads:edge.speed", metres=20, unit="km/h", asks=True, low=5, high=120),
    Lever("event", "大型活动", "Event", "roads:edge.visitors", metres=300, unit="1", value=CARS_PER_VISITOR, asks=True, low=0, high=200_000, shares=True, lasts=True),
    Lever("signals_out", "信号灯失电", "Signals go out", "roads:signal.dark", metres=60, nearest=True),
    Lever("gate", "开闸关闸", "Set a gate", "sewers:link.setting", metres=80, nearest=True, unit="%", gives="%", asks=True, low=0, high=100, after=100),
    Lever(
        "pump_truck", "调排水泵车", "Send a pump truck", "sewers:node.inflow", metres=150, nearest=True, unit="m3/h", gives="m3/s", value=-1 / 3600, asks=True, low=0, high=5_000
    ),
    Lever("new_load", "新建建筑用电", "A new building's power", "grid:load.extra", metres=400, nearest=True, unit="kW", gives="kW", asks=True, low=0, high=50_000),
    Lever("outage", "停电", "Power outage", "grid:bus.on", metres=150, value=0, after=1),
    Lever("burst", "爆管", "Burst main", "water:junction.leak", metres=150, nearest=True, unit="L/s", gives="m3/s/m0.5", value=0.001 / 30**0.5, asks=True, low=0, high=1_000),
    Lever("valve", "关阀", "Shut a valve", "water:link.open", metres=40, nearest=True, value=0, after=1),
)
