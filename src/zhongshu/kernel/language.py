"""The port of a language model: text in, text out, and its name so that every proposal can say who made it."""

from typing import Protocol


class LanguageModel(Protocol):
    """None is built in: templates and retrieval stand in, labelled so."""

    name: str

    def complete(self, instruction: str, text: str) -> str:
        """Return the model's answer."""
        ...
