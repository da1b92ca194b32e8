"""JSON that says what it says once: finite numbers, and no key twice."""

import json
import math
from typing import Any, NoReturn

LARGEST = 2**63 - 1


def parse(text: str) -> Any:
    """Read JSON.

    Raises
    ------
    ValueError
        One line: text that is no JSON, a key twice in one object, NaN or infinity, a number that float64 or int64
        cannot hold, or lists in lists beyond what Python follows.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_integer
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:100]!r} is there twice")
        found[key] = value
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:30]} is out of range")
    return value


def _integer(text: str) -> int:
    if len(text) > len(str(-LARGEST)) or abs(int(text)) > LARGEST:
        raise ValueError(f"the number {text[:30]} is out of range")
    return int(text)
