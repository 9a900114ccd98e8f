"""The extra's classifier: the same port as the grams', better on phrasings it has not learnt, the same whatever the order, silent where nothing is said."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from zhongshu.act.assist import EmbeddingClassifier, Named, NgramClassifier
from zhongshu.act.assistant import LEARN, Assistant
from zhongshu.engines.sentence_vectors import SentenceVectors, chosen, installed
from zhongshu.kernel.problem import Problem

sys.path.insert(0, str(Path(__file__).parent))

from labelled import catalogue, texts

ROWS = [Named(row.class_, row.zh, row.en, row.words) for row in catalogue()]
LEARNT, ASKED = 300, 150


@pytest.fixture(scope="module")
def vectors() -> Iterator[SentenceVectors]:
    """Return the model that the extra brings, or skip visibly."""
    if not installed():
        pytest.skip("the extra ai is not installed: uv sync, on Linux x86_64")
    return SentenceVectors()


@pytest.fixture(scope="module")
def examples() -> list[tuple[str, str]]:
    every = [(text.text, text.class_) for text in texts("train", 6)]
    return every[:: len(every) // LEARNT][:LEARNT]


@pytest.fixture(scope="module")
def learnt(vectors: SentenceVectors, examples: list[tuple[str, str]]) -> EmbeddingClassifier:
    return EmbeddingClassifier(ROWS, vectors).learn(examples)


def test_it_is_right_more_often_than_the_grams_alone_on_phrasings_neither_has_learnt(learnt: EmbeddingClassifier, examples: list[tuple[str, str]]) -> None:
    grams = NgramClassifier(ROWS).learn(examples)
    every = texts("test", 6)
    asked = every[:: len(every) // ASKED][:ASKED]
    right = {name: sum(bool(found := by.propose(text.text)) and found[0].class_ == text.class_ for text in asked) for name, by in (("both", learnt), ("grams", grams))}
    assert right["both"] > right["grams"] + ASKED // 20, right
    assert right["both"] > ASKED // 2


def test_it_learns_the_same_whatever_the_order_and_the_batches(learnt: EmbeddingClassifier, examples: list[tuple[str, str]], vectors: SentenceVectors) -> None:
    other = EmbeddingClassifier(ROWS, vectors).learn(examples[150:][::-1]).learn(examples[:150])
    assert other.version == learnt.version
    for text in ("下水道堵了，污水往外冒", "路灯一个星期都不亮了", "楼下烧烤摊半夜还在吵"):
        assert [(one.class_, round(one.share, 6)) for one in other.propose(text)] == [(one.class_, round(one.share, 6)) for one in learnt.propose(text)]


def test_it_says_why_and_says_nothing_of_nothing(learnt: EmbeddingClassifier) -> None:
    found = learnt.propose("小区门口的路灯坏了好几天")
    assert found[0].class_ == "hotline.streetlight"
    assert any("灯" in reason.said for reason in found[0].reasons)
    assert sum(one.share for one in learnt.propose("路面塌了一个大坑", most=50)) <= 1 + 1e-9
    for text in ("", "   ", "\x00", "🙏" * 3, "a" * 100_000):
        learnt.propose(text)
    assert learnt.propose("") == ()
    assert learnt.learn([("什么也不是", "no.such.class")]).propose("路灯不亮")[0].class_ == "hotline.streetlight"


def test_the_assistant_learns_beside_the_desk(vectors: SentenceVectors, examples: list[tuple[str, str]]) -> None:
    assistant = Assistant(ROWS, embedder=vectors)
    before = assistant.classes("路灯不亮")["version"]
    for text, class_ in examples[:LEARN]:
        assistant.confirmed(text, class_)
    assistant.classes("路灯不亮")
    assert assistant._learner is not None
    assistant._learner.join(60)
    assert assistant.classes("路灯不亮")["version"] != before


def test_what_is_chosen_and_not_there_is_told() -> None:
    assert chosen("grams") is None
    with pytest.raises(Problem, match=r"assist\.no_extra"):
        chosen("magic")
    assert (chosen("auto") is not None) == installed()
