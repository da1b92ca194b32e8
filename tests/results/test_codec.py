"""Results to JSON and back: typed, strict, and without loss."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelsearch.results.codec import OnDisk, ResultError, from_plain, json_bytes, parse, to_plain
from labelsearch.results.record import Record, apart


class Pair(NamedTuple):
    left: int
    right: float | None


@dataclass(frozen=True)
class Inner:
    name: str
    pairs: tuple[Pair, ...]
    by_size: dict[int, tuple[float, ...]]


@dataclass(frozen=True)
class Outer:
    inner: Inner
    flag: bool
    mixed: dict[str, float | int | str]  # in an order in which the first that fits is not the right one
    maybe: Inner | None = None
    box: tuple[int, str] = (1, "a")


numbers = st.floats(allow_nan=False, allow_infinity=False)
pairs = st.builds(Pair, st.integers(), st.none() | numbers)
sizes = st.dictionaries(st.integers(), st.lists(numbers).map(tuple))
inner = st.builds(Inner, st.text(), st.lists(pairs).map(tuple), sizes)
mixed = st.dictionaries(st.text(), st.integers() | numbers | st.text())
outer = st.builds(Outer, inner, st.booleans(), mixed, st.none() | inner, st.tuples(st.integers(), st.text()))


@settings(max_examples=80, deadline=None)
@given(outer)
def test_what_is_written_comes_back(value):
    back = parse(Outer, json_bytes(value))
    assert back == value
    for name, item in value.mixed.items():
        assert type(back.mixed[name]) is type(item)


def test_what_is_not_finite_is_none_and_not_a_number_again():
    assert to_plain({"x": math.nan, "y": [math.inf, 1.0], "p": Path("a"), "n": np.float64(2.0)}) == {
        "x": None, "y": [None, 1.0], "p": "a", "n": 2.0
    }  # fmt: skip
    assert math.isnan(from_plain(float, None))
    assert from_plain(float | None, None) is None
    assert from_plain(float, 3) == 3.0


@pytest.mark.parametrize(
    ("kind", "data"),
    [(int, True), (int, 1.5), (float, "1"), (float, True), (str, 1), (tuple[int, str], [1]), (Pair, [1, 2]),
     (int | None, "x"), (Inner, {"name": "a"})],
)  # fmt: skip
def test_data_of_another_type_are_refused(kind, data):
    with pytest.raises((ValueError, TypeError)):
        from_plain(kind, data)


@dataclass(frozen=True)
class Both(Record):
    FILE = "both.json"
    sizes: dict[int, float]
    array: np.ndarray = apart()

    def save_parts(self, folder: Path) -> None:
        np.save(folder / "array.npy", self.array)

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        return {"array": np.load(folder / "array.npy")}


def test_parts_are_stored_apart(tmp_path):
    value = Both({3: 0.5}, np.arange(4))
    value.save(tmp_path)
    assert json.loads((tmp_path / "both.json").read_text()) == {"sizes": {"3": 0.5}}
    back = Both.load(tmp_path)
    assert back == value
    assert back.array.tolist() == [0, 1, 2, 3]
    assert value.trial_counts == {}


@pytest.mark.parametrize(
    "content",
    ['{"other": 1}', '{"sizes": {"x": 1.0}}', '{"sizes": [1]}', "[]", "3", "{", "", '{"sizes": {"1": "a\\nb"}}', "\0"],
)
def test_damaged_and_foreign_files_are_refused_in_one_line(content, tmp_path):
    value = Both({3: 0.5}, np.arange(4))
    value.save(tmp_path)
    (tmp_path / "both.json").write_text(content)
    with pytest.raises(ResultError, match="not as this version of labelsearch writes it; run it again") as caught:
        Both.load(tmp_path)
    assert "\n" not in str(caught.value)
    value.save(tmp_path)
    for damage in (lambda p: p.write_bytes(b""), lambda p: p.write_bytes(p.read_bytes()[:-9]), lambda p: p.unlink()):
        value.save(tmp_path)
        damage(tmp_path / "array.npy")
        with pytest.raises(ResultError, match="run it again"):
            Both.load(tmp_path)


def test_missing_fields_are_named_and_unknown_ones_are_ignored():
    with pytest.raises(ValueError, match=r"Inner: .*missing .*'pairs'"):
        from_plain(Inner, {"name": "a"})
    known = {"name": "a", "pairs": [], "by_size": {}}
    assert from_plain(Inner, {**known, "added_later": 3}) == from_plain(Inner, known)


def test_parts_on_disk_are_read_when_asked_for():
    read = []
    parts = OnDisk(Path("x"), ["a", "b"], lambda folder, name: read.append(name) or name.upper())
    assert list(parts) == ["a", "b"]
    assert read == []
    assert parts["b"] == "B"
    assert dict(parts) == {"a": "A", "b": "B"}
    with pytest.raises(KeyError):
        parts["c"]
