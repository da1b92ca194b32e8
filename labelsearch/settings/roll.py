"""Sections of experiments with many splits and many markets."""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import islice, takewhile

from labelsearch.settings.schema import ExperimentError, Ranged, option
from labelsearch.settings.sections import Windows, check_day, one_of

STEP = re.compile(r"([1-9]\d{0,4})(d|w|mo|y)")
# stages whose results later splits keep from the first one of their market
KEPT: dict[str, tuple[str, ...]] = {
    "everything": (),
    "classifiers": ("features",),
    "search": ("features", "classifiers"),
    "tiers": ("features", "classifiers", "search"),
}
TRAINS = ("sliding", "expanding")
SEARCHES = ("each", "first")
MOST_SPLITS = 10_000


@dataclass(frozen=True)
class Roll(Ranged):
    """Further splits: the three windows moved on by a step, again and again; without one there is one split."""

    step: str = option("", "how far windows are moved on, as 90d, 4w, 3mo or 1y; empty: one split")
    splits: int = option(0, "how many splits; 0: as many as begin their future by the last day", 0, MOST_SPLITS)
    last: str = option("", "last day of all futures; the last one is cut there")
    train: str = option("sliding", "sliding, or expanding: train keeps its first day")
    refit: str = option("everything", f"what each split makes anew, with all after it: {', '.join(KEPT)}")
    hyperparameters: str = option("each", "each split searches those of its networks, or the first one for all")

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("train", self.train, TRAINS)
        one_of("refit", self.refit, KEPT)
        one_of("hyperparameters", self.hyperparameters, SEARCHES)
        if self.hyperparameters == "first" and self.refit in ("search", "tiers"):
            raise ExperimentError(
                f"refit = {self.refit} keeps the networks themselves, so hyperparameters must be each"
            )
        if self.step and not STEP.fullmatch(self.step):
            raise ExperimentError(f"step must be a number of d, w, mo or y, as 90d, not {self.step!r}")
        if self.last:
            check_day("last", self.last)
        if bool(self.step) != bool(self.splits or self.last):
            raise ExperimentError("a step needs a number of splits or a last day, and these need a step")

    def windows(self, first: Windows) -> tuple[Windows, ...]:
        """Windows of every split, from those of the first.

        Raises
        ------
        ExperimentError
            If futures overlap, or there is no split.
        """
        if not self.step:
            return (first,)
        moved: Iterator[Windows] = (self._split(first, number) for number in range(MOST_SPLITS))
        if self.last:
            moved = takewhile(lambda windows: windows.future[0] <= self.last, moved)
        found = tuple(self._cut(windows) for windows in islice(moved, self.splits or None))
        if not found:
            raise ExperimentError(f"the first future begins after {self.last}, the last day")
        if len(found) > 1 and found[1].future[0] <= found[0].future[1]:
            raise ExperimentError(f"futures overlap: a step of {self.step} is shorter than the future window")
        return found

    def _split(self, first: Windows, number: int) -> Windows:
        past, future = (self._moved(window, number) for window in (first.past, first.future))
        train = self._moved(first.train, number)
        return replace(
            first, train=(first.train[0], train[1]) if self.train == "expanding" else train, past=past, future=future
        )

    def _moved(self, days: tuple[str, str], number: int) -> tuple[str, str]:
        """First and last day, moved on; the day after the last is moved, so that ends of months stay ends of months."""
        start, stop = date.fromisoformat(days[0]), date.fromisoformat(days[1]) + timedelta(days=1)
        return str(_later(start, self.step, number)), str(_later(stop, self.step, number) - timedelta(days=1))

    def _cut(self, windows: Windows) -> Windows:
        future = windows.future
        return replace(windows, future=(future[0], min(future[1], self.last))) if self.last else windows


def _later(day: date, step: str, times: int) -> date:
    """A day moved on by several steps; one that its month lacks becomes the last of it."""
    match = STEP.fullmatch(step)
    assert match is not None
    count, unit = int(match[1]) * times, match[2]
    try:
        if unit in ("d", "w"):
            return day + timedelta(days=count * (7 if unit == "w" else 1))
        year, month = divmod(day.year * 12 + day.month - 1 + count * (12 if unit == "y" else 1), 12)
        return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError):
        raise ExperimentError(f"{times} steps of {step} from {day} end after the year 9999") from None


def abut(before: Windows, after: Windows) -> bool:
    """Whether the future of one split begins where that of the other ends."""
    return date.fromisoformat(before.future[1]) + timedelta(days=1) == date.fromisoformat(after.future[0])


@dataclass(frozen=True)
class Pool(Ranged):
    """What is fitted once for all markets of a split."""

    classifiers: bool = option(False, "one feature set and one network for each label; else for each market too")
    strategies: bool = option(False, "strategies searched by the mean of their scores; else for each market")
