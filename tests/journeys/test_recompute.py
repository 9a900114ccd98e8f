"""The past computed again: at every step what one time gives, with what was known then if asked so, by either engine, and on from where a run was broken off."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spark_here
from typer.testing import CliRunner

from zhongshu import cli
from zhongshu.app import recomputing
from zhongshu.kernel.clock import HOUR, MINUTE, rfc3339
from zhongshu.kernel.reading import Flag, Readings
from zhongshu.survey import make

from .city import command, opened, running

pytestmark = pytest.mark.journey
START = 1_790_000_400_000_000 // HOUR * HOUR
STEPS = 60
"""Hours that are computed: three slices."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a city whose gauges told their depth every twenty minutes; an hour after each third reading it was revised."""
    folder = tmp_path_factory.mktemp("made") / "DATA"
    make(folder, 5000, 7, lambda _: None)
    with opened(folder) as parts:
        rng, words, offset = np.random.default_rng(5), parts.registry, parts.lake.offset()
        gauges = np.array([n for id_, n in words.entities.numbers.items() if ":WaterLevelSensor:" in id_][:12], np.int32)
        zeros = np.zeros(len(gauges), np.int32)
        columns = (zeros + words.sources.number("sandbox.devices"), gauges, zeros + words.properties.numbers["WaterLevelSensor.depth"], words.areas()[gauges])
        for step in range(STEPS * 3 + 1):
            at = START + step * 20 * MINUTE
            for known, flags in ((at, 0), (at + HOUR, int(Flag.REVISION) if step % 3 == 0 else -1)):
                if flags >= 0:
                    offset += 1
                    ticks = rng.integers(0, 400, len(gauges))
                    names = (words.sources.names, words.entities.names, words.properties.names, words.units.names)
                    parts.lake.show(Readings(*names, *columns, np.full(len(gauges), at), ticks, zeros + flags, ticks / 10, zeros - 1, offset=offset, known=known).table(), offset)
            if step == STEPS:
                parts.lake.commit()
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "DATA"))


def stretch(folder: Path, *more: object) -> list[object]:
    return ["recompute", "DR02", "--data", folder, "--level", "district", "--from", rfc3339(START), "--to", rfc3339(START + STEPS * HOUR), *more]


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_step_is_what_its_time_alone_gives(folder: Path) -> None:
    found = rows(command(*stretch(folder)))
    assert len({row["at"] for row in found}) == STEPS and len({row["version"] for row in found}) == 1
    for hour in (1, 24, 25, 59, 60):
        at = rfc3339(START + hour * HOUR)
        alone = rows(command("recompute", "DR02", "--data", folder, "--level", "district", "--at", at))
        assert alone and [{k: v for k, v in row.items() if k not in {"at", "version"}} for row in found if row["at"] == at] == alone
    every = rows(command("recompute", "--data", folder, "--from", rfc3339(START), "--to", rfc3339(START + 2 * HOUR), "--every", "30m"))
    assert {row["at"] for row in every} == {rfc3339(START + n * 30 * MINUTE) for n in (1, 2, 3, 4)} and len({row["indicator"] for row in every}) > 5
    assert not any((folder / recomputing.FOLDER).iterdir())


def test_what_was_known_then_is_what_counts_as_of_then(folder: Path) -> None:
    now, then = (rows(command(*stretch(folder, *more))) for more in ((), ("--as-of", rfc3339(START + 30 * HOUR + MINUTE))))
    late = START + 29 * HOUR
    early = [[row for row in of if row["at"] <= rfc3339(late)] for of in (now, then)]
    assert early[0] == early[1], "what was revised by then reads alike"
    assert [row for row in now if row["at"] == rfc3339(START + 30 * HOUR)] != [row for row in then if row["at"] == rfc3339(START + 30 * HOUR)]
    assert all(row["value"] is None or row["readings"] == 0 for row in then if row["at"] > rfc3339(START + 32 * HOUR))


