"""The base of all results: one JSON file, and parts that are stored in files of their own."""

import dataclasses
import json
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from labelsearch.results.codec import from_plain, json_bytes

APART = {"apart": True}


def apart() -> Any:
    """A field that is not in the JSON file of its record; `Record.save_parts` and `Record.load_parts` care for it."""
    return dataclasses.field(repr=False, compare=False, metadata=APART)


class Record:
    """A frozen dataclass that writes itself into a folder and reads itself back."""

    FILE: ClassVar[str]
    trial_counts: ClassVar[Mapping[str, int]] = {}

    def save(self, folder: Path) -> None:
        """Write the JSON file and the parts."""
        plain = {f.name: getattr(self, f.name) for f in _in_json(type(self))}
        (folder / self.FILE).write_bytes(json_bytes(plain))
        self.save_parts(folder)

    def save_parts(self, folder: Path) -> None:
        """Write the fields that are stored apart."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Inverse of `save`."""
        data, hints = json.loads((folder / cls.FILE).read_bytes()), typing.get_type_hints(cls)
        plain = {f.name: from_plain(hints[f.name], data[f.name]) for f in _in_json(cls)}
        return cls(**plain, **cls.load_parts(folder, plain))

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        """The fields that are stored apart; ``plain`` are the others."""
        return {}


def _in_json(kind: type) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(kind) if f.metadata != APART]
