"""The feeds of air and weather that Zhongshu reads as they are published, declared as rows.

Knows headers, units, zones and places; knows no format's code.
"""

from zhongshu.kernel.clock import HOUR
from zhongshu.sense import Column, Source, Wide

BEIJING_PLACES = {
    "Aotizhongxin": (116.397, 39.982),
    "Dongsi": (116.417, 39.929),
    "Guanyuan": (116.339, 39.929),
    "Huairou": (116.628, 40.328),
    "Shunyi": (116.655, 40.127),
    "Wanliu": (116.287, 39.987),
}
"""Six stations' (lon, lat) in degrees, ±0.001°, as found alike in three public works on the data set; it publishes none, so other stations stay unplaced."""

BEIJING_AIR = Source(
    name="environment.beijing_air",
    zh="北京多站点空气质量（UCI 公开数据，2013—2017）",
    en="Beijing multi-site air quality (UCI open data, 2013–2017)",
    owner="dept-environment",
    zone="Asia/Shanghai",
    entities="register",
    interval="start",
    rhythm=HOUR,
    licence="CC BY 4.0",
    mapping=Wide(
        type="AirQualityStation",
        id="station",
        time=("year", "month", "day", "hour"),
        columns=(
            Column("PM2.5", "AirQualityStation.pm25", "µg/m3"),
            Column("PM10", "AirQualityStation.pm10", "µg/m3"),
            Column("SO2", "AirQualityStation.so2", "µg/m3"),
            Column("NO2", "AirQualityStation.no2", "µg/m3"),
            Column("CO", "AirQualityStation.co", "µg/m3"),
            Column("O3", "AirQualityStation.o3", "µg/m3"),
            Column("TEMP", "AirQualityStation.temperature", "°C"),
            Column("PRES", "AirQualityStation.pressure", "hPa"),
            Column("DEWP", "AirQualityStation.dew_point", "°C"),
            Column("RAIN", "AirQualityStation.rain_1h", "mm"),
            Column("WSPM", "AirQualityStation.wind_speed", "m/s"),
        ),
        places=BEIJING_PLACES,
        owner="dept-environment",
    ),
)

SOURCES = (BEIJING_AIR,)