def broken_off(folder: Path, monkeypatch: pytest.MonkeyPatch, after: int, *more: object) -> None:
    """Begin a run that is broken off when so many slices are there."""
    write, done = recomputing.write_durably, list[Path]()

    def torn(path: Path, content: bytes) -> None:
        if len(done) == after:
            raise KeyboardInterrupt
        write(path, content)
        done.append(path)

    with monkeypatch.context() as patch:
        patch.setattr(recomputing, "write_durably", torn)
        CliRunner().invoke(cli.app, [str(word) for word in stretch(folder, *more)])
    assert len(done) == after


def test_a_run_that_was_broken_off_goes_on_and_gives_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = command(*stretch(folder))
    broken_off(folder, monkeypatch, 2)
    (left,) = (folder / recomputing.FOLDER).iterdir()
    kept = {path.name: path.stat().st_mtime_ns for path in left.iterdir()}
    assert sorted(kept) == ["000000.ndjson", "000001.ndjson"]
    broken_off(folder, monkeypatch, 0, "--every", "30m")
    assert {path.name: path.stat().st_mtime_ns for path in left.iterdir()} == kept, "another run is another folder"
    done = CliRunner().invoke(cli.app, [str(word) for word in stretch(folder)])
    assert done.stdout == whole and "2 of 3 slices were there" in " ".join(done.stderr.split())
    assert not left.exists()


def test_the_owner_of_a_running_city_computes_the_same_bytes(folder: Path) -> None:
    alone = command(*stretch(folder))
    with running(folder):
        assert command(*stretch(folder)) == alone
        refused = CliRunner().invoke(cli.app, [str(word) for word in stretch(folder, "--every", "0h")])
    assert refused.exit_code == 2 and "recompute.no_stretch" in refused.stderr


def test_a_run_ends_with_who_asked_for_it_and_goes_on_when_it_is_asked_for_again(folder: Path) -> None:
    with running(folder) as city:
        words = [str(word) for word in stretch(folder, "--every", "10s")]
        asked = subprocess.Popen([sys.executable, "-m", "zhongshu.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not (done := list((folder / "recompute").glob("*/*.ndjson"))):
            assert time.monotonic() < until and asked.poll() is None
            time.sleep(0.01)
        asked.kill()
        asked.communicate()
        time.sleep(3)
        left = len(list((folder / "recompute").glob("*/*.ndjson")))
        time.sleep(2)
        assert asked.returncode and len(done) <= left < 900 and left == len(list((folder / "recompute").glob("*/*.ndjson"))), "nobody asks any more"
        begun = time.monotonic()
        city.stop()
        assert time.monotonic() - begun < 30


def test_what_cannot_be_computed_is_said(folder: Path) -> None:
    for words, code in (
        (stretch(folder, "--engine", "abacus"), "recompute.no_engine"),
        (stretch(folder, "--engine", "spark"), "spark.none"),
        ([*stretch(folder)[:-1], rfc3339(START)], "recompute.no_stretch"),
        (["recompute", "--data", folder, "--engine", "spark"], "recompute.no_stretch"),
        ([*stretch(folder), "--at", rfc3339(START)], "recompute.no_stretch"),
        (["recompute", "--data", folder, "--at", "yesterday"], "time.unreadable"),
        (["recompute", "--data", folder, "--level", "strete"], "recompute.no_level"),
        (["recompute", "--data", folder, "--from", "2020-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z", "--every", "1s"], "recompute.too_many"),
        (["backup", folder / "none" / "city.tar", "--data", folder], "backup.no_folder"),
        (["verify", "--data", folder / "elsewhere"], "survey.missing"),
    ):
        told = CliRunner().invoke(cli.app, [str(word) for word in words])
        assert told.exit_code == 2 and code in told.stderr, told.stderr
    assert not (folder / "elsewhere").exists(), "who only asks leaves nothing"


@pytest.mark.skipif(bool(spark_here.missing()), reason=spark_here.missing() or "-")
def test_spark_gives_the_same_bytes_and_goes_on_where_it_was_lost(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZS_SPARK", "local[1]")
    as_of = ("--as-of", rfc3339(START + 30 * HOUR))
    broken_off(folder, monkeypatch, 1, "--engine", "spark", *as_of)
    done = CliRunner().invoke(cli.app, [str(word) for word in stretch(folder, "--engine", "spark", *as_of)])
    assert done.stdout == command(*stretch(folder, *as_of)) and "1 of 3 slices were there" in " ".join(done.stderr.split())
