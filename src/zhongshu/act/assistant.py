"""The assistant at the desk: it proposes a class and links for what people say, and learns from what people decide. It decides nothing.

What it proposes is kept with the voice, and with the human act on it, so that adoption and error can be counted. Knows no store.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from zhongshu.act.assist import Classifier, Embedder, EmbeddingClassifier, Link, Linker, Named, NgramClassifier, Told
from zhongshu.kernel.clock import DAY

SURE = 0.8
"""From this share on the first proposal stands as the voice's class until a person says otherwise; below, it is only shown."""
LEARN = 20
"""So many confirmed examples are learnt at once."""
MEMORY = 30 * DAY


class Assistant:
    """One for a city; safe for any thread."""

    def __init__(self, catalogue: Iterable[Named] = (), homes: Iterable[str] = (), embedder: Embedder | None = None) -> None:
        """Begin with the catalogue's words alone; `homes`: classes whose every voice is a home to be put right; `embedder`: makes vectors of sentences, if there is one."""
        self._lock = threading.Lock()
        self._apart = embedder is not None
        self._learner: threading.Thread | None = None
        self._classifier: Classifier = NgramClassifier(catalogue) if embedder is None else EmbeddingClassifier(catalogue, embedder)
        self._linker = Linker(homes=homes)
        self._waiting: list[tuple[str, str]] = []

    def classes(self, text: str) -> dict[str, Any]:
        """Propose classes: {version, classes: [{class, share, reasons}]}, likeliest first; none where the words say too little."""
        with self._lock:
            if len(self._waiting) >= LEARN:
                self._learn()
            made = self._classifier
        found = made.propose(text)
        return {
            "version": made.version,
            "classes": [{"class": one.class_, "share": round(one.share, 3), "reasons": [reason.said for reason in one.reasons]} for one in found],
        }

    def links(self, voice: Mapping[str, Any]) -> tuple[Link, ...]:
        """Propose links of a voice to earlier ones: one event, one cause, one person, each with why."""
        with self._lock:
            return self._linker.propose(_told(voice))

    def heard(self, voice: Mapping[str, Any]) -> None:
        """Remember a voice, so that later ones may be linked to it."""
        with self._lock:
            self._linker.add(_told(voice))

    def confirmed(self, text: str, class_: str) -> None:
        """Learn that people took this text for that class."""
        if text and class_:
            with self._lock:
                self._waiting.append((text, class_))

    def learn(self, examples: Iterable[tuple[str, str]], voices: Iterable[Mapping[str, Any]]) -> None:
        """Learn a history at once: (text, class) as people decided, and the voices of the last month."""
        with self._lock:
            self._waiting += examples
            self._learn()
            for voice in voices:
                self._linker.add(_told(voice))

    def forget(self, before: int) -> None:
        """Drop voices from before a time (µs) that nothing can be linked to any more."""
        with self._lock:
            self._linker.forget(before)

    def _learn(self) -> None:
        """Learn what waits: grams at once, sentences in a thread of their own, since each takes some milliseconds; until then what was learnt before speaks."""
        if not self._waiting or (self._learner is not None and self._learner.is_alive()):
            return
        waiting, self._waiting = self._waiting, []
        if self._apart:
            self._learner = threading.Thread(target=self._take_in, args=(self._classifier, waiting), name="assistant", daemon=True)
            self._learner.start()
        else:
            self._take_in(self._classifier, waiting)

    def _take_in(self, before: Classifier, examples: list[tuple[str, str]]) -> None:
        self._classifier = before.learn(examples)


def _told(voice: Mapping[str, Any]) -> Told:
    return Told(voice["id"], voice["text"], voice["class"], voice["lon"], voice["lat"], voice["area"], voice["created"], reporter=voice["reporter"], address=voice["address"])
