"""Cells of an experiment: every market in every split, each an experiment of its own."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.spans import DAY_MS, Span
from labelsearch.market.bars import Bars
from labelsearch.market.rules import NoBarsError
from labelsearch.settings.bars import EDGE_MS, bars_of, check_coverage, on_grid
from labelsearch.settings.book import Book, Universe
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.roll import Pool, Roll
from labelsearch.settings.schema import ExperimentError
from labelsearch.settings.sections import Data, Windows


class Cell(NamedTuple):
    """One market in one split.

    ``experiment`` is that cell alone, and makes the same numbers elsewhere. ``delisted``: whether the bars of the
    market end within the future, which then is cut there.
    """

    market: str
    split: int  # from 1
    experiment: Experiment
    delisted: bool

    @property
    def name(self) -> str:
        """Folder of the cell below that of the cells."""
        return f"{self.market}/split-{self.split}"


class Absent(NamedTuple):
    """A market that a split does without, and why."""

    market: str
    split: int
    reason: str


@dataclass(frozen=True)
class Cells:
    """All cells, by split and market."""

    splits: tuple[Windows, ...]
    cells: tuple[Cell, ...]
    absent: tuple[Absent, ...]

    def of(self, split: int) -> list[Cell]:
        """Cells of one split, numbered from 1."""
        return [cell for cell in self.cells if cell.split == split]


LABEL_DAYS = 30  # of a member before validation begins, where markets are compared


def boundary_ms(windows: Windows, interval_ms: int) -> int:
    """Time at which validation begins, in a train without missing bars."""
    train = windows.named["train"]
    n_bars = (train.stop_ms - train.start_ms) // interval_ms
    return train.start_ms + int(n_bars * (1.0 - windows.validation_share)) * interval_ms


def cells_of(experiment: Experiment, store: Path) -> Cells:
    """The cells of an experiment, by the bars that there are.

    A market is in a split if it has bars of all of train and past; one whose bars end within the future is in it up to
    its last bar. With an expanding train a market that was listed later begins with its first bar, once its train is
    as long as the first one. Where markets are put side by side it does so with any train, once it has been a member of
    the universe for `LABEL_DAYS` days with bars before validation begins.

    Raises
    ------
    ExperimentError
        If markets are to be compared and there is one alone.
        If a market has a hole in a window, a split has no market, or the last one ends after all bars.
    BarError
        If a symbol is unknown, or has no bars in any split; where markets are put side by side, it is absent then.
    """
    experiment.check_markets()
    splits = experiment.splits
    days = splits[0].train[0], splits[-1].future[1]
    data = {market: whole(experiment, market) for market in experiment.data.markets}
    times, missing = _times(experiment, data, store, days)
    absent = [Absent(market, number + 1, why) for market, why in missing.items() for number in range(len(splits))]
    last = max(int(found[-1]) for found in times.values())
    if last < Span.of_days(days[1], days[1]).stop_ms - EDGE_MS:
        raise ExperimentError(
            f"the last future ends on {days[1]}, but all bars end on {day_of(last)}: name an earlier last day"
        )
    cells = []
    for number, windows in enumerate(splits, 1):
        for market, open_time in times.items():
            try:
                own = membership(experiment, data[market], open_time, windows)
            except ExperimentError as error:
                raise ExperimentError(f"split {number}: {error}") from None
            if isinstance(own, str):
                absent.append(Absent(market, number, own))
                continue
            alone = replace(
                experiment,
                data=data[market],
                windows=own,
                roll=Roll(),
                pool=Pool(),
                universe=Universe(),
                book=Book(),
                seed=_seed(experiment.seed, market, number),
            )
            cells.append(Cell(market, number, alone, own.future != windows.future))
    found = Cells(splits, tuple(cells), tuple(absent))
    for number, windows in enumerate(splits, 1):
        if not found.of(number):
            raise ExperimentError(f"split {number}: no market has bars from {windows.train[0]} on")
    return found


def _times(
    experiment: Experiment, data: dict[str, Data], store: Path, days: tuple[str, str]
) -> tuple[dict[str, NDArray[np.int64]], dict[str, str]]:
    """Times of the bars of each market, and why some have none, which is an error where no universe is chosen."""
    times, missing = {}, {}
    # one after the other: the bars of many markets do not fit into memory together
    for market, its in data.items():
        try:
            times[market] = on_grid(its, bars_of(its, store, *days)).present().open_time
        except NoBarsError as error:
            if not experiment.needs_cross_section:
                raise
            missing[market] = str(error)
    if not times:
        raise ExperimentError(f"no market has bars in {days[0]} to {days[1]}")
    return times, missing


def whole(experiment: Experiment, market: str) -> Data:
    """Where the bars of a market come from; a generated one begins on the same day in all splits."""
    data = experiment.data.of(market)
    start = data.market_start or experiment.windows.train[0]
    return replace(data, market_start=start) if data.source == "synthetic" else data


def membership(experiment: Experiment, data: Data, open_time: NDArray[np.int64], windows: Windows) -> Windows | str:
    """Windows of a market in a split, or why it is not in it; `ExperimentError` if a window of its has a hole."""
    first, last = int(open_time[0]), int(open_time[-1])
    spans = windows.named
    if first >= spans["train"].start_ms + EDGE_MS:
        start = date.fromisoformat(day_of(first - 1)) + timedelta(days=1)  # its first whole day
        if not _is_long_enough(experiment, open_time, windows, start):
            return f"its bars begin on {day_of(first)}"
        windows = replace(windows, train=(str(start), windows.train[1]))
    if last < spans["future"].start_ms + DAY_MS:
        return f"its bars end on {day_of(last)}"
    if last < spans["future"].stop_ms - EDGE_MS:
        windows = replace(windows, future=(windows.future[0], day_of(last)))
    check_coverage(data, open_time, windows.named, "choose other days, or leave the market out")
    return windows


def _is_long_enough(experiment: Experiment, open_time: NDArray[np.int64], windows: Windows, start: date) -> bool:
    """Whether a market whose train begins on a later day than that of the split has enough of it."""
    if experiment.needs_cross_section:
        terms, stop = experiment.universe.terms, boundary_ms(windows, experiment.data.interval_ms)
        needed = max(terms.history_days, terms.beta_days, terms.volatility_days) + LABEL_DAYS
        begin = Span.of_days(str(start), str(start)).start_ms
        own = open_time[slice(*np.searchsorted(open_time, (begin, stop)))]
        return len(np.unique(own // DAY_MS)) >= needed
    as_long = Span.of_days(*experiment.windows.train).days
    end = date.fromisoformat(windows.train[1])
    return experiment.roll.train == "expanding" and (end - start).days + 1 >= as_long


def covers_train(data: Data, bars: Bars, span: Span) -> bool:
    """Whether a market has bars of a whole train, but for its edges and gaps; what comes after does not count."""
    if not len(bars) or bars.open_time[0] >= span.start_ms + EDGE_MS or bars.open_time[-1] < span.stop_ms - EDGE_MS:
        return False
    try:
        check_coverage(data, bars.open_time, {"train": span}, "")
    except ExperimentError:
        return False
    return True


def day_of(time_ms: int) -> str:
    """The UTC day of a time."""
    return str(datetime.fromtimestamp(time_ms / 1000, UTC).date())


def _seed(seed: int, market: str, split: int) -> int:
    """Seed of a cell: that of the experiment and the names of the cell decide it, not the other cells."""
    content = hashlib.sha256(f"{seed}/cell/{market}/{split}".encode()).digest()
    return int.from_bytes(content[:4], "little") >> 1
