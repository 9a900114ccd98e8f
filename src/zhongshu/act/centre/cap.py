"""Reading a warning of the Common Alerting Protocol 1.2 (OASIS): hostile XML read safely, then its fields as they were sent, in the languages it has.

Nothing outside the file is fetched, no entity is resolved, no more than a megabyte is read. Knows no store, no city and no area code.
"""

import contextlib
import hashlib
import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from lxml import etree

from zhongshu.act.centre.refusals import NOT_XML
from zhongshu.kernel.clock import to_us

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
LARGEST = 1_000_000
MOST_INFOS, MOST_AREAS, MOST_POINTS = 20, 200, 50_000
STATUSES = ("Actual", "Exercise", "System", "Test", "Draft")
KINDS = ("Alert", "Update", "Cancel", "Ack", "Error")
TAKEN = ("Alert", "Update", "Cancel")
COLOURS = {"blue": ("蓝色", "Blue"), "yellow": ("黄色", "Yellow"), "orange": ("橙色", "Orange"), "red": ("红色", "Red")}
SEVERITY = {"Minor": "blue", "Moderate": "yellow", "Severe": "orange", "Extreme": "red"}
"""What stands for a colour where a message names none: the protocol's severity, lowest first."""
_DOCTYPE = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_WORDS = {**{zh[0]: key for key, (zh, _) in COLOURS.items()}, **{key: key for key in COLOURS}}

Element = Any
"""An element of lxml, which has no types."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One area of a message: its description, polygons [[lon, lat], …] closed, circles (lon, lat, metres), geocodes (name, value)."""

    said: str
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    circles: tuple[tuple[float, float, float], ...] = ()
    geocodes: tuple[tuple[str, str], ...] = ()

    def document(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return {"said": self.said, "polygons": [[list(p) for p in ring] for ring in self.polygons], "circles": [list(c) for c in self.circles], "geocodes": dict(self.geocodes)}


@dataclass(frozen=True, slots=True)
class Message:
    """One message: times in µs; `names`: the (sender, identifier, sent) it updates or cancels; `colour` is '' where it names none."""

    sender: str
    external: str
    sent: int
    status: str
    kind: str
    names: tuple[tuple[str, str, int], ...]
    issuer: str
    hazard_zh: str
    hazard_en: str
    colour: str
    colour_from: str
    onset: int
    expires: int | None
    text_zh: str
    text_en: str
    shapes: tuple[Shape, ...]
    digest: str


def read(raw: bytes) -> Message:
    """Read a file whole or not at all. Raises `warning.not_cap`."""
    root = _root(raw)
    sent, kind = _time(root, "sent"), _one_of(root, "msgType", KINDS)
    if kind not in TAKEN:
        _refuse(f"msgType 是 {kind}", f"its msgType is {kind}")
    if kind != "Alert" and not _references(root):
        _refuse(f"{kind} 没有用 references 写明是哪一份预警", f"its msgType is {kind}, and no references say of which warning")
    infos = root.findall(f"{CAP}info")
    if not infos and kind != "Cancel":
        _refuse("没有 info", "it has no info")
    if len(infos) > MOST_INFOS:
        _refuse("info 太多", "it has too many infos")
    zh = next((info for info in infos if _language(info).startswith("zh")), None)
    en = next((info for info in infos if _language(info).startswith("en")), None)
    first = zh if zh is not None else en if en is not None else infos[0] if infos else None
    colour, colour_from = _colour(infos)
    times = [_time(first, name, wanted=False) for name in ("onset", "effective")] if first is not None else []
    expires = None if first is None else _time(first, "expires", wanted=False)
    onset = next((at for at in times if at is not None), sent)
    if expires is not None and expires <= (onset or 0):
        _refuse("expires 不晚于 onset", "it expires before its onset")
    return Message(
        sender=_text(root, "sender"),
        external=_text(root, "identifier"),
        sent=sent or 0,
        status=_one_of(root, "status", STATUSES),
        kind=kind,
        names=_references(root),
        issuer=_text(first, "senderName", wanted=False) or _text(root, "sender"),
        hazard_zh=_text(first, "event", wanted=kind != "Cancel"),
        hazard_en=_text(en, "event", wanted=False),
        colour=colour,
        colour_from=colour_from,
        onset=onset or 0,
        expires=expires,
        text_zh=_said(zh if zh is not None else first if en is None else None),
        text_en=_said(en),
        shapes=_shapes(infos),
        digest=hashlib.sha256(etree.tostring(root, method="c14n", with_comments=False)).hexdigest(),
    )


def _root(raw: bytes) -> Element:
    if len(raw) > LARGEST:
        _refuse(f"超过 {LARGEST} 字节", f"it is larger than {LARGEST} bytes")
    if _DOCTYPE.search(raw.replace(b"\x00", b"")):
        _refuse("含有 DTD 或实体", "it has a DTD or entities")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError):
        _refuse("不是完好的 XML", "it is no well-formed XML")
    if root.getroottree().docinfo.doctype or any(isinstance(each, etree._Entity) for each in root.iter()):  # noqa: SLF001 (lxml's only name for it)
        _refuse("含有 DTD 或实体", "it has a DTD or entities")
    if root.tag != f"{CAP}alert":
        _refuse("根元素不是 CAP 1.2 的 alert", "its root is no alert of CAP 1.2")
    return root


