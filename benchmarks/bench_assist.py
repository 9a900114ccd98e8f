"""Proposals for what citizens say: how often the class is right on unseen phrasings, how often a link is, and what a text costs. On a set made for the tests."""

import itertools
import sys
import time
from collections import Counter
from pathlib import Path

from table import Table, head

from zhongshu.act.assist import EVENT, KIND, PERSON, Classifier, EmbeddingClassifier, Linker, Named, NgramClassifier, fit
from zhongshu.act.assist.measure import Adoption, Ratio, Record, adoption
from zhongshu.engines.sentence_vectors import SentenceVectors, installed

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "act"))

from labelled import catalogue, phrasings, texts
from situations import CONFUSABLE, HOMES, PLAN, Made, heard, truth

MANY_CLASSES, MANY = 60, 20_000


def shown(ratio: Ratio) -> str:
    """Show a share with what it was counted from."""
    return "–" if ratio.share is None else f"{ratio.share:.3f} ({ratio.count:,}/{ratio.of:,}, {ratio.low:.3f}–{ratio.high:.3f})"


def asked(classifier: Classifier, *, hard: bool = False) -> Adoption:
    """Ask for every tested text."""
    return adoption(Record(tuple(each.class_ for each in classifier.propose(text.text)), text.class_, 0) for text in texts("test", 6) if text.hard or not hard)


def classes(table: Table) -> None:
    """Measure the classifier on phrasings it has not learnt, by how much history it has."""
    empty = NgramClassifier(Named(row.class_, row.zh, row.en, row.words) for row in catalogue())
    examples = [(text.text, text.class_) for text in texts("train", 6)]
    count = Counter(phrase.half for phrase in phrasings())
    table.add("made set: phrasings learnt, tested", f"{count['train']}, {count['test']}", f"texts {len(examples):,}, {len(texts('test', 6)):,}; classes {len(empty.classes)}")
    for name, history in (("catalogue only", []), ("and 1,000 confirmed", examples[:1000]), (f"and all {len(examples):,}", examples)):
        learnt = empty.learn(history)
        found, hard = asked(learnt), asked(learnt, hard=True)
        table.add(f"class, {name}: said", shown(found.said), f"temperature {learnt.belief.temperature:.2f}, doubt {learnt.belief.doubt}")
        table.add(f"class, {name}: first right, of what was said", shown(found.first), f"of all {found.first.count / found.said.of:.3f}")
        table.add(f"class, {name}: in the first three, of what was said", shown(found.first_three), f"of all {found.first_three.count / found.said.of:.3f}")
        table.add(f"class, {name}: hard ones, first right, of what was said", shown(hard.first), "several topics, a denial")
    belief(learnt, table)


def sentences(table: Table) -> None:
    """Measure the extra's classifier, by sentence vectors beside the grams, on the same texts."""
    if not installed():
        table.add("class, with sentence vectors", "not measured: the extra ai is not installed", "")
        return
    vectors = SentenceVectors()
    begun = time.perf_counter()
    made = EmbeddingClassifier((Named(row.class_, row.zh, row.en, row.words) for row in catalogue()), vectors)
    table.add("sentence vectors: beginning with the catalogue", f"{time.perf_counter() - begun:.1f} s", vectors.name)
    examples = [(text.text, text.class_) for text in texts("train", 6)]
    for name, history in (("catalogue only", []), ("and 1,000 confirmed", examples[:1000])):
        learnt = made.learn(history)
        begun = time.perf_counter()
        found = asked(learnt)
        each = (time.perf_counter() - begun) / len(texts("test", 6)) * 1e3
        table.add(f"class, sentences, {name}: first right, of what was said", shown(found.first), f"of all {found.first.count / found.said.of:.3f}; {each:.1f} ms a text")
    belief(learnt, table)


def belief(learnt: Classifier, table: Table) -> None:
    """Set the shares beside how often they were right."""
    told = [(found[0], text.class_) for text in texts("test", 6) if (found := learnt.propose(text.text))]
    for low, high in itertools.pairwise((0.3, 0.5, 0.7, 0.9, 1.0)):
        within = [(each.share, each.class_ == class_) for each, class_ in told if low <= each.share < high]
        if within:
            table.add(
                f"share {low}–{high}: right",
                f"{sum(right for _, right in within) / len(within):.3f} of {len(within):,}",
                f"mean share {sum(s for s, _ in within) / len(within):.3f}",
            )


