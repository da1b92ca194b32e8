"""The base of all results: one JSON file, and parts that are stored in files of their own."""

import dataclasses
import json
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import pandas as pd

from labelsearch.results.codec import from_plain, json_bytes, reading


def apart(file: str = "") -> Any:
    """A field that is not in the JSON file of its record: a DataFrame in a Parquet file of its own.

    Without a file `Record.save_parts` and `Record.load_parts` care for it.
    """
    return dataclasses.field(repr=False, compare=False, metadata={"apart": file})


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet, with a checksum of every page."""
    frame.to_parquet(path, compression="zstd", write_page_checksum=True)


def read_frame(path: Path) -> pd.DataFrame:
    """Inverse of `write_frame`; `OSError` where a checksum does not match."""
    return pd.read_parquet(path, page_checksum_verification=True)


def plain_fields(record: "Record") -> dict[str, object]:
    """What the JSON file of a record holds, by name."""
    return {f.name: getattr(record, f.name) for f in _in_json(type(record))}


class Record:
    """A frozen dataclass that writes itself into a folder and reads itself back."""

    FILE: ClassVar[str]
    trial_counts: ClassVar[Mapping[str, int]] = {}

    def save(self, folder: Path) -> None:
        """Write the JSON file and the parts."""
        (folder / self.FILE).write_bytes(json_bytes(plain_fields(self)))
        for name, file in _frames(type(self)).items():
            write_frame(getattr(self, name), folder / file)
        self.save_parts(folder)

    def save_parts(self, folder: Path) -> None:
        """Write the other fields that are stored apart."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Inverse of `save`; `labelsearch.results.codec.ResultError` if the files are not as `save` writes them."""
        with reading(folder):
            data, hints = json.loads((folder / cls.FILE).read_bytes()), typing.get_type_hints(cls)
            plain = {f.name: from_plain(hints[f.name], data[f.name]) for f in _in_json(cls)}
            frames = {name: read_frame(folder / file) for name, file in _frames(cls).items()}
            return cls(**plain, **frames, **cls.load_parts(folder, plain))

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        """The other fields that are stored apart; ``plain`` are those that are not."""
        return {}


def _in_json(kind: type) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(kind) if "apart" not in f.metadata]


def _frames(kind: type) -> dict[str, str]:
    """Files of the fields that are DataFrames."""
    return {f.name: file for f in dataclasses.fields(kind) if (file := f.metadata.get("apart"))}
