"""A city is copied while it works: what was acknowledged before the copy began is in it, once, and it is whole; half a copy is none."""

import json
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from zhongshu import cli
from zhongshu.kernel.area import show_area

from .city import command, opened
from .streets import Town

pytestmark = pytest.mark.journey
SIZE = 200


class Load:
    """Who sends readings and opens cases without pause, and remembers what was acknowledged."""

    def __init__(self, town: Town) -> None:
        self.town, self.sent, self.cases = town, 0, list[str]()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=run) for run in (self._readings, self._cases)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _client(self, name: str) -> httpx.Client:
        return httpx.Client(base_url=self.town.url, headers=dict(self.town.clients[name].headers), trust_env=False, timeout=30)

    def _readings(self) -> None:
        at, writer = time.time_ns() // 1_000_000 - 500_000, self._client("gauges")
        while not self._stop.is_set():
            rows = [{"entity": f"urn:zs:WaterLevelSensor:B{i}", "property": "WaterLevelSensor.depth", "time": at + self.sent // SIZE, "value": i % 40} for i in range(SIZE)]
            answer = writer.post("/api/sources/gauges/readings", content="\n".join(map(json.dumps, rows)))
            assert answer.json()["accepted"] == SIZE, answer.text
            self.sent += SIZE

    def _cases(self) -> None:
        clerk, (lon, lat) = self._client("dispatcher"), self.town.place(self.town.here)
        while not self._stop.is_set():
            body = {"class": "drainage.manhole", "title_zh": "井盖松动", "area": show_area(self.town.here), "lon": lon, "lat": lat}
            self.cases.append(clerk.post("/api/cases", json=body).json()["id"])
            time.sleep(0.02)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Any:
    held = Town(tmp_path_factory.mktemp("town"), commit_s="0.2", journal_keep="0", merge_files="6", merge_s="1")
    held.ok("admin", "POST", "/api/sources", json={"name": "gauges", "entities": "register"})
    held.join("gauges", held.token("gauges", "source_writer:gauges", held.city))
    yield held
    held.close()


def test_a_copy_made_under_load_holds_all_that_was_acknowledged_before_it_and_is_whole(town: Town, tmp_path: Path) -> None:
    (model := town.owner.settings.data / "twin" / "pipes").mkdir(parents=True)
    (model / "model.inp").write_text("[JUNCTIONS]\n")
    load = Load(town)
    copies = list[tuple[Path, int, int]]()
    try:
        for nth in range(4):
            time.sleep(0.7)
            before = load.sent, len(load.cases)
            file = tmp_path / f"{nth}.tar"
            command("backup", file, "--data", town.owner.settings.data)
            copies.append((file, *before))
    finally:
        load.stop()
    for file, sent, cases in copies:
        folder = tmp_path / file.stem
        command("restore", file, "--data", folder)
        command("verify", "--data", folder)
        assert (folder / "twin" / "pipes" / "model.inp").read_text() == "[JUNCTIONS]\n"
        with opened(folder) as parts:
            row = parts.lake.query("SELECT count(*)::BIGINT AS n, count(DISTINCT (entity, valid))::BIGINT AS d FROM versions WHERE source = 'gauges'").to_pylist()[0]
            assert row["n"] == row["d"] >= sent
            assert row["n"] % SIZE == 0, "a group is in it whole, or not at all"
            held = {id_ for (id_,) in parts.desk.read(lambda c: c.exec_driver_sql("SELECT id FROM case_file").all())}
            assert set(load.cases[:cases]) <= held
    assert copies[-1][1] > copies[0][1] > 0


def test_half_a_copy_is_refused_and_leaves_nothing(town: Town, tmp_path: Path) -> None:
    command("backup", tmp_path / "whole.tar", "--data", town.owner.settings.data)
    whole = (tmp_path / "whole.tar").read_bytes()
    for name, content in (("half", whole[: len(whole) // 2]), ("words", b"no archive"), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
    for nth, (name, kind) in enumerate((("../outside", tarfile.REGTYPE), ("/outside", tarfile.REGTYPE), ("link", tarfile.SYMTYPE))):
        hostile = tarfile.TarInfo(name)
        hostile.type, hostile.linkname = kind, "/etc/passwd"
        with tarfile.open(tmp_path / f"hostile-{nth}", "w") as archive:
            archive.addfile(hostile)
    for name in ("half", "words", "empty", *(path.name for path in tmp_path.glob("hostile*"))):
        command("restore", tmp_path / name, "--data", tmp_path / f"{name} city", code=2)
        assert not (tmp_path / f"{name} city").exists()
    assert not (tmp_path / "whole.part").exists()


def test_what_is_no_backup_is_said_in_words(tmp_path: Path) -> None:
    whole = tmp_path / "whole.tar"
    with tarfile.open(whole, "w") as archive:
        for name in ("city.toml", "format.toml"):
            archive.add(__file__, name)
    size = whole.stat().st_size
    for length in (700, 2000, size // 2, *range(size - 3 * tarfile.RECORDSIZE // 2, size, 512)):  # in a file, in a header, between files, in the end
        (tmp_path / "cut.tar").write_bytes(whole.read_bytes()[:length])
        told = CliRunner().invoke(cli.app, ["restore", str(tmp_path / "cut.tar"), "--data", str(tmp_path / "city")])
        assert told.exit_code == 2 and "restore.unreadable" in told.stderr and not (tmp_path / "city").exists(), length
    (tmp_path / "junk.tar").write_bytes(b"junk" * 500)
    for name, words in (("cut.tar", "it is cut off"), ("junk.tar", "it is no backup"), ("none.tar", "there is no such file")):
        told = CliRunner().invoke(cli.app, ["restore", str(tmp_path / name), "--data", str(tmp_path / "city")])
        said = " ".join(told.stderr.split())
        assert told.exit_code == 2 and "restore.unreadable" in said and words in said and "rror" not in said, said
        assert not (tmp_path / "city").exists()
