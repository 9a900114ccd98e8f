"""Evidence: kept by its hash and whole; only what can be opened; a public copy tells nothing but the picture."""

import hashlib
import io
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zhongshu.engines import evidence_files
from zhongshu.engines.camera import camera
from zhongshu.engines.evidence_files import EvidenceFiles
from zhongshu.kernel.problem import Problem


def picture(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **save: Any) -> bytes:
    image = Image.radial_gradient("L").resize(size).convert("RGB")
    out = io.BytesIO()
    image.save(out, format=kind, **save)
    return out.getvalue()


def located() -> bytes:
    """A JPEG lying on its side, with a place and a device in its EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "A maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (31.0, 12.0, 5.5), 3: "E", 4: (121.0, 30.0, 1.0)})
    return picture(exif=exif, comment=b"said aside")


PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


@pytest.fixture
def store(tmp_path: Path) -> EvidenceFiles:
    return EvidenceFiles(tmp_path / "evidence")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (picture(), "image/jpeg"),
        (picture("PNG"), "image/png"),
        (picture("WEBP"), "image/webp"),
        (PDF, "application/pdf"),
        (located(), "image/jpeg"),
    ],
)
def test_what_is_kept_comes_back_and_its_kind_is_seen(store: EvidenceFiles, content: bytes, kind: str) -> None:
    kept = store.put(content)
    assert (kept.sha256, kept.content_type, kept.size) == (hashlib.sha256(content).hexdigest(), kind, len(content))
    assert store.get(kept.sha256) == content
    assert (store.folder / kept.sha256[:2] / kept.sha256).is_file()
    assert store.put(content) == kept == store.find(kept.sha256)
    assert store.verify() == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "evidence.bad_type"),
        (b"<svg onload='x'/>", "evidence.bad_type"),
        (b"GIF89a" + b"x" * 50, "evidence.bad_type"),
        (picture()[:-300], "evidence.broken"),
        (picture("PNG")[:-40], "evidence.broken"),
        (picture("WEBP")[:60], "evidence.broken"),
        (b"\xff\xd8\xff" + b"x" * 500, "evidence.broken"),
        (b"%PDF-1.4 and then nothing", "evidence.broken"),
        (b"\x89PNG\r\n\x1a\n" + picture()[:500], "evidence.broken"),
    ],
)
def test_what_does_not_open_is_refused_and_leaves_nothing(store: EvidenceFiles, content: bytes, code: str) -> None:
    with pytest.raises(Problem) as caught:
        store.put(content)
    assert caught.value.kind.code == code
    assert list(store.folder.rglob("*")) == []


@pytest.mark.parametrize("side", [9000, 12_000, 60_000])
def test_a_picture_that_unfolds_without_end_is_refused(store: EvidenceFiles, side: int) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    with pytest.raises(Problem, match=r"evidence\.broken"):
        store.put(bomb)


def test_what_is_too_large_is_refused(store: EvidenceFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_files, "MAX_BYTES", 100)
    with pytest.raises(Problem, match=r"evidence\.too_large"):
        store.put(picture())


def test_the_public_copy_is_upright_and_tells_no_place(store: EvidenceFiles) -> None:
    kept = store.put(located())
    kind, copy = store.public(kept.sha256)
    with Image.open(io.BytesIO(copy)) as image:
        assert (kind, image.size, dict(image.getexif()), image.info.get("comment")) == ("image/jpeg", (48, 64), {}, None)
    assert b"A maker" in store.get(kept.sha256)
    assert b"A maker" not in copy
    with pytest.raises(Problem, match=r"evidence\.no_public_copy"):
        store.public(store.put(PDF).sha256)
    assert store.public(store.put(picture("PNG")).sha256)[0] == "image/png"
    assert store.public(store.put(picture("WEBP")).sha256)[0] == "image/webp"


@pytest.mark.parametrize("name", ["0" * 64, "../../etc/passwd", "", "ABCDEF" * 11, "0" * 63 + "\n"])
def test_an_unknown_or_crooked_name_is_told_so(store: EvidenceFiles, name: str) -> None:
    with pytest.raises(Problem, match=r"evidence\.unknown"):
        store.get(name)


def test_verify_finds_what_is_damaged_or_strange(store: EvidenceFiles) -> None:
    kept = store.put(picture())
    path = store.folder / kept.sha256[:2] / kept.sha256
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (store.folder / "note.txt").write_text("left here")
    assert len(store.verify()) == 2
    with pytest.raises(Problem, match=r"evidence\.damaged"):
        store.get(kept.sha256)
    assert store.put(picture()) == kept
    assert len(store.verify()) == 1, "sending it again mends it"


def test_what_an_interrupted_upload_left_is_cleared(store: EvidenceFiles) -> None:
    kept = store.put(picture())
    part = store.folder / kept.sha256[:2] / f"{kept.sha256}.1.part"
    part.write_bytes(b"half")
    again = EvidenceFiles(store.folder)
    assert not part.exists()
    assert again.verify() == []


def test_many_may_send_the_same_at_once(store: EvidenceFiles) -> None:
    content, found = picture(), []
    threads = [threading.Thread(target=lambda: found.append(store.put(content))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert store.verify() == []


# what the camera wrote


def shot(gps: dict[int, Any] | None = None, **told: Any) -> bytes:
    """A JPEG whose camera wrote these of Exif 2.32 into it."""
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({{"time": 0x9003, "offset": 0x9011}[name]: value for name, value in told.items()})
    exif.get_ifd(0x8825).update(gps or {})
    return picture(exif=exif)


HERE = {1: "N", 2: (31.0, 12.0, 36.0), 3: "E", 4: (121.0, 30.0, 0.0)}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (shot(HERE, time="2026:07:01 08:30:00", offset="+08:00"), ("2026-07-01T08:30:00+08:00", 121.5, 31.21)),
        (shot(HERE | {1: "S", 3: "W"}, time="2026:07:01 08:30:00"), ("2026-07-01T08:30:00", -121.5, -31.21)),
        (shot(time="0000:00:00 00:00:00"), ("", None, None)),
        (shot(time="2026:07:01 08:30:00", offset="yesterday"), ("", None, None)),
        (shot(HERE | {2: (91.0, 0.0, 0.0)}), ("", None, None)),
        (shot({2: HERE[2], 4: HERE[4]}), ("", None, None)),
        (shot({1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}), ("", None, None)),
        (picture("WEBP"), ("", None, None)),
        (PDF, ("", None, None)),
    ],
)
def test_what_a_camera_wrote_is_read_and_what_cannot_be_is_left_out(store: EvidenceFiles, content: bytes, expected: tuple[str, float | None, float | None]) -> None:
    kept = store.put(content)
    assert (kept.taken, kept.lon, kept.lat) == expected
    assert store.find(kept.sha256) == kept


@given(st.binary(min_size=1, max_size=400), st.integers(0, 600))
def test_a_remark_that_is_broken_costs_no_picture(bent: bytes, at: int) -> None:
    whole = shot(HERE, time="2026:07:01 08:30:00")
    start = whole.index(b"Exif") + 6 + at % 200
    camera(whole[:start] + bent + whole[start + len(bent) :], "image/jpeg")
