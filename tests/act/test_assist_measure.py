"""What is measured of proposals: counts by hand, intervals as they are printed in the books, and unknown where nothing was asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.act.assist.measure import Confusion, Dispatch, Record, adoption, confusable, first_dispatch, ratio

RECORDS = [
    Record(("a", "b", "c"), "a", 10),
    Record(("a", "b"), "a", 20),
    Record(("a", "b", "c"), "c", 30),
    Record(("b",), "a", 40),
    Record((), "b", 50),
    Record(("b", "a"), "b", 60),
]


def test_adoption_is_counted_from_what_was_said() -> None:
    found = adoption(RECORDS)
    assert (found.said.count, found.said.of) == (5, 6)
    assert (found.first.count, found.first.of, found.first.share) == (3, 5, 0.6)
    assert (found.first_three.count, found.first_three.of) == (4, 5)
    assert found.confusions == (Confusion("a", "c", 1), Confusion("b", "a", 1))
    by = {each.class_: each for each in found.classes}
    assert (by["a"].taken.count, by["a"].taken.of, by["a"].silent, by["a"].in_vain) == (2, 3, 0, 1)
    assert (by["b"].taken.count, by["b"].taken.of, by["b"].silent, by["b"].in_vain) == (1, 1, 1, 1)
    assert (by["c"].taken.count, by["c"].taken.of) == (0, 1)


def test_a_time_is_half_open() -> None:
    assert adoption(RECORDS, 20, 40).said.of == 2
    assert adoption(RECORDS, since=20).said.of == 5
    assert adoption(RECORDS, until=20).said.of == 1


def test_the_fourth_proposal_is_none_of_the_first_three() -> None:
    assert adoption([Record(("a", "b", "c", "d"), "d", 0)]).first_three.count == 0


def test_nothing_asked_is_unknown_not_nought() -> None:
    found = adoption([])
    assert found.first.share is None
    assert (found.first.low, found.first.high) == (0.0, 1.0)
    assert found.classes == found.confusions == ()


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718), (29, 29, 0.8830, 1.0)],
)
def test_wilsons_interval_is_newcombes(count: int, of: int, low: float, high: float) -> None:
    found = ratio(count, of)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


@given(of=st.integers(1, 10_000), part=st.floats(0, 1))
def test_an_interval_holds_its_share(of: int, part: float) -> None:
    found = ratio(round(part * of), of)
    assert found.share is not None
    assert 0 <= found.low <= found.share <= found.high <= 1


@given(records=st.lists(st.builds(Record, st.lists(st.sampled_from("abcd"), max_size=4, unique=True).map(tuple), st.sampled_from("abcd"), st.integers(0, 9))))
def test_counts_add_up_in_any_order(records: list[Record]) -> None:
    found = adoption(records)
    assert found == adoption(reversed(records))
    assert found.first.count + sum(each.count for each in found.confusions) == found.said.count
    assert sum(each.taken.count for each in found.classes) == found.first.count
    assert sum(each.in_vain for each in found.classes) == sum(each.count for each in found.confusions)
    assert sum(each.taken.of + each.silent for each in found.classes) == len(records)


def test_classes_mixed_up_either_way_are_confusable() -> None:
    records = [Record(("a",), "b", 0)] * 2 + [Record(("b",), "a", 0)] + [Record(("c",), "a", 0)] * 2
    assert confusable(adoption(records)) == (("a", "b"),)
    assert confusable(adoption(records), least=2) == (("a", "b"), ("a", "c"))


def test_first_dispatch_is_right_where_it_was_settled() -> None:
    records = [
        Dispatch("road", "road", "road", 1),
        Dispatch("road", "road", "water", 2),
        Dispatch("road", "water", "water", 3),
        Dispatch("road", "water", "road", 4),
        Dispatch("", "water", "water", 5),
        Dispatch("road", "road", "", 6),
    ]
    found = first_dispatch(records)
    assert (found.proposals.count, found.proposals.of) == (2, 4)
    assert (found.sent.count, found.sent.of) == (3, 5)
    assert (found.followed.count, found.followed.of) == (1, 2)
    assert (found.overruled.count, found.overruled.of) == (1, 2)
    assert first_dispatch(records, since=5).sent.of == 1
    assert first_dispatch(records, until=2).proposals.of == 1
