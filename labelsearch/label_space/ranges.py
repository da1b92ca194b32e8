"""Ranges of the options of a label kind, and labels drawn from them."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.base import LabelError
from labelsearch.labels.kinds import KINDS, build_label, option_type

OBJECTIVES = ("worth", "skill", "direction")  # what a search makes large
SAMPLERS = ("sobol", "tpe")
DIGITS = 3  # of a number drawn from an interval: names stay short, and labels that hardly differ are the same one
Options = dict[str, int | float | str]  # of a label, by name
DEVIATIONS = "_deviations"  # suffix of a range in standard deviations of the move over the horizon


class OptionInterval(NamedTuple):
    """Numbers from ``low`` to ``high``, as many in each octave."""

    low: float
    high: float
    whole: bool

    def at(self, share: float) -> float:
        """The number at a share in [0, 1] of the interval."""
        value = self.low * (self.high / self.low) ** share
        if self.whole:
            return min(max(round(value), math.ceil(self.low)), math.floor(self.high))
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


class OptionChoices(NamedTuple):
    """Some values, each as likely."""

    values: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """The value at a share in [0, 1]."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]


Range = OptionInterval | OptionChoices


class Trial(Protocol):
    """What is used of a trial of Optuna."""

    def suggest_float(self, name: str, low: float, high: float) -> float:
        """A number."""

    def suggest_categorical(self, name: str, choices: Sequence[int]) -> int:
        """One of some."""


@dataclasses.dataclass(frozen=True)
class LabelRange:
    """Labels of one kind: a range for each option; options without one have their default.

    A range named as an option of moves with ``_deviations`` behind it, as ``theta_deviations``, is that option in
    standard deviations of the move over the horizon, so that few labels mark nothing or everything.
    """

    kind: str
    ranges: Mapping[str, Range]
    origin: str = ""  # hash of the user's file that defines the kind

    def __post_init__(self) -> None:
        known = {f.name for f in dataclasses.fields(KINDS.find(self.kind))}
        for name in self.ranges:
            option = name.removesuffix(DEVIATIONS)
            if option not in known:
                raise LabelError(f"unknown option {option!r} of label kind {self.kind}; known are {', '.join(known)}")
            if name != option and "horizon" not in known:
                raise LabelError(f"{name}: label kind {self.kind} has no horizon")
        build_label(KINDS.find(self.kind), self.options([0.5] * len(self.ranges), 0.01))

    def options(self, shares: Sequence[float], deviation: float) -> Options:
        """Options at a point of the unit cube, one share for each range; ``deviation``: of the returns of one bar."""
        values: Options = {name: its.at(share) for (name, its), share in zip(self.ranges.items(), shares, strict=True)}
        out = {name: value for name, value in values.items() if not name.endswith(DEVIATIONS)}
        for name, value in values.items():
            if name.endswith(DEVIATIONS):
                move = float(value) * deviation * math.sqrt(float(out.get("horizon", 1)))
                out[name.removesuffix(DEVIATIONS)] = float(f"{move:.2g}")
        return out


def parse_range(kind: str, name: str, value: object, in_bars: Callable[[str, str], int]) -> Range:
    """A range as TOML has it: a value, ``[low, high]`` of numbers or lengths of time, or a list of texts.

    Parameters
    ----------
    kind, name : str
        Of the label and its option.
    value : object
    in_bars : callable
        ``in_bars(name, text)``: bars of a length of time.

    Raises
    ------
    LabelError
        If it is none of these.
    """
    fields = {f.name: f for f in dataclasses.fields(KINDS.find(kind))}
    option = name.removesuffix(DEVIATIONS)
    if option not in fields:
        raise LabelError(f"unknown option {option!r} of label kind {kind}; known are {', '.join(fields)}")
    wanted = float if name != option else option_type(fields[option])
    values: list[Any] = list(value) if isinstance(value, (list, tuple)) else [value]
    if wanted is int:
        values = [in_bars(name, its) if isinstance(its, str) else its for its in values]
    if wanted is str:
        if not values or not all(isinstance(its, str) for its in values):
            raise LabelError(f"option {name!r} of label kind {kind} must be text, or a list of texts")
        return OptionChoices(tuple(values))
    if not all(isinstance(its, (int, float)) and not isinstance(its, bool) for its in values) or len(values) > 2:
        raise LabelError(f"option {name!r} of label kind {kind} must be a number, or [low, high]")
    if len(values) == 1:
        return OptionChoices((values[0],))
    low, high = values
    if not 0 < low <= high:
        raise LabelError(f"option {name!r} of label kind {kind}: [low, high] needs 0 < low <= high")
    return OptionInterval(float(low), float(high), wanted is int)


class LabelSpace(NamedTuple):
    """Labels of several kinds."""

    ranges: tuple[LabelRange, ...]
    deviation: float  # standard deviation of the log returns of one bar on train

    @property
    def dimensions(self) -> int:
        """Numbers in [0, 1] that a label is drawn from: its kind, and its options."""
        return 1 + max(len(its.ranges) for its in self.ranges)

    def at(self, point: Sequence[float] | NDArray[np.float64]) -> tuple[str, Options]:
        """Kind and options at a point of the unit cube."""
        own = OptionChoices(self.ranges).at(point[0])
        return own.kind, own.options(list(point[1 : 1 + len(own.ranges)]), self.deviation)

    def sobol(self, n: int, seed: int) -> Iterator[NDArray[np.float64]]:
        """Points of a scrambled Sobol sequence."""
        from scipy.stats import qmc

        yield from qmc.Sobol(self.dimensions, seed=seed).random_base2(math.ceil(math.log2(max(n, 2))))[:n]

    def suggest(self, trial: Trial) -> list[float]:
        """A point that Optuna suggests; options of other kinds are not asked for."""
        which = trial.suggest_categorical("kind", range(len(self.ranges)))
        own = self.ranges[which]
        shares = [trial.suggest_float(f"{which}.{name}", 0.0, 1.0) for name in own.ranges]
        return [(which + 0.5) / len(self.ranges), *shares]


def default_ranges(day: int) -> tuple[LabelRange, ...]:
    """Ranges of the kinds that are there, for a market of so many bars a day."""
    shortest, longest = max(2, day // 288), max(8, 2 * day)
    horizon = OptionInterval(shortest, longest, True)
    swing = OptionInterval(0.5, 8.0, False)
    return (
        LabelRange(
            "threshold",
            {
                "theta_deviations": OptionInterval(0.7, 3.0, False),
                "horizon": horizon,
                "scale": OptionChoices(("fixed", "volatility")),
                "future": OptionChoices(("point", "wma")),
            },
        ),
        LabelRange("extrema", {"up": swing, "down": OptionInterval(0.05, 0.5, False)}),
        LabelRange(
            "triple_barrier",
            {"up": OptionInterval(0.6, 2.0, False), "down": OptionInterval(0.6, 2.0, False), "horizon": horizon},
        ),
        LabelRange("magnitude", {"horizon": horizon, "edge": OptionInterval(0.6, 2.0, False)}),
    )
