"""Spark answers what the warehouse answers: the same text, over the same files and tail, to the last bit and of the same types; or it says what it lacks."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import spark_here

from zhongshu.engines.ducklake import DuckLake, Held
from zhongshu.engines.spark import MISSING, UNREACHED, Spark, to_spark
from zhongshu.judge.sql import panes_sql, parts_sql, scan_sql, scans, windows_sql
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import MINUTE
from zhongshu.kernel.problem import Problem

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from corpus import Corpus

pytestmark = [pytest.mark.port, pytest.mark.skipif(bool(spark_here.missing()), reason=spark_here.missing() or "-")]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """A dozen definitions over a record of which a part is in files and a part is not; `live` stands at its end."""
    held = Corpus(tmp_path_factory.mktemp("lake"), every=8)
    held.boundaries = list(held.go_on(3))
    yield held
    held.lake.close()


@pytest.fixture(scope="module")
def spark(corpus: Corpus) -> Iterator[Spark]:
    with corpus.lake.held() as held:
        assert held.files and len(held.tail) and len(held.revised)
        engine = Spark("local[1]", held)
        yield engine
        engine.close()


def ordered(table: pa.Table) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in table.column_names])


def same(corpus: Corpus, spark: Spark, sql: str, known: int | None = None) -> int:
    here, there = (ordered(of) for of in (corpus.lake.query(sql, tables={"facets": corpus.facets}, known=known), spark.query(sql, {"facets": corpus.facets}, known)))
    assert [(f.name, f.type) for f in here.schema] == [(f.name, f.type) for f in there.schema], sql
    assert here.to_pydict() == there.to_pydict(), sql
    return len(here)


def test_the_record_is_the_same(corpus: Corpus, spark: Spark) -> None:
    for known in (None, corpus.boundaries[0], 0):
        for view in ("versions", "readings"):
            sql = f"SELECT count(*) AS n, count(DISTINCT entity) AS entities, coalesce(sum(ticks), 0)::BIGINT AS total, max(known) AS latest, count(ticks) AS told FROM {view}"
            assert same(corpus, spark, sql, known) == 1
    sql = 'SELECT source, entity, property, valid, area, ticks, flags, known, "offset" FROM readings'
    assert same(corpus, spark, sql) > 500
    assert same(corpus, spark, "SELECT source, entity, property, valid, area, ticks, known, written FROM versions") > same(corpus, spark, sql)


def test_every_text_gives_the_same_rows_of_the_same_types(corpus: Corpus, spark: Spark) -> None:
    at, found = corpus.boundaries[-1], 0
    for n, group in enumerate(scans(spec for sign in corpus.signs for spec in sign.specs())):
        spec, pane = group[0], at // group[0].hop
        text = (
            parts_sql(spec, Level.STREET, at, corpus.properties),
            scan_sql(group, at, corpus.properties),
            windows_sql(group, [at - 5 * MINUTE, at], corpus.properties),
            panes_sql(spec, pane - 3, pane, corpus.properties),
        )[n % 4]
        if n % 3 == 0:  # each text is the same for every spec but for its columns, and those are asked below
            found += same(corpus, spark, text, at if n % 2 else None) > 0
    assert found > 2


def test_live_is_equal_to_spark_levels_too(corpus: Corpus, spark: Spark) -> None:
    at = corpus.boundaries[-1]
    again = corpus.explainer(lambda sql, known: spark.query(sql, {"facets": corpus.facets}, known)).recompute_all(corpus.signs, at)
    for sign in corpus.signs:
        live, other = corpus.judge.values(sign, sign.levels, at, corpus.live.parts), again[sign.code]
        assert live.value.tobytes() == other.value.tobytes(), sign.code
        for name in ("keys", "at", "count", "status", "band"):
            assert getattr(live, name).tolist() == getattr(other, name).tolist(), (sign.code, name)
    assert sum(len(again[s.code].keys) for s in corpus.signs) > 50


def test_what_does_not_fit_is_an_error_on_both(corpus: Corpus, spark: Spark) -> None:
    for sql in (
        "SELECT (sum(ticks) * 4611686018427387904)::BIGINT AS n FROM readings WHERE ticks > 0",
        "SELECT (ticks + 1) * 9223372036854775807 AS n FROM readings WHERE ticks = 1000",
    ):
        with pytest.raises(Problem) as caught:
            spark.query(sql)
        assert caught.value.kind.code == "spark.failed" and "overflow" in caught.value.sentence().lower()
        with pytest.raises(Exception, match=r"(?i)overflow|out of range"):
            corpus.lake.query(sql)
    assert same(corpus, spark, "SELECT 1 AS n") == 1, "it goes on after an error"


def test_what_the_dialects_say_differently_is_turned() -> None:
    turned = to_spark("SELECT round_even(number, 0)::BIGINT AS w, area // 1000 * 1000 AS code, max({'at': a, 't': t}).t AS last FROM facets GROUP BY ALL")
    assert turned == "SELECT CAST(RINT(number) AS BIGINT) AS w, area DIV 1000 * 1000 AS code, MAX(STRUCT(a AS at, t AS t)).t AS last FROM facets GROUP BY ALL"


def empty(tmp_path: Path) -> Held:
    lake = DuckLake(tmp_path / "empty", memory="1GB")
    try:
        with lake.held() as held:
            return held
    finally:
        lake.close()


def test_who_does_not_answer_is_named(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    for address in (f"spark://127.0.0.1:{port}", "spark://nowhere"):
        with pytest.raises(Problem) as caught:
            Spark(address, empty(tmp_path))
        assert caught.value.kind is UNREACHED and address in caught.value.sentence("zh")


def test_without_pyspark_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(Problem) as caught:
        Spark("local[1]", empty(tmp_path))
    assert caught.value.kind is MISSING and "zhongshu[spark]" in caught.value.remedy()
