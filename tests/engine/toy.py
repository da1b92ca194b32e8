"""Toy stages: the engine needs no market to be tested."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from labelsearch.engine.looks import Stretch
from labelsearch.engine.stage import Stage, Stored, Work


@dataclass(frozen=True)
class Number:
    """A result that is a number."""

    value: int

    @property
    def trial_counts(self) -> dict[str, int]:
        return {"numbers": 1}

    def unit_counts(self, name: str) -> dict[str, int]:
        return {"throws": 1}

    def save(self, folder: Path) -> None:
        (folder / "number.txt").write_text(str(self.value))

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(int((folder / "number.txt").read_text()))


@dataclass(frozen=True)
class StartInputs:
    start: int


@dataclass(frozen=True)
class DoubleInputs:
    first: Stored[Number]
    factor: int


@dataclass(frozen=True)
class SumInputs:
    """A study: ``count`` throws, each a unit, on top of a result."""

    double: Stored[Number]
    count: int
    seen: str


def throw(task: int, shared: int) -> dict[str, bytes]:
    return {"throw": str(task * shared).encode()}


def start(inputs: StartInputs, work: Work) -> Number:
    return Number(inputs.start)


def double(inputs: DoubleInputs, work: Work) -> Number:
    return Number(inputs.factor * inputs.first.value.value)


def add(inputs: SumInputs, work: Work) -> Number:
    done = work.units(throw, {str(i): i for i in range(inputs.count)}, inputs.double.value.value)
    return Number(sum(int(files["throw"]) for files in done.values()))


FIRST = Stage("first", StartInputs, Number, start)
DOUBLE = Stage("double", DoubleInputs, Number, double)
SUM = Stage(
    "sum",
    SumInputs,
    Number,
    add,
    looks_at=lambda i: (Stretch(i.seen, 0, 9),) if i.seen else (),
    study=True,
    extent=("count",),
)
STAGES = {stage.name: stage for stage in (FIRST, DOUBLE)}
