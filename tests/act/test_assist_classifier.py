"""Proposals of a class: right often enough on phrasings never learnt, the same whatever the order, silent rather than guessing, and never broken by a text."""

import itertools
import random
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongshu.act.assist import Classifier, Named, NgramClassifier, Proposal, Tuning
from zhongshu.act.assist.calibration import KEPT, Belief, HeldOut, fit, keep
from zhongshu.act.assist.grams import BUCKETS, LONGEST, cut, fold
from zhongshu.act.assist.measure import Adoption, Record, adoption

sys.path.insert(0, str(Path(__file__).parent))

from labelled import Labelled, catalogue, phrasings, texts

ROWS = [Named(row.class_, row.zh, row.en, row.words) for row in catalogue()]
SMALL = [(text.text, text.class_) for text in texts("train", 1)[:240]]
HOSTILE = [
    "",
    " \n\t",
    "\x00\x01\x1b[31m",
    "水" * 1_000_000,
    "a" * 1_000_000,
    "😭" * 5000,
    "\ud800路灯\udfff",
    "ﷺ" * LONGEST,
    "١٢٣４５６",
    "路灯不亮" + "\u0301" * 3000,
    "\u202e灯路",
    "ⅣⅣ㍿㎡",
    "<script>alert(1)</script>' OR 1=1 --",
    "\U0010ffff\ue000",
]


@pytest.fixture(scope="module")
def day_one() -> NgramClassifier:
    return NgramClassifier(ROWS)


@pytest.fixture(scope="module")
def learnt(day_one: NgramClassifier) -> NgramClassifier:
    return day_one.learn((text.text, text.class_) for text in texts("train", 6))


def asked(classifier: Classifier, given_texts: Iterable[Labelled]) -> Adoption:
    return adoption(Record(tuple(each.class_ for each in classifier.propose(text.text)), text.class_, 0) for text in given_texts)


def said(proposals: tuple[Proposal, ...]) -> str:
    return proposals[0].class_ if proposals else ""


# the made set


def test_no_tested_phrasing_is_learnt() -> None:
    learnt, tested = ({phrase.text for phrase in phrasings() if phrase.half == half} for half in ("train", "test"))
    assert learnt & tested == set()
    assert len({phrase.class_ for phrase in phrasings()}) >= 25
    assert {phrase.class_ for phrase in phrasings()} <= {row.class_ for row in ROWS}
    assert len(texts("train", 6)) + len(texts("test", 6)) >= 2000


# quality, with floors a little under what is measured


def test_it_speaks_on_the_first_day(day_one: NgramClassifier) -> None:
    found = asked(day_one, texts("test", 6))
    assert found.said.share is not None
    assert found.first.share is not None
    assert found.said.share >= 0.45
    assert found.first.share >= 0.78
    assert day_one.learnt == 0


def test_with_a_history_it_is_right_on_phrasings_it_never_met(learnt: NgramClassifier) -> None:
    found = asked(learnt, texts("test", 6))
    assert found.said.share is not None
    assert found.first.share is not None
    assert found.first_three.share is not None
    assert found.said.share >= 0.9
    assert found.first.share >= 0.8
    assert found.first_three.share >= 0.88
    assert found.first.count / found.said.of >= 0.74


def test_a_history_of_the_wrong_classes_would_be_seen(day_one: NgramClassifier) -> None:
    chance, examples = random.Random(1), texts("train", 2)
    classes = [text.class_ for text in examples]
    chance.shuffle(classes)
    found = asked(day_one.learn(zip((text.text for text in examples), classes, strict=True)), texts("test", 1))
    assert found.first.count / found.said.of < 0.5


def test_a_share_may_be_believed(learnt: NgramClassifier) -> None:
    told = [(found[0].share, found[0].class_ == text.class_) for text in texts("test", 6) if (found := learnt.propose(text.text))]
    for low, high in ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.0)):
        within = [(share, right) for share, right in told if low <= share < high]
        assert len(within) >= 50
        assert abs(np.mean([share for share, _ in within]) - np.mean([right for _, right in within])) <= 0.12


