"""The assumption sheet of the made networks: every rule, once, with its unit and where it comes from. The networks read their values here and nowhere else.

It must never hold what follows from another row. A source of "assumed" is our own choice, made so that an ordinary day is ordinary; no document is claimed for it.
"""

import json
from dataclasses import asdict, dataclass
from functools import cache

ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Assumption:
    """One rule: its value in a unit, both names, and its source (document and clause, or "assumed")."""

    id: str
    zh: str
    en: str
    value: float
    unit: str
    source: str = ASSUMED


_DRAINS, _SUPPLY, _POWER, _STREET = "GB 50014-2021", "GB 50013-2018", "GB 50613-2010", "CJJ 37-2012"
SHEET: tuple[Assumption, ...] = (
    Assumption("plane.epsg", "模型坐标：CGCS2000 三度带，中央经线 123°", "Coordinates of the models: CGCS2000, 3-degree zone, meridian 123°", 4550, "EPSG", "EPSG registry"),
    Assumption("ground.bank", "水边地面标高", "Ground level at the water", 4.5, "m"),
    Assumption("ground.rise", "地面离水渐高", "Rise of the ground away from the water", 0.0012, "m/m"),
    Assumption("ground.reach", "地面渐高止于离水多远", "How far from the water the ground rises", 2500, "m"),
    Assumption("ground.wave", "地面起伏幅度", "Amplitude of the ground's waves", 0.8, "m"),
    Assumption("ground.wavelength", "地面起伏波长", "Length of the ground's waves", 1300, "m"),
    Assumption("rain.a", "暴雨强度公式 q = a(1 + c·lg P)/(t + b)^n 的 a", "a of the storm intensity q = a(1 + c·lg P)/(t + b)^n", 1600, "L/(s·ha)", "DB31/T 1043-2017"),
    Assumption("rain.c", "暴雨强度公式的 c", "c of the storm intensity", 0.846, "1", "DB31/T 1043-2017"),
    Assumption("rain.b", "暴雨强度公式的 b", "b of the storm intensity", 7.0, "min", "DB31/T 1043-2017"),
    Assumption("rain.n", "暴雨强度公式的 n", "n of the storm intensity", 0.656, "1", "DB31/T 1043-2017"),
    Assumption("rain.return_old", "老城管道建成时的重现期", "Return period that sewers of old quarters were built for", 0.33, "a"),
    Assumption("rain.return", "一般地区管道建成时的重现期（低于现行标准）", "Return period that sewers elsewhere were built for (below today's standard)", 0.7, "a"),
    Assumption("rain.return_central", "中心城区的设计重现期", "Design return period in the centre", 2, "a", f"{_DRAINS} 4.1.3"),
    Assumption("rain.inlet", "地面集水时间", "Time of inlet", 10, "min", f"{_DRAINS} 4.1.11"),
    Assumption("rain.velocity", "估算管内流行时间用的流速", "Velocity by which the time of flow is reckoned", 1.2, "m/s"),
    Assumption("runoff.open", "径流系数：空地", "Runoff share: open ground", 0.25, "1", f"{_DRAINS} 4.1.8"),
    Assumption("runoff.central", "径流系数：中心商务", "Runoff share: centre", 0.75, "1", f"{_DRAINS} 4.1.8"),
    Assumption("runoff.mixed", "径流系数：商住混合", "Runoff share: mixed use", 0.68, "1", f"{_DRAINS} 4.1.8"),
    Assumption("runoff.housing", "径流系数：住宅", "Runoff share: housing", 0.6, "1", f"{_DRAINS} 4.1.8"),
    Assumption("runoff.old", "径流系数：老城", "Runoff share: old quarters", 0.72, "1", f"{_DRAINS} 4.1.8"),
    Assumption("runoff.industry", "径流系数：工业", "Runoff share: industry", 0.68, "1", f"{_DRAINS} 4.1.8"),
    Assumption("runoff.school", "径流系数：学校", "Runoff share: schools", 0.5, "1", f"{_DRAINS} 4.1.8"),
    Assumption("runoff.park", "径流系数：公园绿地", "Runoff share: parks", 0.15, "1", f"{_DRAINS} 4.1.8"),
    Assumption("sewer.manning", "雨水管粗糙系数（混凝土管）", "Manning's n of storm sewers (concrete)", 0.013, "s/m^(1/3)", f"{_DRAINS} 5.2.3"),
    Assumption("sewer.least", "雨水管最小管径", "Least diameter of storm sewers", 300, "mm", f"{_DRAINS} 5.2.10"),
    Assumption("sewer.flattest", "大管最小坡度", "Least slope of the largest storm sewers", 0.0005, "m/m"),
    Assumption("sewer.velocity_least", "雨水管满流最小流速", "Least full-flow velocity of storm sewers", 0.75, "m/s", f"{_DRAINS} 5.2.7"),
    Assumption("sewer.cover", "车行道下最小覆土", "Least cover below a carriageway", 0.7, "m", f"{_DRAINS} 5.3.7"),
    Assumption("sewer.bank", "离水多近的路口设排放口", "Junctions so near the water have an outfall", 260, "m"),
    Assumption("sewer.apart", "排放口最小间距", "Least distance between outfalls", 350, "m"),
    Assumption("sewer.uphill", "逆坡一米抵多少米路", "Metres of way that a metre uphill costs", 400, "m"),
    Assumption("sewer.mid", "多长的路段中间设一个检查井节点", "Links this long have a manhole half-way", 150, "m"),
    Assumption("sewer.ponding", "可积水面积占汇水面积", "Share of a catchment on which water can stand", 0.06, "1"),
    Assumption("sewer.ponding_least", "每个节点可积水面积下限", "Least area on which water can stand at a node", 700, "m2"),
    Assumption("sewer.catchment_least", "每个节点汇水面积下限（道路本身）", "Least catchment of a node (the road itself)", 0.3, "ha"),
    Assumption("sewer.flow_length", "坡面流长度", "Length of overland flow", 80, "m"),
    Assumption("sewer.overland", "坡面坡度", "Slope of overland flow", 0.5, "%"),
    Assumption("sewer.routing", "水力计算步长", "Routing step", 10, "s"),
    Assumption("underpass.sump", "下穿通道集水井深", "Depth of an underpass's sump", 1.5, "m"),
    Assumption("underpass.pool", "下穿通道低处积水面积", "Area of the pool in an underpass", 1500, "m2"),
    Assumption("underpass.runoff", "下穿通道径流系数", "Runoff share of an underpass", 0.9, "1", f"{_DRAINS} 4.1.8"),
    Assumption("water.per_person", "人均综合用水（平均日）", "Water per person, average day", 240, "L/d", f"{_SUPPLY} 4.0.3"),
    Assumption("water.hour", "时变化系数", "Peak hour to mean hour", 1.5, "1", f"{_SUPPLY} 4.0.9"),
    Assumption("water.service", "最不利点服务水头（四层）", "Least service head (four storeys)", 20, "m", f"{_SUPPLY} 3.0.10"),
    Assumption("water.loss", "配水管网水头损失预留", "Head kept for losses in the mains", 14, "m"),
    Assumption("water.rough", "海曾—威廉系数", "Hazen-Williams coefficient", 120, "1", f"{_SUPPLY} 7.2.2"),
    Assumption("water.velocity", "经济流速", "Economic velocity", 0.9, "m/s"),
    Assumption("water.local", "支路配水管最小管径", "Least main in a local street", 200, "mm"),
    Assumption("water.collector", "次干路配水管最小管径", "Least main in a collector", 300, "mm"),
    Assumption("water.arterial", "主干路配水管最小管径", "Least main in an arterial", 400, "mm"),
    Assumption("water.cover", "给水管覆土", "Cover of water mains", 1.0, "m", f"{_SUPPLY} 7.4.7"),
    Assumption("water.people_works", "每座水厂服务人口", "People per waterworks", 150_000, "1"),
    Assumption("water.people_station", "每座加压泵站服务人口", "People per pump station", 15_000, "1"),
    Assumption("water.spare", "泵的余量", "Spare capacity of the pumps", 1.25, "1"),
    Assumption("water.tank", "清水池按平均用水存几小时", "Hours of mean use that a clear-water tank holds", 5, "h"),
    Assumption("water.tank_deep", "清水池水深", "Depth of a clear-water tank", 5, "m"),
    Assumption("water.tower", "水塔按平均用水存几小时", "Hours of mean use that a tower holds", 0.5, "h"),
    Assumption("water.tower_deep", "水塔（高位水柱）水深", "Depth of water in a tower", 18, "m"),
    Assumption("water.efficiency", "泵组效率", "Efficiency of a pump with its motor", 0.72, "1"),
    Assumption("grid.per_person", "人均用电负荷（平日高峰）", "Load per person, ordinary peak", 0.55, "kW"),
    Assumption("grid.central", "商务用地负荷", "Load of the centre", 120, "kW/ha"),
    Assumption("grid.industry", "工业用地负荷", "Load of industry", 90, "kW/ha"),
    Assumption("grid.signal", "一个信号路口的负荷", "Load of a signalised junction", 1.0, "kW"),
    Assumption("grid.factor", "功率因数", "Power factor", 0.95, "1", f"{_POWER} 5.9"),
    Assumption("grid.station", "每座 110 kV 变电站带多少负荷", "Load per 110 kV substation", 60, "MW"),
    Assumption("grid.feeder", "每条 10 kV 馈线带多少负荷", "Load per 10 kV feeder", 6.0, "MW"),
    Assumption("grid.trafo_use", "主变平日负载率上限", "Highest ordinary loading of a transformer", 0.65, "1"),
    Assumption("grid.resistance", "10 kV 电缆电阻（3×300 铜）", "Resistance of a 10 kV cable (3×300 copper)", 0.077, "Ω/km"),
    Assumption("grid.reactance", "10 kV 电缆电抗", "Reactance of a 10 kV cable", 0.09, "Ω/km"),
    Assumption("grid.capacitance", "10 kV 电缆电容", "Capacitance of a 10 kV cable", 370, "nF/km"),
    Assumption("grid.current", "10 kV 电缆载流量", "Rated current of a 10 kV cable", 0.48, "kA"),
    Assumption("grid.infeed", "110 kV 侧电压", "Voltage of the 110 kV side", 1.0, "pu"),
    Assumption("grid.cover", "电缆埋深", "Depth of cables", 0.7, "m", "GB 50217-2018 5.3.3"),
    Assumption("road.local", "支路设计速度", "Speed of local streets", 30, "km/h", f"{_STREET} 3.2.1"),
    Assumption("road.collector", "次干路设计速度", "Speed of collectors", 40, "km/h", f"{_STREET} 3.2.1"),
    Assumption("road.arterial", "主干路设计速度", "Speed of arterials", 60, "km/h", f"{_STREET} 3.2.1"),
    Assumption("road.expressway", "快速路设计速度", "Speed of expressways", 80, "km/h", f"{_STREET} 3.2.1"),
    Assumption("road.signal_wait", "信号控制路口的平均等待占红灯时间（中观仿真）", "Weight of the red time that is waited at a signal (mesoscopic)", 0.5, "1"),
    Assumption("road.trips", "早高峰每人每小时小汽车出行", "Car trips per person in the morning's busiest hour", 0.035, "1/h"),
    Assumption("road.hours", "写出几小时的车流，从 07:00 起", "Hours of traffic that are written, from 07:00", 6, "h"),
    Assumption("road.decay", "出行距离衰减", "Distance over which trips grow rarer by e", 3000, "m"),
    Assumption("road.reroute", "多久重新找一次路", "How often drivers look for a better way", 300, "s"),
    Assumption("road.people_station", "每座急救站服务人口", "People per ambulance station", 50_000, "1"),
    Assumption("road.ambulance", "每座急救站出车间隔", "Time between two ambulances of a station", 6, "min"),
    Assumption("road.reach", "急救站服务半径", "Reach of an ambulance station", 3500, "m"),
)
_BY_ID = {row.id: row for row in SHEET}


@cache
def given(ident: str) -> float:
    """Return the value of a rule."""
    return _BY_ID[ident].value


def sheet_json() -> bytes:
    """Return the sheet as it is written beside the models."""
    return json.dumps([asdict(row) for row in SHEET], ensure_ascii=False, indent=1).encode()
