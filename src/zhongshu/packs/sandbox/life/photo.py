"""Rendered pictures of an underpass or a street corner before and after, always marked 模拟照片 (simulated photo).

The four characters are drawn from strokes of our own, so that no font is needed and the same picture has the same bytes everywhere.
"""

import io

from PIL import Image, ImageDraw

SIZE = (960, 720)
_ROAD_Y, _CEILING_Y = 560, 150
_CM = 4.0
_STROKES = {
    "模": "8,32 44,32|27,10 27,92|26,36 8,66|29,42 44,56|48,20 96,20|60,10 60,30|83,10 83,30|54,36 88,36 88,58 54,58 54,36|54,47 88,47|48,69 96,69|71,58 68,72 46,92|72,70 96,92",
    "拟": "8,30 40,30|26,10 26,88 16,82|8,62 42,50|50,16 50,72 66,58|58,24 66,36|88,12 84,50 60,90|80,60 96,88",
    "照": "12,10 40,10 40,56 12,56 12,10|12,33 40,33|50,12 88,12 84,38 76,36|66,12 62,26 48,40|54,44 86,44 86,62 54,62 54,44|18,74 10,92|36,74 40,90|58,74 64,90|80,74 92,90",
    "片": "28,10 28,50 12,92|58,8 58,36|28,36 86,36|28,58 70,58 70,92",
}


def picture(depth_cm: float, caption: str, *, pump: bool) -> bytes:
    """Return a JPEG of an underpass with water of a depth in cm, a pump hose if one works, and an ASCII caption."""
    image = Image.new("RGB", SIZE, "#8fa3ad")
    draw = ImageDraw.Draw(image)
    _underpass(draw)
    _gauge(draw)
    if depth_cm > 0.5:  # noqa: PLR2004 (less is a wet road)
        _water(draw, depth_cm)
    if pump:
        draw.line([(90, 640), (180, 520), (180, 300), (0, 270)], fill="#c8641e", width=14, joint="curve")
    _label(draw, caption)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82)
    return out.getvalue()


def street(*, littered: bool, caption: str) -> bytes:
    """Return a JPEG of a street corner, with a heap of rubbish or clean."""
    image = Image.new("RGB", SIZE, "#a9bbc6")
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, 300, 960, 520], fill="#8c8174")
    draw.polygon([(0, 520), (960, 520), (960, 600), (0, 600)], fill="#b8b2a6")
    draw.polygon([(0, 600), (960, 600), (960, 720), (0, 720)], fill="#4a5054")
    draw.rectangle([610, 400, 690, 560], fill="#2f5d46", outline="#1d3a2c")
    if littered:
        for x, y, r, colour in ((450, 540, 40, "#3b3f42"), (520, 552, 30, "#d8d4c8"), (490, 505, 26, "#6f5b43"), (560, 556, 22, "#3f6d8a"), (400, 560, 20, "#c9c2a8")):
            draw.ellipse([x - r, y - r * 0.7, x + r, y + r * 0.7], fill=colour)
    _label(draw, caption)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82)
    return out.getvalue()


def _underpass(draw: ImageDraw.ImageDraw) -> None:
    draw.polygon([(0, 0), (960, 0), (960, _CEILING_Y), (0, _CEILING_Y)], fill="#6f7a80")
    draw.polygon([(0, _CEILING_Y), (300, 250), (300, 470), (0, 720)], fill="#7f8a90")
    draw.polygon([(960, _CEILING_Y), (660, 250), (660, 470), (960, 720)], fill="#7f8a90")
    draw.polygon([(0, 720), (300, 470), (660, 470), (960, 720)], fill="#4a5054")
    draw.rectangle([300, 250, 660, 470], fill="#b9c4c9")
    for y, half in ((490, 5), (550, 8), (630, 12)):
        draw.polygon([(480 - half, y), (480 + half, y), (480 + half + 3, y + 36), (480 - half - 3, y + 36)], fill="#d9dde0")


def _gauge(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle([716, 300, 748, _ROAD_Y], fill="#f2f2ee", outline="#333333")
    for cm in range(0, 65, 5):
        y = _ROAD_Y - cm * _CM
        draw.line([(716, y), (738 if cm % 10 else 748, y)], fill="#b3261e" if cm >= 40 else "#333333", width=2)  # noqa: PLR2004 (the red part)


def _water(draw: ImageDraw.ImageDraw, depth_cm: float) -> None:
    y = _ROAD_Y - depth_cm * _CM
    reach = min(1.0, depth_cm / 40)
    draw.polygon([(300 - 300 * reach, y), (660 + 300 * reach, y), (960, 720), (0, 720)], fill="#6b6a55")
    for ripple in range(6):
        at = y + 14 + ripple * (720 - y) / 7
        draw.line([(80 + ripple * 60, at), (420 + ripple * 80, at)], fill="#8d8c75", width=3)


def _label(draw: ImageDraw.ImageDraw, caption: str) -> None:
    draw.rectangle([0, 0, 960, 64], fill="#0e1419")
    for place, strokes in enumerate(_STROKES.values()):
        for stroke in strokes.split("|"):
            points = [(24 + place * 46 + int(x) * 0.4, 12 + int(y) * 0.4) for x, y in (pair.split(",") for pair in stroke.split())]
            draw.line(points, fill="#e6ebef", width=4, joint="curve")
    draw.text((230, 22), f"SIMULATED PHOTO   {caption}", fill="#e6ebef", font_size=20)
