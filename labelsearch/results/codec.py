"""Dataclasses and named tuples to JSON and back, by their type hints."""

import dataclasses
import io
import json
import math
import types
import typing
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from labelsearch.errors import InputError

T = TypeVar("T")


def to_plain(value: object) -> object:
    """Numbers, text, lists and dicts alone; a number that is not finite is None.

    >>> to_plain({1: (0.5, math.nan)})
    {'1': [0.5, None]}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return to_plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return to_plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_plain(kind: object, data: object) -> typing.Any:
    """Inverse of `to_plain` for a type hint; None for a float is not a number.

    Raises
    ------
    ValueError
        If the data do not fit.

    Examples
    --------
    >>> from_plain(dict[int, tuple[float, ...]], {"1": [0.5, None]})
    {1: (0.5, nan)}
    """
    origin, of = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in of:
            return None
        if type(data) in of:
            return data  # a whole number would fit a float too
        for option in of:
            with suppress(ValueError):
                return from_plain(option, data)  # the first that fits
        raise ValueError(f"none of {kind} fits {repr(data)[:60]}")
    if origin is tuple and isinstance(data, list):
        kinds = [of[0]] * len(data) if of[-1] is Ellipsis else of
        return tuple(from_plain(item_kind, item) for item_kind, item in zip(kinds, data, strict=True))
    if origin in (dict, Mapping) and isinstance(data, dict):
        return {int(key) if of[0] is int else key: from_plain(of[1], item) for key, item in data.items()}
    if (
        isinstance(kind, type)
        and (dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"))
        and isinstance(data, dict)
    ):
        hints = typing.get_type_hints(kind)
        given = {name: from_plain(hints[name], item) for name, item in data.items() if name in hints}
        try:
            return kind(**given)
        except TypeError as error:  # a field without a default is missing
            raise ValueError(f"{kind.__name__}: {error}") from None
    if kind is float and (data is None or (isinstance(data, (int, float)) and not isinstance(data, bool))):
        return math.nan if data is None else float(data)
    if isinstance(kind, type) and isinstance(data, kind) and not (kind is int and isinstance(data, bool)):
        return data
    raise ValueError(f"expected {getattr(kind, '__name__', kind)}, not {repr(data)[:60]}")


def json_bytes(value: object) -> bytes:
    """A value as JSON text."""
    return json.dumps(to_plain(value), indent=1, allow_nan=False).encode()


def parse(kind: type[T], content: bytes) -> T:
    """Inverse of `json_bytes`."""
    return from_plain(kind, json.loads(content))


class ResultError(InputError):
    """Files of a result that are damaged or of another version, as one line."""


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Turn whatever damaged or foreign files cause into a `ResultError`."""
    try:
        yield
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OSError, EOFError, zipfile.BadZipFile) as error:
        text = " ".join(str(error).split())[:200]
        raise ResultError(
            f"{folder}: not as this version of labelsearch writes it; run it again ({type(error).__name__}: {text})"
        ) from error


class OnDisk(Mapping[str, T]):
    """Parts of a result by name, each read when it is asked for and not kept: ``read(folder, name)``."""

    def __init__(self, folder: Path, names: Sequence[str], read: Callable[[Path, str], T]) -> None:
        self._folder, self._names, self._read = folder, tuple(names), read

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise KeyError(name)
        with reading(self._folder):
            return self._read(self._folder, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def npz_bytes(arrays: Mapping[str, object]) -> bytes:
    """Arrays by name as the content of an npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def npz_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Inverse of `npz_bytes`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
