"""Dataclasses and named tuples to JSON and back, by their type hints."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

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
        return _first(data, [option for option in of if option is not type(None)])
    if origin is tuple and isinstance(data, list):
        kinds = [of[0]] * len(data) if of[-1] is Ellipsis else of
        return tuple(from_plain(item_kind, item) for item_kind, item in zip(kinds, data, strict=True))
    if origin in (dict, Mapping) and isinstance(data, dict):
        return {from_plain(of[0], _key(of[0], key)): from_plain(of[1], item) for key, item in data.items()}
    if (
        isinstance(kind, type)
        and (dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"))
        and isinstance(data, dict)
    ):
        hints = typing.get_type_hints(kind)
        missing = object()
        given = {name: data.get(name, missing) for name in hints if not name.startswith("_")}
        return kind(**{n: from_plain(hints[n], item) for n, item in given.items() if item is not missing})
    if kind is float and (data is None or (isinstance(data, (int, float)) and not isinstance(data, bool))):
        return math.nan if data is None else float(data)
    if isinstance(kind, type) and isinstance(data, kind) and not (kind is int and isinstance(data, bool)):
        return data
    raise ValueError(f"expected {kind}, not {data!r:.60}")


def _first(data: object, options: Sequence[object]) -> typing.Any:
    """The first option that fits."""
    for option in options:
        try:
            return from_plain(option, data)
        except ValueError:
            continue
    raise ValueError(f"none of {options} fits {data!r:.60}")


def _key(kind: object, key: str) -> object:
    return int(key) if kind is int else key


def json_bytes(value: object) -> bytes:
    """A value as JSON text."""
    return json.dumps(to_plain(value), indent=1, allow_nan=False).encode()


def parse(kind: type[T], content: bytes) -> T:
    """Inverse of `json_bytes`."""
    return from_plain(kind, json.loads(content))


class OnDisk(Mapping[str, T]):
    """Parts of a result by name, each read when it is asked for and not kept."""

    def __init__(self, names: Sequence[str], read: Callable[[str], T]) -> None:
        self._names, self._read = tuple(names), read

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise KeyError(name)
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
