"""What a camera wrote into a picture (Exif 2.32): when it was taken and where. It believes nothing: what cannot be read, or cannot be, is left out."""

import io
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

Told = tuple[str, float | None, float | None]
NOTHING: Told = ("", None, None)


def camera(content: bytes, content_type: str) -> Told:
    """Return (time as ISO 8601, longitude, latitude in degrees) of a picture; ('', None, None) where it tells nothing that can be."""
    if not content_type.startswith("image/"):
        return NOTHING
    try:
        with Image.open(io.BytesIO(content)) as image:
            held = image.getexif()
            shot, place = held.get_ifd(ExifTags.IFD.Exif), held.get_ifd(ExifTags.IFD.GPSInfo)
        return (_taken(shot), *_place(place))
    except Exception:  # noqa: BLE001 (a remark in a picture may be anything; the picture itself is kept)
        return NOTHING


def _taken(shot: Mapping[int, Any]) -> str:
    told = str(shot.get(ExifTags.Base.DateTimeOriginal, "")).strip("\0 ")
    try:
        moment = datetime.strptime(told, "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 (a camera's wall clock, unless it says its offset)
        return datetime.fromisoformat(moment.isoformat() + str(shot.get(ExifTags.Base.OffsetTimeOriginal, "")).strip("\0 ")).isoformat()
    except ValueError:
        return ""


def _place(gps: Mapping[int, Any]) -> tuple[float | None, float | None]:
    lat = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), "NS", 90)
    lon = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), "EW", 180)
    return (None, None) if lon is None or lat is None or (lon, lat) == (0, 0) else (lon, lat)


def _degrees(parts: Any, side: Any, sides: str, most: int) -> float | None:  # noqa: ANN401 (three fractions, if they are)
    side = str(side or "").strip("\0 ")
    if not isinstance(parts, tuple) or len(parts) != len("dms") or not side or side not in sides:
        return None
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return round(value if side == sides[0] else -value, 7) if math.isfinite(value) and 0 <= value <= most else None
