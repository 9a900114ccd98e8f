"""Who is who, as small numbers: sources, entities, properties, units and areas, interned once and never renumbered while the owner lives.

Loaded from the survey and from what the journal has registered since. Knows nothing of formats or of where readings go.
"""

import json
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from zhongshu.kernel.entity import Entity
from zhongshu.kernel.quantity import Property


class Words:
    """Names and their numbers; the list only grows. Threads may ask at once."""

    def __init__(self) -> None:
        """Start with no name."""
        self.names: list[str] = []
        self.numbers: dict[str, int] = {}
        self._lock = threading.Lock()

    def number(self, name: str) -> int:
        """Return a name's number, giving it one if it is new."""
        number = self.numbers.get(name)
        if number is None:
            with self._lock:
                if (number := self.numbers.get(name)) is None:
                    number = len(self.names)
                    self.names.append(name)
                    self.numbers[name] = number
        return number

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.names)


class Unkept:
    """Entities that are registered here and not in the journal yet: whatever becomes of the batch that brought one, the next group keeps it."""

    def __init__(self) -> None:
        """Start with none."""
        self._documents: dict[str, dict[str, Any]] = {}
        self._taken: set[str] = set()
        self._lock = threading.Lock()

    def add(self, documents: Iterable[dict[str, Any]]) -> None:
        """Note what is to be kept, unless it was taken already."""
        with self._lock:
            for document in documents:
                if document["id"] not in self._taken:
                    self._documents.setdefault(document["id"], document)

    def take(self) -> list[dict[str, Any]]:
        """Return what is to be kept."""
        with self._lock:
            documents, self._documents = self._documents, {}
            self._taken.update(documents)
            return list(documents.values())

    def give_back(self, documents: Iterable[dict[str, Any]]) -> None:
        """Note that what was taken could not be kept."""
        with self._lock:
            for document in documents:
                self._taken.discard(document["id"])
                self._documents[document["id"]] = document


class Registry:
    """The city's entities and properties, for the hot path. Reads need no lock; registering takes one."""

    def __init__(self, city: int, properties: Iterable[Property], entities: Iterable[Entity]) -> None:
        """Take in the properties of all packs and the entities of the survey."""
        self.city = city
        self.sources, self.units = Words(), Words()
        self.entities, self.properties = Words(), Words()
        self.property_rows: list[Property] = []
        self.rows: list[Entity] = []
        self.types = Words()
        self.unkept = Unkept()
        self.property_type = np.zeros(0, np.int32)
        self._area, self._type = np.zeros(1024, np.int64), np.zeros(1024, np.int32)
        self._lateness = np.zeros(0, np.int64)
        self._facets: dict[str, list[object]] = {}
        self._lock = threading.Lock()
        for prop in properties:
            self.add_property(prop)
        for entity in entities:
            self.register(entity)

    def add_property(self, prop: Property) -> None:
        """Add a property; its number is its place."""
        if self.properties.number(prop.name) == len(self.property_rows):
            self.property_rows.append(prop)
            self.property_type = np.append(self.property_type, np.int32(self.types.number(prop.type)))

    def register(self, entity: Entity) -> int:
        """Add an entity, or return the number of the one with its id."""
        with self._lock:
            known = self.entities.numbers.get(entity.id)
            if known is not None:
                return known
            number = len(self.rows)
            if number == len(self._area):
                self._area = np.concatenate([self._area, np.zeros(number, np.int64)])
                self._type = np.concatenate([self._type, np.zeros(number, np.int32)])
            self._area[number], self._type[number] = entity.area, self.types.number(entity.type)
            self.rows.append(entity)
            self.entities.number(entity.id)
            return number

    def areas(self) -> npt.NDArray[np.int64]:
        """Return every entity's area, by number."""
        return self._area[: len(self.rows)]

    def entity_types(self) -> npt.NDArray[np.int32]:
        """Return every entity's type number, by number."""
        return self._type[: len(self.rows)]

    def lateness(self) -> npt.NDArray[np.int64]:
        """Return every property's lateness in µs, by number."""
        if len(self._lateness) != len(self.property_rows):
            self._lateness = np.array([p.lateness for p in self.property_rows], np.int64)
        return self._lateness

    def of_type(self, name: str) -> npt.NDArray[np.int64]:
        """Return the numbers of the entities of a type."""
        return np.flatnonzero(self.entity_types() == self.types.numbers.get(name, -1))

    def entity(self, id_: str) -> Entity | None:
        """Return an entity by id."""
        number = self.entities.numbers.get(id_)
        return None if number is None else self.rows[number]

    def facet(self, name: str) -> list[object]:
        """Return a facet of every entity, None where it has none; the same list always, longer when entities were added."""
        held = self._facets.setdefault(name, [])
        if len(held) < len(self.rows):
            with self._lock:
                held.extend(row.facets.get(name) for row in self.rows[len(held) :])
        return held


def to_document(entity: Entity) -> dict[str, Any]:
    """Return an entity as the journal keeps it."""
    return {
        "id": entity.id,
        "type": entity.type,
        "name_zh": entity.name_zh,
        "name_en": entity.name_en,
        "area": entity.area,
        "lon": entity.lon,
        "lat": entity.lat,
        "owner": entity.owner,
        "grade": entity.grade,
        "facets": json.dumps(entity.facets, ensure_ascii=False, sort_keys=True),
    }


def from_document(document: dict[str, Any]) -> Entity:
    """Read an entity as the journal keeps it."""
    return Entity(**{**document, "facets": json.loads(document["facets"])})
