"""The sample picture of a class: a pack's drawing, kept for long by its digest; or a photograph of the city's own that a class names, never any other file."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from .streets import Town, png

pytestmark = pytest.mark.journey
TABLE = "class,zh,en,basis,condition,condition_en,picture,valid_from\n{name},路面塌陷,Subsidence,规则 1,填平,Filled,{picture},2020-01-01\n"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Return a town."""
    held = Town(tmp_path_factory.mktemp("town"))
    yield held
    held.close()


def test_a_drawing_is_kept_for_long_and_can_do_nothing(town: Town) -> None:
    classes = {row["class"]: row for row in town.ok("handler-here", "GET", "/api/classes")["items"]}
    manhole = classes["drainage.manhole"]
    assert manhole["condition"] and manhole["condition_en"] and manhole["picture"] == "manhole"
    answer = town.as_("", "GET", manhole["picture_url"])
    assert answer.headers["content-type"] == "image/svg+xml" and "immutable" in answer.headers["cache-control"] and "no-store" not in answer.headers["cache-control"]
    assert "default-src 'none'; sandbox" in answer.headers["content-security-policy"] and answer.headers["x-content-type-options"] == "nosniff"
    assert classes["hotline.consult"]["picture_url"] == ""
    for name in ("nothing", "0" * 64, "..%2f..%2fpack", "manhole.svg"):
        town.refused("", "GET", f"/api/samples/{name}", 404)


def test_a_photograph_of_the_city_s_own_stands_for_a_class_and_no_other_file_does(town: Town) -> None:
    whole = io.BytesIO()
    picture = Image.new("RGB", (16, 16), "gray")
    exif = Image.Exif()
    exif[0x010F] = "camera of someone"
    picture.save(whole, "JPEG", exif=exif)
    own = town.ok("handler-here", "POST", "/api/evidence", files={"file": ("a.jpg", whole.getvalue(), "image/jpeg")})["sha256"]
    other = town.ok("handler-here", "POST", "/api/evidence", files={"file": ("a.png", png(77), "image/png")})["sha256"]
    town.refused("", "GET", f"/api/samples/{own}", 404)
    table = TABLE.format(name="city.subsidence", picture=own)
    town.ok("admin", "POST", "/api/tables/classes?apply=true&source=own", files={"file": ("classes.csv", table)})
    row = next(row for row in town.ok("", "GET", "/api/classes")["items"] if row["class"] == "city.subsidence")
    seen = town.as_("", "GET", row["picture_url"])
    assert seen.headers["content-type"] == "image/jpeg" and b"camera of someone" not in seen.content
    town.refused("", "GET", f"/api/samples/{other}", 404)
    town.refused("handler-here", "POST", "/api/evidence", 400, 415, files={"file": ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml")})
    for bad in ("../x", "A.svg", "https://x"):
        town.refused("admin", "POST", "/api/tables/classes?source=bad", 400, files={"file": ("classes.csv", TABLE.format(name="city.bad", picture=bad))})
