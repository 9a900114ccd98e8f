"""What watches rain, water and pumps, and what each of them says; times in µs, ranges in the canonical unit.

Declares only: no limit, no level, no source stands here.
"""

from zhongshu.kernel.clock import HOUR, MINUTE
from zhongshu.kernel.entity import EntityType
from zhongshu.kernel.quantity import Property

TYPES = (
    EntityType("RainGauge", "雨量站", "Rain gauge", "rain", {}),
    EntityType("WaterLevelSensor", "水位计", "Water level sensor", "water", {"kind": str, "warning_cm": float, "underpass": str}),
    EntityType("PumpStation", "排水泵站", "Pump station", "pump", {"underpass": str, "capacity_m3h": float}),
    EntityType("Underpass", "下穿通道", "Underpass", "underpass", {"road": str, "depth_m": float, "catchment_ha": float, "length_m": float}),
    EntityType("ManholeCover", "智能井盖", "Manhole cover", "manhole", {"network": str}),
)

PROPERTIES = (
    Property("RainGauge.rain", "mm", "0.1", 0, 200, MINUTE, HOUR, "雨量（自上一报）", "Rain since the last report"),
    Property("RainGauge.rain_1m", "mm", "0.1", 0, 50, MINUTE, HOUR, "分钟雨量", "Rain of the minute that ended"),
    Property("RainGauge.intensity", "mm/h", "0.1", 0, 1000, MINUTE, HOUR, "瞬时雨强", "Rain intensity"),
    Property("WaterLevelSensor.depth", "cm", "0.1", 0, 1000, MINUTE, HOUR, "积水深度", "Depth of standing water"),
    Property("WaterLevelSensor.level", "m", "0.001", -100, 6000, MINUTE, HOUR, "河道水位", "River level"),
    Property("WaterLevelSensor.below_warning", "m", "0.001", -50, 50, MINUTE, HOUR, "距警戒水位（低于为正）", "Distance below the warning level (positive below)"),
    Property("WaterLevelSensor.fill", "%", "0.1", 0, 200, MINUTE, HOUR, "管道充满度", "Pipe fill"),
    Property("WaterLevelSensor.heartbeat", "1", "1", 0, 1, MINUTE, HOUR, "水位计心跳", "Sensor's heartbeat"),
    Property("PumpStation.running", "1", "1", 0, 1, MINUTE, HOUR, "水泵运行（1 运行，0 停）", "Pump running (1) or not (0)"),
    Property("PumpStation.ready", "1", "1", 0, 1, MINUTE, HOUR, "水泵可用（1 可用，0 故障）", "Pump ready (1) or faulty (0)"),
    Property("PumpStation.discharge", "m3/s", "0.001", 0, 500, MINUTE, HOUR, "排水流量", "Discharge"),
    Property("ManholeCover.open", "1", "1", 0, 1, 5 * MINUTE, HOUR, "井盖开启（1 开，0 闭）", "Cover open (1) or closed (0)"),
    Property("ManholeCover.heartbeat", "1", "1", 0, 1, 5 * MINUTE, HOUR, "井盖心跳", "Cover's heartbeat"),
)