def cost(table: Table) -> None:
    """Measure time and memory with some 60 classes and 20,000 examples."""
    made = texts("train", 1 + MANY // 440)[:MANY]
    rows = [Named(row.class_, row.zh, row.en, row.words) for row in catalogue()]
    rows += [Named(f"more.{i}", text.text[:6], "", ()) for i, text in enumerate(made[: MANY_CLASSES - len(rows)])]
    begun = time.perf_counter()
    learnt = NgramClassifier(rows).learn((text.text, text.class_ if i % 3 else f"more.{i % 20}") for i, text in enumerate(made))
    took = time.perf_counter() - begun
    long = [("".join(text.text for text in made[i : i + 10]))[:200] for i in range(300)]
    begun = time.perf_counter()
    for text in long:
        learnt.propose(text)
    each = (time.perf_counter() - begun) / len(long)
    table.add(f"text of 200 characters, {len(learnt.classes)} classes, {len(made):,} examples", f"{each * 1e6:,.0f} µs", "promise 1,000 µs")
    table.add("learning them", f"{took:.1f} s", f"{learnt.nbytes / 1e6:.0f} MB held")


def links(table: Table) -> None:
    """Measure links on the half of the situations that no weight was fitted on."""
    table.add(
        "made situations: learnt, tested", " and ".join(2 * [str(sum(count for _, count in PLAN.values()))]), ", ".join(f"{name} {count}" for name, (_, count) in PLAN.items())
    )
    voices, linker, seen = heard("test"), Linker(CONFUSABLE, HOMES), dict[str, Made]()
    right, said, true, begun = Counter[str](), Counter[str](), Counter[str](), time.perf_counter()
    helped, could, took = Counter[str](), Counter[str](), 0.0
    for made in voices:
        begun = time.perf_counter()
        proposed = linker.propose(made.told, most=10_000)
        took += time.perf_counter() - begun
        for kind in (EVENT, KIND, PERSON):
            about = [verdict for link in proposed if link.kind == kind and (verdict := truth(kind, made, seen[link.other])) is not None]
            there = sum(truth(kind, made, other) is True for other in seen.values())
            said[kind], right[kind], true[kind] = said[kind] + len(about), right[kind] + sum(about), true[kind] + there
            could[kind], helped[kind] = could[kind] + bool(there), helped[kind] + bool(there and any(about))
        linker.add(made.told)
        seen[made.told.id] = made
    for kind in (EVENT, KIND, PERSON):
        table.add(f"{kind}: precision", f"{right[kind] / max(said[kind], 1):.3f} ({right[kind]:,}/{said[kind]:,} pairs)", "")
        table.add(f"{kind}: recall", f"{right[kind] / max(true[kind], 1):.3f} ({right[kind]:,}/{true[kind]:,} pairs)", f"voices helped {helped[kind]:,}/{could[kind]:,}")
    table.add("a voice's links", f"{took / len(voices) * 1e6:,.0f} µs", f"{len(voices):,} voices, outages of 200 homes among them")


def refit(table: Table) -> None:
    """Fit the weights again on the training half, to be set beside the rows."""
    linker, seen = Linker(CONFUSABLE, HOMES), dict[str, Made]()
    rows: dict[str, list[tuple[dict[str, float], bool]]] = {EVENT: [], KIND: [], PERSON: []}
    for made in heard("train"):
        for kind, other, pair in linker.considered(made.told):
            if (verdict := truth(kind, made, seen[other.id])) is not None:
                rows[kind].append((dict(pair.features), verdict))
        linker.add(made.told)
        seen[made.told.id] = made
    for kind, pairs in rows.items():
        fitted = fit([features for features, _ in pairs], [verdict for _, verdict in pairs], kind)
        table.add(f"{kind}: weights fitted on {len(pairs):,} pairs", ", ".join(f"{row.feature} {row.value:+.2f}" for row in fitted), "")


if __name__ == "__main__":
    head()
    report = Table()
    classes(report)
    sentences(report)
    cost(report)
    links(report)
    refit(report)
