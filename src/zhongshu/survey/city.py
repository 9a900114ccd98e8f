"""What a city is called and where it lies: `city.toml`, the first file of a city's folder.

It must never know how the city is run.
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from zhongshu.kernel.area import parse_area, show_area
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why
from zhongshu.survey.files import FOREIGN_FILE, NOT_SURVEYED, write_whole

UNKNOWN_ZONE = declare(
    "survey.unknown_zone",
    "invalid",
    zh=("没有名为“{zone}”的时区。", "请用 IANA 时区名，例如 Asia/Shanghai。"),
    en=("There is no time zone '{zone}'.", "Use an IANA zone name, for example Asia/Shanghai."),
)
CITY_EXISTS = declare(
    "survey.city_exists",
    "conflict",
    zh=("这个目录里已经有一座城市：{name}。", "请换一个空目录；一个目录只放一座城市。"),
    en=("There is a city in this folder already: {name}.", "Choose an empty folder; one folder holds one city."),
)


@dataclass(frozen=True, slots=True)
class City:
    """A city's names, 15-digit code, IANA zone, label point and bounds (degrees, EPSG:4490), population, for a made one its seed, and whose data it is where that must be said."""

    name_zh: str
    name_en: str
    code: int
    time_zone: str
    lon: float
    lat: float
    bounds: tuple[float, float, float, float]
    population: int = 0
    sandbox: bool = False
    seed: int | None = None
    note_zh: str = ""
    note_en: str = ""
    attribution: str = ""

    @classmethod
    def load(cls, folder: Path) -> "City":
        """Read `city.toml` of a city's folder; a missing or unreadable file is a Problem."""
        path = folder / "city.toml"
        if not path.is_file():
            raise NOT_SURVEYED(name=path.name)
        try:
            held = tomllib.loads(path.read_text("utf-8"))
            west, south, east, north = map(float, held.pop("bounds"))
            lon, lat = map(float, held.pop("centre"))
            return cls(code=parse_area(held.pop("code")), lon=lon, lat=lat, bounds=(west, south, east, north), **held)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise FOREIGN_FILE(name=path.name, **why(error)) from error

    def save(self, folder: Path) -> Path:
        """Write `city.toml` and return its path; an unknown time zone is a Problem."""
        check_zone(self.time_zone)
        rows: list[tuple[str, object]] = [
            ("name_zh", self.name_zh),
            ("name_en", self.name_en),
            ("code", show_area(self.code)),
            ("time_zone", self.time_zone),
            ("centre", [self.lon, self.lat]),
            ("bounds", list(self.bounds)),
            ("population", self.population),
            ("sandbox", self.sandbox),
            ("seed", self.seed),
            ("note_zh", self.note_zh or None),
            ("note_en", self.note_en or None),
            ("attribution", self.attribution or None),
        ]
        text = "".join(f"{key} = {_toml(value)}\n" for key, value in rows if value is not None)
        path = folder / "city.toml"
        write_whole(path, text.encode())
        return path


def _toml(value: object) -> str:
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def check_zone(name: str) -> None:
    """Raise a Problem unless `name` is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise UNKNOWN_ZONE(zone=name) from None


def check_vacant(folder: Path) -> None:
    """Raise a Problem if a folder holds a city already."""
    if (folder / "city.toml").exists():
        raise CITY_EXISTS(name=City.load(folder).name_zh)
