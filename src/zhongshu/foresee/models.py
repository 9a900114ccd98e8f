"""The models a city has: each a folder with the files its engine reads, a card that says where they come from, and a drawing.

Knows no engine and no format: what a file holds was read by an importer, and that it runs was seen by its engine.
"""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from zhongshu.kernel.problem import declare

BAD_NAME = declare(
    "twin.bad_name",
    "invalid",
    zh=("模型不能叫“{name}”。", "名称用小写字母、数字、连字符和下划线，以字母或数字开头，最多 60 个字。"),
    en=("A model cannot be called '{name}'.", "A name is of lower-case letters, digits, hyphens and underscores, begins with a letter or digit, and has 60 at most."),
)
UNKNOWN = declare(
    "twin.unknown_model",
    "unknown",
    zh=("没有叫 {name} 的模型。", "有的模型：{names}。用 zhongshu twin import 导入。"),
    en=("There is no model {name}.", "There are: {names}. Import one with `zhongshu twin import`."),
)
TAKEN = declare(
    "twin.name_taken",
    "conflict",
    zh=("已经有叫 {name} 的模型，来自另一个文件（{file}）。", "换一个 --name，或先删掉原来的。"),
    en=("There is a model {name} already, from another file ({file}).", "Give another --name, or remove that one first."),
)
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_CARD, _DRAWING = "card.json", "drawing.geojson"


class Said(msgspec.Struct, frozen=True):
    """A line in both languages."""

    zh: str
    en: str


class Card(msgspec.Struct, frozen=True):
    """What a model is: the engine that reads it, the file it came from and its sha256, how many objects of each kind were taken, what was guessed and refused.

    `crs`: what the drawing is in, EPSG:4490, or nothing where the model's plane lies nowhere on earth.
    """

    name: str
    engine: str
    version: str
    model: str
    file: str
    sha256: str
    crs: str
    taken: dict[str, int]
    guessed: list[Said]
    refused: list[Said]
    objects: dict[str, int]
    inputs: dict[str, str]
    observed: dict[str, str]


class Models:
    """The models of a city, in its folder `twin`."""

    def __init__(self, folder: Path) -> None:
        """Keep them in a folder, which is made when there is one to keep."""
        self.folder = folder

    def names(self) -> list[str]:
        """Return the models there are."""
        return sorted(path.parent.name for path in self.folder.glob(f"*/{_CARD}")) if self.folder.exists() else []

    def card(self, name: str) -> Card:
        """Return a model's card."""
        if name not in self.names():
            raise UNKNOWN(name=name, names=", ".join(self.names()) or "-")
        return msgspec.json.decode((self.folder / name / _CARD).read_bytes(), type=Card)

    def path(self, name: str) -> Path:
        """Return the file the engine is given."""
        return self.folder / name / self.card(name).model

    def drawing(self, name: str) -> dict[str, Any]:
        """Return a model's drawing, a GeoJSON collection; each feature says its kind and name."""
        self.card(name)
        found: dict[str, Any] = msgspec.json.decode((self.folder / name / _DRAWING).read_bytes())
        return found

    def put(self, card: Card, files: Mapping[str, bytes], drawing: Mapping[str, Any]) -> None:
        """Keep a model, whole or not at all; the same file again takes the place of what was read of it before."""
        self.need(card.name, card.sha256)
        draft = self.folder / f".{card.name}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for name, content in {**files, _DRAWING: msgspec.json.encode(drawing), _CARD: msgspec.json.format(msgspec.json.encode(card))}.items():
            with (draft / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        shutil.rmtree(self.folder / card.name, ignore_errors=True)
        draft.rename(self.folder / card.name)

    def need(self, name: str, sha256: str) -> None:
        """Refuse a name that is none, or another file's."""
        if not NAME.fullmatch(name):
            raise BAD_NAME(name=name)
        if name in self.names() and (held := self.card(name)).sha256 != sha256:
            raise TAKEN(name=name, file=held.file)
