"""Who is responsible in a made city: departments, street offices, the call centre and the channels of warnings.

It must never know a case.
"""

from zhongshu.kernel.area import Level, show_area
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.ids import urn
from zhongshu.survey.areas import Areas

DEPARTMENTS = (
    ("drainage", "排水处", "Drainage office"),
    ("urban", "城管处", "City management office"),
    ("traffic", "交通管理处", "Traffic office"),
    ("police", "公安处", "Police office"),
    ("environment", "环境监测处", "Environment office"),
    ("water", "供水处", "Water supply office"),
    ("weather", "气象处", "Weather office"),
    ("emergency", "应急处", "Emergency office"),
    ("hotline", "12345 热线中心", "12345 hotline centre"),
    ("sanitation", "环卫处", "Sanitation office"),
    ("road", "市政道路处", "Roads office"),
    ("transport", "公共交通处", "Public transport office"),
    ("lighting", "照明处", "Lighting office"),
    ("landscape", "园林处", "Parks office"),
    ("housing", "住建处", "Housing and construction office"),
    ("gas", "燃气处", "Gas office"),
    ("heating", "供热处", "Heating office"),
    ("power", "供电处", "Power office"),
    ("iot", "感知设施中心", "Sensing centre"),
)


def organisations(areas: Areas) -> list[Entity]:
    """Return the departments at the city's seat, one office per street, and the offices' channels."""
    city = areas.city
    rows = [
        Entity(urn("Organisation", f"dept-{key}"), "Organisation", zh, en, city.code, city.lon, city.lat, f"dept-{key}", facets={"kind": "department"})
        for key, zh, en in DEPARTMENTS
    ]
    rows += [
        Entity(
            urn("Organisation", f"street-{show_area(street.code)}"),
            "Organisation",
            f"{street.name_zh}办事处",
            f"{street.name_en} Office",
            street.code,
            street.lon,
            street.lat,
            f"street-{show_area(street.code)}",
            facets={"kind": "street"},
        )
        for street in areas.at(Level.STREET)
    ]
    channels = (("rainstorm", "暴雨", "rainstorm"), ("heat", "高温", "heat"))
    rows += [
        Entity(
            urn("Warning", f"yunting-{key}"),
            "Warning",
            f"云汀市{zh}预警",
            f"Yunting {en} warning",
            city.code,
            city.lon,
            city.lat,
            "dept-weather",
            facets={"hazard": key, "issuer": "云汀市气象处（虚构）"},
        )
        for key, zh, en in channels
    ]
    rows.append(Entity(urn("CallCentre", "yunting-12345"), "CallCentre", "12345 热线话务平台", "12345 call centre", city.code, city.lon, city.lat, "dept-hotline"))
    return rows
