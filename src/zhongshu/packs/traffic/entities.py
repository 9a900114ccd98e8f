"""What watches the city's traffic and what each of them says; times in µs, ranges in the canonical unit.

Declares only: no limit, no level, no source stands here.
"""

from zhongshu.kernel.clock import HOUR, MINUTE
from zhongshu.kernel.entity import EntityType
from zhongshu.kernel.quantity import Property

SERVED = {"trips_per_day": int, "first_departure": str, "last_departure": str, "headway_min": float}
"""How a timetable serves a stop or a line on its busiest day: departures, the first and the last (HH:MM, past 24:00), minutes between two."""

TYPES = (
    EntityType("TrafficDetector", "交通检测器", "Traffic detector", "traffic", {"class": str, "length_m": float, "free_kmh": float}),
    EntityType("ParkingLot", "停车场", "Car park", "parking", {"capacity": int}),
    EntityType("TrafficSignal", "信号灯", "Traffic signal", "traffic"),
    EntityType("BusStop", "公交站", "Bus stop", "bus", {"shelter": int, "stop_id": str, "feed": str, "code": str, "platform": str, "station": str, "lines": int, **SERVED}),
    EntityType("BusLine", "公交线路", "Transit line", "bus", {"mode": str, "number": str, "agency": str, "route_id": str, "feed": str, "stops": int, **SERVED}),
    EntityType("Vehicle", "运营车辆", "Vehicle in service", "bus"),
    EntityType("Road", "道路", "Road", "road", {"class": str, "length_m": float, "lanes": int, "oneway": int, "from": str, "to": str}),
)

PROPERTIES = (
    Property("TrafficDetector.speed", "km/h", "0.1", 0, 300, MINUTE, HOUR, "平均车速", "Mean speed"),
    Property("TrafficDetector.flow", "1", "1", 0, 100000, MINUTE, HOUR, "流量（辆/小时）", "Flow (vehicles per hour)"),
    Property("ParkingLot.free", "1", "1", 0, 100000, 5 * MINUTE, HOUR, "空余车位", "Free places"),
    Property("BusStop.next_bus", "min", "0.1", 0, 600, MINUTE, 10 * MINUTE, "下一班到站时间", "Minutes to the next bus"),
    Property("BusLine.vehicles", "1", "1", 0, 10000, MINUTE, HOUR, "在线车辆", "Vehicles on the line"),
    Property("BusLine.delay", "s", "1", -86400, 86400, MINUTE, HOUR, "平均晚点", "Mean delay"),
    Property("Vehicle.lon", "deg", "0.000001", -180, 180, MINUTE, HOUR, "经度", "Longitude"),
    Property("Vehicle.lat", "deg", "0.000001", -90, 90, MINUTE, HOUR, "纬度", "Latitude"),
    Property("Vehicle.speed", "km/h", "0.1", 0, 300, MINUTE, HOUR, "车速", "Speed"),
    Property("Vehicle.bearing", "deg", "0.1", 0, 360, MINUTE, HOUR, "航向", "Bearing"),
    Property("Vehicle.delay", "s", "1", -86400, 86400, MINUTE, HOUR, "晚点", "Delay"),
)
