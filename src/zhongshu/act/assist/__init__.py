"""Assist: what the words of citizens suggest, proposed to the people at the desk and never decided here.

`NgramClassifier` and, with the extra `ai`, `EmbeddingClassifier` propose a class, `Linker` proposes links between voices, and `measure` tells how often people took what was proposed. Pure: no store, no HTTP.
"""

from zhongshu.act.assist.classifier import Classifier, Named, NgramClassifier, Proposal, Reason, Tuning
from zhongshu.act.assist.embedding import Embedder, EmbeddingClassifier
from zhongshu.act.assist.likeness import EVENT, KIND, PERSON, WEIGHTS, Told, Weight, fit
from zhongshu.act.assist.linking import LIMITS, Limit, Link, Linker

__all__ = [
    "EVENT",
    "KIND",
    "LIMITS",
    "PERSON",
    "WEIGHTS",
    "Classifier",
    "Embedder",
    "EmbeddingClassifier",
    "Limit",
    "Link",
    "Linker",
    "Named",
    "NgramClassifier",
    "Proposal",
    "Reason",
    "Told",
    "Tuning",
    "Weight",
    "fit",
]
