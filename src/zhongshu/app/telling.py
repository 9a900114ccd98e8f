"""What a finding looks like to the desk: its sentence in both languages, and the device's place where there is one."""

from zhongshu.act import Seen
from zhongshu.judge import Indicator, Rule
from zhongshu.kernel.area import Level, interval, level_of
from zhongshu.kernel.finding import Finding
from zhongshu.sense import Registry
from zhongshu.survey import Areas


def seen_of(finding: Finding, rule: Rule, indicator: Indicator, areas: Areas, registry: Registry) -> Seen:
    """Say a finding in the rule's words; its place is a device that measures the sign there, else the area's label point."""
    low, high = interval(finding.area)
    types = {spec.property.partition(".")[0] for spec in indicator.measures.values()}
    device = next((e for e in registry.rows if e.type in types and low <= e.area < high and e.lon is not None), None)
    row = areas[finding.area] if finding.area in areas else None  # noqa: SIM401 (Areas is no dict)
    place = (row.lon, row.lat) if row is not None else (None, None)
    lon, lat = (device.lon, device.lat) if device is not None else place
    said = {}
    for language in ("zh", "en"):
        where = areas.name(finding.area, language)
        if level_of(finding.area) == Level.CELL and device is not None:
            where = device.name_zh if language == "zh" else device.name_en
        value = "—" if finding.value is None else f"{finding.value:g}"
        said[language] = rule.say.get(language, rule.name.get(language, rule.code)).format_map({"value": value, "unit": indicator.unit, "area": where})
    return Seen(
        rule.category,
        said["zh"],
        said["en"],
        lon,
        lat,
        device.name_zh if device is not None else areas.name(finding.area),
        device.type if device is not None else min(types, default=""),
    )