def _text(of: Element | None, name: str, *, wanted: bool = True) -> str:
    child = None if of is None else of.find(CAP + name)
    text = "" if child is None else " ".join("".join(child.itertext()).split())
    if wanted and not text:
        _refuse(f"缺少 {name}", f"{name} is missing")
    return text[:4000]


def _one_of(root: Element, name: str, words: tuple[str, ...]) -> str:
    if (word := _text(root, name)) not in words:
        _refuse(f"{name} 是 {word[:40]}", f"its {name} is {word[:40]}")
    return word


def _time(of: Element, name: str, *, wanted: bool = True) -> int | None:
    return moment(text, name) if (text := _text(of, name, wanted=wanted)) else None


def moment(text: str, name: str) -> int:
    """Read a time of the protocol, which always names its offset. Raises `warning.not_cap`."""
    at = None
    with contextlib.suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text)
    if at is not None and at.tzinfo is None:
        _refuse(f"{name}“{text[:40]}”没有时区", f"{name} '{text[:40]}' has no time zone")
    if at is None:
        _refuse(f"看不懂 {name}“{text[:40]}”", f"{name} '{text[:40]}' cannot be read")
    return to_us(at)


def _language(info: Element) -> str:
    return (_text(info, "language", wanted=False) or "en-US").lower()


def _references(root: Element) -> tuple[tuple[str, str, int], ...]:
    found = []
    for one in _text(root, "references", wanted=False).split():
        sender, _, rest = one.partition(",")
        external, _, sent = rest.rpartition(",")
        if not sender or not external:
            _refuse(f"看不懂 references“{one[:60]}”", f"references '{one[:60]}' cannot be read")
        found.append((sender, external, moment(sent, "references")))
    return tuple(found)


def _colour(infos: list[Element]) -> tuple[str, str]:
    """Return the colour and where it was found: a parameter, the headline or event, else the severity."""
    for info in infos:
        for given in (*info.findall(f"{CAP}parameter"), *info.findall(f"{CAP}eventCode")):
            if {"colour", "color", "颜色"} & set(re.findall(r"colou?r|颜色", _text(given, "valueName", wanted=False).lower())) and (
                word := _coloured(_text(given, "value", wanted=False))
            ):
                return word, "parameter"
    for name in ("headline", "event"):
        for info in infos:
            if word := _coloured(_text(info, name, wanted=False)):
                return word, name
    for info in infos:
        if (word := SEVERITY.get(_text(info, "severity", wanted=False), "")) != "":
            return word, "severity"
    return "", ""


def _coloured(text: str) -> str:
    """Return the one colour that a text names, '' for none or several."""
    said = {key for word, key in _WORDS.items() if (word in text if not word.isascii() else re.search(rf"\b{word}\b", text.lower()))}
    return said.pop() if len(said) == 1 else ""


def _said(info: Element | None) -> str:
    return "\n".join(filter(None, (_text(info, name, wanted=False) for name in ("headline", "description", "instruction"))))


def _shapes(infos: list[Element]) -> tuple[Shape, ...]:
    areas = [area for info in infos for area in info.findall(f"{CAP}area")]
    if len(areas) > MOST_AREAS:
        _refuse("area 太多", "it has too many areas")
    found = dict.fromkeys(_shape(area) for area in areas)
    if sum(len(ring) for shape in found for ring in shape.polygons) > MOST_POINTS:
        _refuse("polygon 太大", "its polygons have too many points")
    return tuple(found)


def _shape(area: Element) -> Shape:
    rings = []
    for polygon in area.findall(f"{CAP}polygon"):
        ring = tuple(_point(pair) for pair in (polygon.text or "").split())
        if len(ring) < 4 or ring[0] != ring[-1]:  # noqa: PLR2004 (a ring has four points, the first again at its end)
            _refuse("polygon 没有闭合", "a polygon is not closed")
        rings.append(ring)
    circles = []
    for circle in area.findall(f"{CAP}circle"):
        centre, _, km = (circle.text or "").strip().partition(" ")
        circles.append((*_point(centre), _number(km, 0, 20_100) * 1000))
    codes = [(_text(code, "valueName", wanted=False), _text(code, "value", wanted=False)) for code in area.findall(f"{CAP}geocode")]
    return Shape(_text(area, "areaDesc", wanted=False), tuple(rings), tuple(circles), tuple(codes))


def _point(pair: str) -> tuple[float, float]:
    """Read `latitude,longitude` (WGS 84) as (lon, lat)."""
    lat, _, lon = pair.partition(",")
    return _number(lon, -180, 180), _number(lat, -90, 90)


def _number(text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        _refuse(f"看不懂数字“{text[:40]}”", f"the number '{text[:40]}' cannot be read")
    return value


def _refuse(zh: str, en: str) -> NoReturn:
    raise NOT_XML(why_zh=zh, why_en=en) from None
