"""Frozen dataclasses to and from TOML: every default and every explanation is written once, in the field."""

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from labelsearch.errors import InputError

Section = TypeVar("Section")
Plain = dict[str, Any]  # as TOML has it
TYPE_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false", dict: "a table"}


class ExperimentError(InputError):
    """An experiment file that cannot be used, as one line."""


def option(default: Any, explanation: str, low: float | None = None, high: float | None = None) -> Any:
    """Dataclass field with its default and the comment that `labelsearch init` writes beside it.

    Numbers have the range [low, high], which `Ranged` checks; each number of a list has it.
    """
    if low is None or high is None:
        return dataclasses.field(default=default, metadata={"help": explanation})
    text = f"{explanation} [{_number(low)} to {_number(high)}]"
    return dataclasses.field(default=default, metadata={"help": text, "range": (low, high)})


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def check_range(name: str, value: Any, low: float, high: float) -> None:
    """Raise `ExperimentError` unless a number, or each of several, is in [low, high]; NaN never is, None always."""
    for number in value if isinstance(value, tuple) else () if value is None else (value,):
        if not low <= number <= high:
            raise ExperimentError(f"{name} must be in {_number(low)} to {_number(high)}, not {number}")


class Ranged:
    """A section whose numbers have the ranges of their `option`."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            if limits := field.metadata.get("range"):
                check_range(field.name, getattr(self, field.name), *limits)


def _convert(kind: Any, value: Any) -> Any:
    """The value as the annotated type; `TypeError` where it is of another."""
    origin = typing.get_origin(kind)
    if origin is types.UnionType:  # a type or None
        return None if value is None else _convert(typing.get_args(kind)[0], value)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise TypeError
        item = typing.get_args(kind)
        if len(item) == 2 and item[1] is Ellipsis:
            return tuple(_convert(item[0], v) for v in value)
        if len(item) != len(value):
            raise TypeError
        return tuple(_convert(k, v) for k, v in zip(item, value, strict=True))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError
    return value


def load_value(kind: Any, value: Any, where: str) -> Any:
    """A value of TOML data as an annotated type; `ExperimentError` where it is of another."""
    try:
        return _convert(kind, value)
    except TypeError:
        kind = typing.get_args(kind)[0] if typing.get_origin(kind) is types.UnionType else kind
        raise ExperimentError(f"{where} must be {TYPE_NAMES.get(kind, 'a list')}, not {value!r}") from None


def refuse_unknown(keys: typing.Iterable[str], known: list[str], where: str) -> None:
    """Raise `ExperimentError` for the first unknown key, with the closest valid key suggested."""
    for key in keys:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise ExperimentError(f"{where}: unknown key {key!r}; the closest valid key is {near[0]!r}")


def load_section(section: type[Section], data: Any, where: str) -> Section:
    """Build one section from TOML data.

    Raises
    ------
    ExperimentError
        Unknown key, missing key, value of a wrong type, or a value that the section itself refuses.
    """
    if not isinstance(data, Mapping):
        raise ExperimentError(f"{where}: expected a table")
    fields = dataclasses.fields(section)  # type: ignore[arg-type]
    refuse_unknown(data, [f.name for f in fields], where)
    kinds = typing.get_type_hints(section)
    values = {}
    for field in fields:
        if field.name in data:
            values[field.name] = load_value(kinds[field.name], data[field.name], f"{where}: {field.name}")
        elif field.default is dataclasses.MISSING:
            raise ExperimentError(f"{where}: {field.name} is missing")
    try:
        return section(**values)
    except ValueError as error:
        raise ExperimentError(f"{where}: {error}") from error


def dump_value(value: Any) -> str:
    """A value in TOML notation."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(dump_value(v) for v in value) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


def dump_line(name: str, value: Any, explanation: str) -> str:
    """A key with its value in TOML and its explanation as a comment; a key without a value is a comment itself."""
    line = f"# {name} =" if value is None else f"{name} = {dump_value(value)}"
    return f"{line:<39}  # {explanation}" if explanation else line


def dump_section(section: Any) -> str:
    """Keys of a section in TOML, each with its explanation."""
    fields = dataclasses.fields(section)
    return "\n".join(dump_line(f.name, getattr(section, f.name), f.metadata.get("help", "")) for f in fields)