# order, batches, versions


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, len(SMALL)), max_size=3))
def test_order_and_batches_make_no_difference(seed: int, cuts: list[int]) -> None:
    rows, examples = list(ROWS), list(SMALL)
    whole = NgramClassifier(rows).learn(examples)
    chance = random.Random(seed)
    chance.shuffle(rows)
    chance.shuffle(examples)
    parted = NgramClassifier(rows)
    edges = [0, *sorted(cuts), len(examples)]
    for low, high in itertools.pairwise(edges):
        parted = parted.learn(examples[low:high])
    assert parted.version == whole.version
    assert parted.belief == whole.belief
    for text in texts("test", 1)[:30]:
        assert parted.propose(text.text) == whole.propose(text.text)


def test_learning_makes_a_new_one_and_a_version_of_its_own(day_one: NgramClassifier) -> None:
    before, proposals = day_one.version, day_one.propose("路灯不亮")
    one, two = day_one.learn([SMALL[0]]), day_one.learn([SMALL[0], SMALL[0]])
    assert len({before, one.version, two.version, day_one.learn([(SMALL[0][0], SMALL[1][1])]).version, NgramClassifier(ROWS, Tuning(silent=0.4)).version}) == 5
    assert day_one.version == before
    assert day_one.propose("路灯不亮") == proposals


def test_what_the_catalogue_lacks_is_passed_over_and_counted(day_one: NgramClassifier) -> None:
    other = day_one.learn([("路灯不亮", "no.such"), ("路灯不亮", "hotline.streetlight")])
    assert (other.learnt, other.ignored) == (1, 1)


def held(key: int, class_: int = 0, numbers: tuple[int, ...] = (1, 2)) -> HeldOut:
    return HeldOut.of(np.array(numbers), np.ones(len(numbers), dtype=np.float32), class_, key)


@given(keys=st.lists(st.integers(0, 10**6), max_size=30), cut_=st.integers(0, 30))
def test_the_same_are_kept_in_any_order_and_batches(keys: list[int], cut_: int) -> None:
    made = [held(key, numbers=(key % 7, key % 11 + 20)) for key in keys]
    kept = [(each.lowest, each.key) for each in keep(made)]
    assert kept == sorted(kept)
    assert [(each.lowest, each.key) for each in keep((*keep(made[cut_:]), *reversed(made[:cut_])))] == kept


def test_so_many_are_kept_and_no_more() -> None:
    kept = keep(held(key) for key in range(KEPT + 50, -1, -1))
    assert [each.key for each in kept] == list(range(KEPT))


@settings(max_examples=20, deadline=None)
@given(temperature=st.floats(0.4, 6), seed=st.integers(0, 1000))
def test_a_known_temperature_is_found_again(temperature: float, seed: int) -> None:
    chance = np.random.default_rng(seed)
    table = chance.normal(0, 3, (3000, 4)).astype(np.float32)
    true = [int(chance.choice(4, p=Belief(temperature, 0.05).shares(row.astype(np.float64)))) for row in table]
    made = [held(at, true[at], (at,)) for at in range(3000)]
    found = fit(made, [at % 4 for at in range(3000)], lambda _, asked: table[asked])
    assert found.temperature == pytest.approx(temperature, rel=0.25)


# what is said


def test_it_gives_the_words_that_spoke_for_a_class(learnt: NgramClassifier) -> None:
    text = "解放大道的井盖没了，晚上太危险"
    first = learnt.propose(text)[0]
    assert first.class_ == "drainage.manhole"
    assert "井盖" in [reason.said for reason in first.reasons]
    for text_ in texts("test", 1):
        for proposal in learnt.propose(text_.text):
            assert proposal.reasons
            assert all(reason.said in fold(text_.text) and reason.weight >= 0 for reason in proposal.reasons)
            assert [reason.weight for reason in proposal.reasons] == sorted((reason.weight for reason in proposal.reasons), reverse=True)


