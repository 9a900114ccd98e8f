"""Ids and areas: names that never collide, codes that fold and unfold."""

import threading
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.kernel.area import UNIT, Level, at_level, city_of, interval, level_of, parent, parse_area, show_area, unplaced, within
from zhongshu.kernel.ids import is_urn, stable_id, urn, uuid7
from zhongshu.kernel.problem import Problem, declare, kinds

cells = st.builds(lambda c, s, m, g: c * 10**9 + s * 10**6 + m * 1000 + g, st.integers(100001, 999999), st.integers(1, 999), st.integers(1, 999), st.integers(1, 999))


def test_uuid7_is_one_and_in_order_and_never_twice() -> None:
    made: list[list[str]] = [[] for _ in range(4)]

    def make(into: list[str]) -> None:
        into.extend(uuid7() for _ in range(3000))

    threads = [threading.Thread(target=make, args=(into,)) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(into == sorted(into) for into in made) and len({i for into in made for i in into}) == 12000
    one = uuid.UUID(made[0][0])
    assert one.version == 7 and one.variant == uuid.RFC_4122


@given(st.text(min_size=1), st.sampled_from(["Gauge", "Loop"]))
def test_a_urn_is_one_whatever_the_name(name: str, kind: str) -> None:
    assert is_urn(urn(kind, name))


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{1,31}", fullmatch=True), st.from_regex(r"[0-9A-Za-z._~%-]{0,40}", fullmatch=True), st.text("abz019._~:%-", max_size=40))
def test_a_urn_names_something_within_its_type(space: str, kind: str, name: str) -> None:
    assert is_urn(f"urn:{space}:{kind}:{name}") is (name != "")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("urn:zs:Gauge:1", True),
        ("urn:ngsi-ld:Device:x", True),
        ("urn:x", False),
        ("", False),
        ("urn:zs:a b", False),
        ("urn:zs:x\n", False),
        ("urn:zs:" + "x" * 201, False),
        ("URN:zs:x", False),
        ("urn:zs:Gauge:", False),
        ("urn:ngsi-ld:Device:", False),
        ("urn:zs::", False),
        ("urn:zs:Gauge:a:", True),
    ],
)
def test_what_is_a_urn(text: str, is_one: bool) -> None:
    assert is_urn(text) is is_one


def test_stable_ids_depend_on_every_part_alone() -> None:
    assert stable_id("a", 1) == stable_id("a", 1) != stable_id("a", 2) and stable_id("ab", "c") != stable_id("a", "bc") and len(stable_id()) == 24


@given(cells)
def test_an_area_folds_level_by_level(cell: int) -> None:
    assert level_of(cell) == Level.CELL and parse_area(show_area(cell)) == cell
    chain = [cell]
    while (up := parent(chain[-1])) is not None:
        chain.append(up)
    assert [level_of(c) for c in reversed(chain)] == [level for level in Level if level in {level_of(c) for c in chain}] and chain[-1] == city_of(cell)
    for level in Level:
        low, high = at_level(cell, level), at_level(cell, level) + UNIT[level]
        assert low <= cell < high
        if level_of(low) == level:
            assert interval(low) == (low, high)
    assert within(np.array([cell]), [interval(city_of(cell))]).tolist() == [True] and within(np.array([cell]), []).tolist() == [False]
    assert level_of(unplaced(cell)) == Level.DISTRICT and city_of(unplaced(cell)) == city_of(cell)


@pytest.mark.parametrize("text", ["", "1", "99010100100100", "9901010010010010", "99010100100100x", "９９０１０１００１００１００１", "-90101001001001"])
def test_what_is_no_area_is_a_problem(text: str) -> None:
    with pytest.raises(Problem, match=r"area\.unreadable"):
        parse_area(text)


def test_a_problem_speaks_both_languages_and_is_declared_once() -> None:
    code = f"test.{uuid7()}"
    kind = declare(code, "invalid", zh=("坏了：{why}。", "修{missing}。"), en=("Broken: {why}.", "Mend it."))
    problem = kind(why="x" * 500)
    assert problem.sentence("zh-CN").startswith("坏了") and len(problem.sentence()) < 300 and problem.remedy("zh") == "修<missing>。" and code in kinds()
    assert kind(why="{why} {0} {a.b}").sentence() == "Broken: {why} {0} {a.b}.", "what was sent is no template"
    with pytest.raises(ValueError, match="twice"):
        declare(code, "invalid", zh=("", ""), en=("", ""))
