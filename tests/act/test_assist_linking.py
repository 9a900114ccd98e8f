"""Proposed links: right and found often enough on situations no weight was fitted on, with reasons in both languages, from an index that compares few with few."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongshu.act.assist import EVENT, KIND, LIMITS, PERSON, WEIGHTS, Linker, Told, Weight, fit
from zhongshu.act.assist.likeness import AGAINST, FEATURES
from zhongshu.act.assist.linking import BUCKET
from zhongshu.kernel.clock import DAY, HOUR, MINUTE

sys.path.insert(0, str(Path(__file__).parent))

from situations import BEGIN, CONFUSABLE, HOMES, PLAN, Made, heard, situations, truth

STREET = 990101001000000
POND = Told("a", "望江路积水很深，车都熄火了", "drainage.ponding", 120.0, 30.0, STREET + 1001, BEGIN, "caller-1")
METRE = 1 / 111_195


def linker(*known: Told) -> Linker:
    made = Linker(CONFUSABLE, HOMES)
    for told in known:
        made.add(told)
    return made


def kinds(found: tuple, other: str = "a") -> set[str]:
    return {link.kind for link in found if link.other == other}


# the made situations


@pytest.fixture(scope="module")
def counted() -> dict[str, Counter[str]]:
    """Propose for every voice of the tested half as it comes in, and count pairs."""
    by: dict[str, Counter[str]] = {kind: Counter() for kind in (EVENT, KIND, PERSON)}
    known, seen = Linker(CONFUSABLE, HOMES), dict[str, Made]()
    for made in heard("test"):
        proposed = known.propose(made.told, most=10_000)
        assert all(link.reason_zh and link.reason_en and 0 < link.share <= 1 for link in proposed)
        for kind, count in by.items():
            verdicts = [verdict for link in proposed if link.kind == kind and (verdict := truth(kind, made, seen[link.other])) is not None]
            count["said"] += len(verdicts)
            count["right"] += sum(verdicts)
            count["true"] += sum(truth(kind, made, other) is True for other in seen.values())
        known.add(made.told)
        seen[made.told.id] = made
    return by


@pytest.mark.parametrize(("kind", "precision", "recall", "least"), [(EVENT, 0.92, 0.78, 4000), (KIND, 0.97, 0.68, 40_000), (PERSON, 0.95, 0.95, 400)])
def test_links_are_right_and_found(counted: dict[str, Counter[str]], kind: str, precision: float, recall: float, least: int) -> None:
    count = counted[kind]
    assert count["true"] >= least
    assert count["right"] / count["said"] >= precision
    assert count["right"] / count["true"] >= recall


def test_the_situations_are_many_and_their_halves_apart() -> None:
    assert 2 * sum(count for _, count in PLAN.values()) >= 600
    small = {name: made for name, made in situations("test") if name in {"apart", "other_days", "beside", "matters"}}
    for made in small.values():
        assert not any(truth(kind, one, other) for kind in (EVENT, KIND, PERSON) for one in made for other in made if one is not other)
    assert [made.told.text for made in heard("test")[:50]] == [made.told.text for made in heard("test")[:50]]


def test_the_rows_are_what_the_training_half_gives() -> None:
    known, seen = Linker(CONFUSABLE, HOMES), dict[str, Made]()
    rows, true = [], []
    for made in heard("train"):
        for kind, other, pair in known.considered(made.told):
            if kind == PERSON and (verdict := truth(kind, made, seen[other.id])) is not None:
                rows.append(dict(pair.features))
                true.append(verdict)
        known.add(made.told)
        seen[made.told.id] = made
    given_ = {row.feature: row.value for row in WEIGHTS if row.kind == PERSON}
    assert {row.feature: row.value for row in fit(rows, true, PERSON)} == pytest.approx(given_, abs=0.05)


def test_every_feature_has_one_row_and_a_likeness_never_counts_against() -> None:
    assert sorted((row.kind, row.feature) for row in WEIGHTS) == sorted((kind, name) for kind, names in FEATURES.items() for name in names)
    assert [row for row in WEIGHTS if row.value < 0 and (row.kind, row.feature) not in AGAINST] == []
    assert [limit.kind for limit in LIMITS] == [EVENT, KIND, PERSON]


# one pair at a time


def test_a_near_voice_of_one_kind_is_one_event_and_the_reason_says_so() -> None:
    new = replace(POND, id="b", lat=30.0 + 120 * METRE, when=BEGIN + 35 * MINUTE, reporter="", text="路上全是水", address="")
    link = linker(POND).propose(new)[0]
    assert (link.kind, link.other) == (EVENT, "a")
    assert link.reason_zh == "120 m · 35 分钟 · 同类"
    assert link.reason_en == "120 m · 35 min · same kind"


@pytest.mark.parametrize(
    "change",
    [
        {"lat": 30.0 + 900 * METRE},
        {"when": BEGIN + 2 * DAY},
        {"class_": "environment.noise"},
    ],
    ids=["900 m", "two days", "another kind"],
)
def test_alike_words_alone_are_not_one_event(change: dict) -> None:
    new = replace(POND, id="b", reporter="caller-2", text=POND.text.replace("望江路", ""), **change)
    assert linker(replace(POND, text=POND.text.replace("望江路", ""))).propose(new) == ()


def test_a_voice_without_coordinates_is_found_by_the_place_it_names() -> None:
    new = replace(POND, id="b", lon=None, lat=None, reporter="", when=BEGIN + 20 * MINUTE)
    link = linker(POND).propose(new)[0]
    assert link.kind == EVENT
    assert "望江路" in link.reason_zh
    assert "望江路" in link.reason_en
    assert linker(POND).propose(replace(new, text="水很深")) == ()


def test_confusable_classes_and_no_class_are_one_event_too() -> None:
    for class_, zh in (("drainage.overflow", "易混类"), ("drainage.ponding", "同类")):
        assert zh in linker(POND).propose(replace(POND, id="b", class_=class_, reporter=""))[0].reason_zh
    assert Linker().propose(replace(POND, id="b", class_="drainage.overflow")) == ()
    blank = [(kind, other.id) for kind, other, _ in linker(POND).considered(replace(POND, id="b", class_="", reporter=""))]
    assert blank == [(EVENT, "a")]


def test_cold_flats_of_one_street_are_one_cause_and_many_homes() -> None:
    flats = [
        replace(POND, id=str(i), class_="hotline.heating", text=f"天鹅湾{i}号楼2单元301暖气不热", lat=30.0 + i * 60 * METRE, reporter=f"c{i}", when=BEGIN + i * MINUTE)
        for i in range(1, 9)
    ]
    found = linker(*flats[:-1]).propose(flats[-1])
    assert {link.kind for link in found} == {KIND}
    assert len(found) == 7
    assert all("同一街道" in link.reason_zh and "不同住户" in link.reason_zh and "different homes" in link.reason_en for link in found)
    elsewhere = replace(flats[-1], area=STREET + 7 * 10**6)
    assert linker(*flats[:-1]).propose(elsewhere) == ()


def test_one_person_again_at_any_distance_within_thirty_days() -> None:
    again = replace(POND, id="b", lon=120.3, when=BEGIN + 9 * DAY, area=STREET + 9 * 10**6)
    link = linker(POND).propose(again)[0]
    assert link.kind == PERSON
    assert link.reason_zh.startswith("同一来电人")
    assert link.reason_en.startswith("same caller")
    assert linker(POND).propose(replace(again, when=BEGIN + 31 * DAY)) == ()
    assert linker(POND).propose(replace(again, reporter="caller-2")) == ()
    assert linker(POND).propose(replace(again, class_="hotline.consult", text="请问医保怎么报销")) == ()
    assert linker(replace(POND, reporter="")).propose(replace(again, reporter="")) == ()


def test_a_voice_is_never_linked_to_itself_and_most_is_kept() -> None:
    assert linker(POND).propose(POND) == ()
    many = [replace(POND, id=f"k{i}", reporter="") for i in range(30)]
    assert len(linker(*many).propose(POND, most=4)) == 4


def test_what_is_forgotten_is_not_proposed() -> None:
    known = linker(POND, replace(POND, id="later", when=BEGIN + HOUR))
    known.forget(BEGIN + MINUTE)
    assert {link.other for link in known.propose(replace(POND, id="b", when=BEGIN + HOUR))} == {"later"}


def test_few_are_compared_in_a_large_city_and_in_a_flood() -> None:
    far = [
        replace(POND, id=f"f{i}", lat=30.0 + 0.05 * (i % 40 + 1), lon=120.0 + 0.05 * (i // 40), reporter=f"x{i}", area=STREET + (i % 900 + 1) * 10**6, text="积水")
        for i in range(2000)
    ]
    assert list(linker(*far).considered(replace(POND, text="积水"))) == []
    flood = [replace(POND, id=f"n{i}", reporter=f"y{i}", text="积水") for i in range(3 * BUCKET)]
    assert len({other.id for _, other, _ in linker(*flood).considered(replace(POND, id="b", text="积水"))}) <= 2 * BUCKET


@pytest.mark.parametrize(("lon", "lat", "metres"), [(120.01, 60.0, 556), (120.0, 60.005, 556), (120.005, 60.0025, 393)])
def test_metres_are_those_of_the_globe(lon: float, lat: float, metres: int) -> None:
    [pair] = [pair for kind, _, pair in linker(replace(POND, lat=60.0)).considered(replace(POND, id="b", lon=lon, lat=lat)) if kind == EVENT]
    assert pair.metres == pytest.approx(metres, abs=1)


def test_what_is_one_event_is_not_told_as_one_cause_too() -> None:
    eager = [Weight(kind, "base", 3.0) for kind in (EVENT, KIND, PERSON)]
    known = Linker(CONFUSABLE, HOMES, weights=eager)
    known.add(POND)
    assert kinds(known.propose(replace(POND, id="b"))) == {EVENT, PERSON}
    assert kinds(known.propose(replace(POND, id="b", lat=30.02))) == {KIND, PERSON}


def test_a_name_heard_everywhere_is_a_word_and_no_place() -> None:
    text = "人行道旁边的马路积水"
    new = replace(POND, id="b", lon=None, lat=None, reporter="", text=text)
    everywhere = [replace(POND, id=f"e{i}", reporter="", text=text, lon=120.0 + 0.02 * i, area=STREET + i * 10**6) for i in range(60)]
    assert [link for link in linker(*everywhere).propose(new) if link.kind == EVENT] == []
    assert linker(replace(POND, text=text, reporter="")).propose(new)


def test_a_city_brings_its_own_weights() -> None:
    deaf = [Weight(kind, "base", -30.0) for kind in (EVENT, KIND, PERSON)]
    known = Linker(CONFUSABLE, HOMES, weights=deaf)
    known.add(POND)
    assert known.propose(replace(POND, id="b")) == ()


FLOATS = st.one_of(st.none(), st.floats(), st.floats(-180, 180))


@settings(max_examples=150, deadline=None)
@given(
    text=st.text(st.characters(), max_size=80) | st.just("路灯" * 5000),
    lon=FLOATS,
    lat=FLOATS,
    area=st.sampled_from([0, 1, STREET, 990100000000000, 10**15 - 1]),
    when=st.integers(-(2**62), 2**62) | st.integers(BEGIN - DAY, BEGIN + DAY),
    class_=st.sampled_from(["", "drainage.ponding", "hotline.heating", "\x00"]),
)
def test_no_voice_breaks_it(text: str, lon: float | None, lat: float | None, area: int, when: int, class_: str) -> None:
    odd = Told("odd", text, class_, lon, lat, area, when, "caller-1", text, "x")
    known = linker(POND)
    for link in (*known.propose(odd), *linker(odd).propose(POND), *linker(odd).propose(replace(odd, id="two"))):
        assert 0 <= link.share <= 1
        assert link.reason_zh
        assert link.reason_en
        assert "nan" not in link.reason_zh


def test_like_numbered_homes_of_two_estates_are_two_homes() -> None:
    one = replace(POND, class_="hotline.heating", text="天鹅湾8号楼2单元301暖气不热")
    two = replace(one, id="b", text="松涛苑8号楼2单元301暖气不热", lat=30.0 + 600 * METRE, reporter="caller-2")
    assert kinds(linker(one).propose(two)) == {KIND}
    assert kinds(linker(one).propose(replace(two, lat=30.0))) == {EVENT}


def test_without_homes_declared_nothing_is_one_cause() -> None:
    known = Linker(CONFUSABLE)
    known.add(replace(POND, class_="hotline.heating"))
    assert kinds(known.propose(replace(POND, id="b", class_="hotline.heating", lat=30.0 + 600 * METRE, reporter=""))) == set()