@pytest.mark.parametrize("text", ["您好", "谢谢", "1234567", "喂喂喂听得到吗", "asdf qwer", "🙏🙏🙏"])
def test_it_says_nothing_rather_than_guess(day_one: NgramClassifier, learnt: NgramClassifier, text: str) -> None:
    assert day_one.propose(text) == ()
    assert learnt.propose(text) == () or learnt.propose(text)[0].share < 0.6


def test_the_stated_share_is_the_border_of_silence() -> None:
    text = "路上还没积水，就是河快平岸了"
    loud = NgramClassifier(ROWS, Tuning(silent=0.0)).learn(SMALL)
    share = loud.propose(text)[0].share
    assert NgramClassifier(ROWS, Tuning(silent=share - 0.001)).learn(SMALL).propose(text)
    assert NgramClassifier(ROWS, Tuning(silent=share + 0.001)).learn(SMALL).propose(text) == ()


def test_traditional_wide_and_capital_letters_are_read_alike(learnt: NgramClassifier) -> None:
    assert fold("路燈壞了，ＫＴＶ　１２號樓") == "路灯坏了,ktv 12号楼"
    assert learnt.propose("路燈壞了，沒有燈") == learnt.propose("路灯坏了,没有灯")
    assert said(learnt.propose("Street light out")) == "hotline.streetlight"


def test_most_is_kept(learnt: NgramClassifier) -> None:
    text = "路上还没积水，就是河快平岸了"
    assert [len(learnt.propose(text, most)) for most in (-1, 0, 1)] == [0, 0, 1]


# whatever the text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_do_no_harm(day_one: NgramClassifier, text: str) -> None:
    proposals = day_one.learn([(text, "hotline.streetlight")]).propose(text)
    assert sum(each.share for each in proposals) <= 1 + 1e-9
    assert day_one.propose(text) == day_one.propose(text)


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.characters(), max_size=300) | st.text("路灯不亮垃圾积水了井盖 aＡ1１😭\x00", max_size=300))
def test_any_text_gets_shares_that_sum_to_one_at_most(learnt: NgramClassifier, text: str) -> None:
    proposals = learnt.propose(text, 5)
    assert sum(each.share for each in proposals) <= 1 + 1e-9
    assert [each.share for each in proposals] == sorted((each.share for each in proposals), reverse=True)
    assert all(each.reasons and 0 < each.share <= 1 for each in proposals)


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(), max_size=60) | st.text("路灯不亮ab é", max_size=40))
def test_grams_lie_in_the_text(text: str) -> None:
    grams = cut(text)
    assert len(grams.numbers) == len(grams.starts) == len(grams.lengths)
    assert ((grams.numbers >= 0) & (grams.numbers < BUCKETS)).all()
    assert all(grams.shown(at) in grams.text and grams.shown(at).strip() for at in range(len(grams.numbers)))


def test_grams_of_one_to_four_characters_and_whole_words() -> None:
    grams = cut("路灯坏了 KTV，3楼")
    assert sorted(grams.shown(at) for at in range(len(grams.numbers))) == sorted(
        ["路", "灯", "坏", "了", "路灯", "灯坏", "坏了", "路灯坏", "灯坏了", "路灯坏了", "ktv", "楼"],
    )
    again = cut("坏了")
    assert set(again.numbers.tolist()) <= set(grams.numbers.tolist())


def test_memory_is_bounded_by_classes_not_by_history(day_one: NgramClassifier) -> None:
    few = day_one.learn(SMALL)
    many = few
    for _ in range(3):
        many = many.learn(SMALL * 4)
    assert many.nbytes - few.nbytes < 8_000_000
    assert many.learnt == 13 * len(SMALL)


def test_an_empty_catalogue_and_a_class_of_no_words_say_nothing() -> None:
    assert NgramClassifier([]).learn([("路灯", "x")]).propose("路灯") == ()
    assert NgramClassifier([Named("a", "", "")]).propose("路灯") == ()
    assert NgramClassifier([Named("a", "", ""), Named("b", "", "")]).propose("路灯") == ()


def test_no_text_is_longer_than_is_read() -> None:
    assert max(len(fold(text)) for text in HOSTILE) == LONGEST
