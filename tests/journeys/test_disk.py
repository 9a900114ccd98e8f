"""A disk that runs full, or may not be written: what cannot be taken is refused with its remedy, and nothing acknowledged is lost."""

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import rfc3339
from zhongshu.survey import Areas, make

from .city import Running, by_itself, command, opened, running, token

pytestmark = pytest.mark.journey
SOURCE = "sandbox.devices"
DEPTH = "WaterLevelSensor.depth"
SIZE = 96


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own of `SIZE` MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(place)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be made here (it takes the right to mount): {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def folder(disk: Path) -> Path:
    make(disk / "DATA", 5000, 7, lambda _: None)
    return disk / "DATA"


class Office:
    """Who sends readings and opens cases, and what was acknowledged."""

    def __init__(self, city: Running, folder: Path) -> None:
        self.city, self.n = city, 0
        self.gauges, self.clerk = token(folder, f"source_writer:{SOURCE}", "gauges"), token(folder, "duty_officer", "clerk")
        self.area = show_area(next(area.code for area in Areas.load(folder) if area.code % 10**6 and area.population))
        self.readings: set[int] = set()
        self.cases: set[str] = set()

    def post(self, path: str, body: bytes, key: str, **headers: str) -> httpx.Response:
        return httpx.post(self.city.url + path, content=body, headers={"Authorization": f"Bearer {key}", **headers}, timeout=60, trust_env=False)

    def send(self) -> httpx.Response:
        """Send two thousand readings of one sensor, each of a millisecond of its own."""
        start = time.time_ns() // 1_000_000_000 * 1_000_000 - 1_800_000_000 + self.n * 2_000_000
        self.n += 1
        times = [start + i * 1000 for i in range(2000)]
        lines = "\n".join(json.dumps({"entity": "urn:zs:WaterLevelSensor:YT-0001", "property": DEPTH, "time": rfc3339(at), "value": 1 + at // 1000 % 50}) for at in times)
        answer = self.post(f"/api/sources/{SOURCE}/readings", lines.encode(), self.gauges, **{"Content-Type": "application/x-ndjson"})
        if answer.status_code == 202:
            assert answer.json()["accepted"] == 2000, answer.text
            self.readings |= set(times)
        return answer

    def open(self) -> httpx.Response:
        answer = self.post("/api/cases", json.dumps({"class": "drainage.ponding", "title_zh": "测" * 200, "area": self.area}).encode(), self.clerk)
        if answer.status_code < 300:
            self.cases.add(answer.json()["id"])
        return answer


def until(deed: Any, status: int, seconds: float = 60) -> httpx.Response:
    end = time.monotonic() + seconds
    while (answer := deed()).status_code != status:
        assert answer.status_code in {200, 202, 503, 507}, answer.text
        assert time.monotonic() < end, answer.text
    return answer  # type: ignore[no-any-return]


def test_a_full_disk_refuses_what_it_cannot_hold_and_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZS_DISK_FLOOR_MB", "0")
    filler = folder.parent / "filler"
    with running(folder) as city:
        office = Office(city, folder)
        assert (office.send().status_code, office.open().status_code < 300) == (202, True)
        with filler.open("wb") as file, contextlib.suppress(OSError):
            free = shutil.disk_usage(folder).free
            file.write(bytes(max(0, free - 2**18)))
        told = until(office.send, 507).json()
        assert told["code"] == "journal.full", told
        told = until(office.open, 503).json()
        assert told["code"] == "desk.not_written", told
        assert httpx.get(f"{city.url}/health", timeout=20, trust_env=False).status_code == 200
        filler.unlink()
        until(office.send, 202)
        until(office.open, 200)
    assert "whole" in command("verify", "--data", folder)
    with opened(folder) as parts:
        kept = parts.lake.query(f"SELECT valid FROM versions WHERE property = '{DEPTH}' AND source = '{SOURCE}' AND entity = 'urn:zs:WaterLevelSensor:YT-0001'")[
            "valid"
        ].to_pylist()
        assert len(kept) == len(set(kept)) and office.readings <= set(kept)
        held = set(parts.desk.read(lambda conn: conn.exec_driver_sql("SELECT id FROM case_file").scalars().all()))
        assert office.cases <= held


def test_below_its_floor_a_disk_takes_nothing_in_and_the_desk_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZS_DISK_FLOOR_MB", str(SIZE))
    with running(folder) as city:
        office = Office(city, folder)
        answer = office.send()
        assert (answer.status_code, answer.json()["code"]) == (507, "disk.low")
        assert office.open().status_code < 300, "what is left is for people's work"


def test_a_disk_that_may_not_be_written_is_said_so(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder.parent)], check=True)
    told = by_itself("up", "--data", folder, "--port", 1, code=2)
    assert "Traceback" not in told
    subprocess.run(["mount", "-o", "remount,rw", str(folder.parent)], check=True)
    assert "whole" in command("verify", "--data", folder)
