"""What measures the city's air, sound and weather, and what each of them says; times in µs, ranges in the canonical unit.

Declares only: no limit, no level, no source stands here.
"""

from zhongshu.kernel.clock import DAY, HOUR, MINUTE
from zhongshu.kernel.entity import EntityType
from zhongshu.kernel.quantity import Property

TYPES = (
    EntityType("AirQualityStation", "空气质量监测站", "Air quality station", "air", {"grade": str}),
    EntityType("WeatherStation", "气象站", "Weather station", "weather", {}),
    EntityType("NoiseMonitor", "噪声监测点", "Noise monitor", "noise", {"zone": str}),
    EntityType("Warning", "预警信息通道", "Channel of an authority's warnings", "warning", {"hazard": str, "issuer": str}),
)

PROPERTIES = (
    Property("AirQualityStation.pm25", "µg/m3", "0.1", 0, 5000, MINUTE, 2 * HOUR, "PM2.5 浓度", "PM2.5"),
    Property("AirQualityStation.pm10", "µg/m3", "0.1", 0, 10000, MINUTE, 2 * HOUR, "PM10 浓度", "PM10"),
    Property("AirQualityStation.so2", "µg/m3", "0.1", 0, 10000, MINUTE, 2 * HOUR, "二氧化硫浓度", "Sulphur dioxide"),
    Property("AirQualityStation.no2", "µg/m3", "0.1", 0, 10000, MINUTE, 2 * HOUR, "二氧化氮浓度", "Nitrogen dioxide"),
    Property("AirQualityStation.co", "mg/m3", "0.001", 0, 500, MINUTE, 2 * HOUR, "一氧化碳浓度", "Carbon monoxide"),
    Property("AirQualityStation.o3", "µg/m3", "0.1", 0, 5000, MINUTE, 2 * HOUR, "臭氧浓度", "Ozone"),
    Property("AirQualityStation.temperature", "°C", "0.1", -60, 60, HOUR, DAY, "气温（空气站）", "Air temperature at the air station"),
    Property("AirQualityStation.pressure", "hPa", "0.1", 500, 1100, HOUR, DAY, "气压（空气站）", "Air pressure at the air station"),
    Property("AirQualityStation.dew_point", "°C", "0.1", -70, 50, HOUR, DAY, "露点温度（空气站）", "Dew point at the air station"),
    Property("AirQualityStation.rain_1h", "mm", "0.1", 0, 400, HOUR, DAY, "小时降水量（空气站）", "Rain of the hour at the air station"),
    Property("AirQualityStation.wind_speed", "m/s", "0.1", 0, 90, HOUR, DAY, "风速（空气站）", "Wind speed at the air station"),
    Property("WeatherStation.temperature", "°C", "0.1", -60, 60, MINUTE, HOUR, "气温", "Air temperature"),
    Property("WeatherStation.humidity", "%", "0.1", 0, 100, MINUTE, HOUR, "相对湿度", "Relative humidity"),
    Property("WeatherStation.pressure", "hPa", "0.1", 500, 1100, MINUTE, HOUR, "气压", "Air pressure"),
    Property("WeatherStation.wind_speed", "m/s", "0.1", 0, 90, MINUTE, HOUR, "风速", "Wind speed"),
    Property("WeatherStation.wind_direction", "deg", "1", 0, 360, MINUTE, HOUR, "风向（来向）", "Wind direction (from)"),
    Property("NoiseMonitor.leq", "dB(A)", "0.1", 0, 160, MINUTE, HOUR, "等效连续 A 声级", "Equivalent continuous A-weighted level"),
    Property("NoiseMonitor.leq_day", "dB(A)", "0.1", 0, 160, MINUTE, HOUR, "昼间等效声级（6—22 时）", "Equivalent level by day (06:00–22:00)"),
    Property("NoiseMonitor.leq_night", "dB(A)", "0.1", 0, 160, MINUTE, HOUR, "夜间等效声级（22—6 时）", "Equivalent level by night (22:00–06:00)"),
    Property("Warning.in_force", "1", "1", 0, 1, MINUTE, HOUR, "预警在效（1 在效，0 无）", "A warning is in force (1) or not (0)"),
    Property("Warning.colour", "1", "1", 0, 4, MINUTE, HOUR, "预警颜色（0 无，1 蓝，2 黄，3 橙，4 红）", "Colour of the warning (0 none, 1 blue, 2 yellow, 3 orange, 4 red)"),
)
