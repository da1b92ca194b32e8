"""What an experiment would do, and what it could show, before anything is computed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelsearch.engine.ledger import Ledger
from labelsearch.engine.run import LEDGER
from labelsearch.results.run import CELLS
from labelsearch.settings.bars import bars_of
from labelsearch.settings.cells import Absent, Cell, Cells, cells_of
from labelsearch.settings.cost import RATES, book_cost, book_verdict_cost, judging_cost, split_cost
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.roll import KEPT
from strategies.luck.power import (
    detectable_sharpe,
    effective_markets,
    market_correlation,
    markets_needed,
    years_needed,
)
from strategies.search.islands import islands
from strategies.trade.window import DAY_MS, day_edges

NEUTRAL_RHO = 0.1  # of accounts in coins once the market's share is taken out
WANTED = 1.0  # yearly Sharpe ratio for which years and markets are told
CALIBRATION = ".calibration"  # folder in the store, of a run that shows the pace of this machine
MOST_FINISHED = 100  # cells and runs whose times are compared with the estimate


@dataclass(frozen=True)
class PowerRow:
    """What the experiment can show if the accounts of its markets correlate at ``rho``."""

    case: str
    rho: float
    effective_markets: float
    detectable_sharpe: float
    years_needed: float | None  # of so many markets, for a ratio of `WANTED`
    markets_needed: int | None  # of so many years; None where no number suffices


@dataclass(frozen=True)
class SplitPlan:
    """One split."""

    split: int
    train: tuple[str, str]
    past: tuple[str, str]
    future: tuple[str, str]
    markets: int


@dataclass(frozen=True)
class RunPlan:
    """All of it. Seconds are those of one core, at the pace of this machine where it is known."""

    splits: tuple[SplitPlan, ...]
    absent: tuple[Absent, ...]
    cells: int
    units: int
    years: float
    seconds: dict[str, float]  # by stage, all cells
    disk: int
    pace: dict[str, float]  # by stage, finished runs of this machine over what was estimated for them
    power: tuple[PowerRow, ...]
    is_book: bool  # one account across all markets


def plan_run(experiment: Experiment, runs: Path, store: Path) -> RunPlan:
    """Plan an experiment whose own files are active.

    Raises
    ------
    ExperimentError, BarError
        As `labelsearch.settings.cells.cells_of`.
    """
    found = cells_of(experiment, store)
    pace = _pace(runs, store)
    estimated, disk = _cost(experiment, found)
    seconds = {name: pace.get(name, 1.0) * value for name, value in estimated.items()}
    n_islands = len(islands(experiment.search.settings(0)))
    years = sum(windows.named["future"].days for windows in found.splits) / 365.25
    return RunPlan(
        splits=tuple(
            SplitPlan(number, w.train, w.past, w.future, len(found.of(number)))
            for number, w in enumerate(found.splits, 1)
        ),
        absent=found.absent,
        cells=len(found.cells),
        units=len(found.cells) * (len(experiment.label) + n_islands),
        years=years,
        seconds=seconds,
        disk=disk,
        pace=pace,
        power=_book_power(found, years) if experiment.book.is_one else _power(found, years, _correlation(found, store)),
        is_book=experiment.book.is_one,
    )


def _cost(experiment: Experiment, found: Cells) -> tuple[dict[str, float], int]:
    """Seconds of one core by stage, and bytes on disk."""
    total: Counter[str] = Counter({"start": RATES.start})
    disk = 0
    known: set[str] = set()  # markets of an earlier split
    for number in range(1, len(found.splits) + 1):
        cells = found.of(number)
        is_searched = experiment.roll.hyperparameters == "each" or number == 1
        own = [cell.experiment for cell in cells]
        cost = split_cost(own, experiment.pool, is_searched=is_searched)
        stages = cost.seconds
        if experiment.book.is_one:
            n_intervals = len(experiment.data.intervals) or 1  # each longer one has fewer bars
            of_cells = {name: n_intervals * s for name, s in stages.items() if name not in ("search", "ensembles")}
            stages = {**of_cells, **book_cost(experiment, own)}
        disk += cost.disk
        share = sum(cell.market not in known for cell in cells) / len(cells)
        kept = KEPT[experiment.roll.refit]
        total.update({name: seconds * (share if name in kept else 1.0) for name, seconds in stages.items()})
        known.update(cell.market for cell in cells)
    if experiment.book.is_one:
        total.update(book_verdict_cost(experiment, [cell.experiment for cell in found.cells]))
    if not experiment.is_panel:
        total.update(judging_cost(experiment))
    return dict(total), disk


def _power(found: Cells, years: float, rho: float | None) -> tuple[PowerRow, ...]:
    mean = len(found.cells) / len(found.splits)
    cases = [("one market, one split", 1.0, 0.0, years / len(found.splits))]
    if mean > 1:
        held = [("positions that follow the markets", mean, max(rho, 0.0), years)] if rho is not None else []
        cases += [*held, ("the market's share taken out", mean, NEUTRAL_RHO, years)]
    elif len(found.splits) > 1:
        cases.append(("one market, all splits", 1.0, 0.0, years))
    return tuple(_power_row(*case) for case in cases)


def _book_power(found: Cells, years: float) -> tuple[PowerRow, ...]:
    """What a book can show: it is one account, however many markets it holds."""
    cases = [("the book in one split", years / len(found.splits)), ("the book over all splits", years)]
    return tuple(_power_row(case, 1.0, 1.0, each) for case, each in cases)


def _power_row(case: str, markets: float, rho: float, years: float) -> PowerRow:
    m_eff = effective_markets(max(round(markets), 1), rho)
    return PowerRow(
        case,
        rho,
        m_eff,
        detectable_sharpe(years, m_eff),
        years_needed(WANTED, m_eff),
        markets_needed(WANTED, years, rho),
    )


def _correlation(found: Cells, store: Path) -> float | None:
    """Mean correlation of the markets' daily returns before the first future; None for one market."""
    first = found.splits[0]
    closes = [_daily(cell, store, first.train[0], first.past[1]) for cell in found.of(1)]
    if len(closes) < 2:
        return None
    days = np.unique(np.concatenate([day for day, _ in closes]))
    returns = np.full((len(days), len(closes)), np.nan)
    for m, (day, close) in enumerate(closes):
        returns[np.searchsorted(days, day[1:]), m] = np.diff(np.log(close))
    return market_correlation(returns)


def _daily(cell: Cell, store: Path, first: str, last: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    bars = bars_of(cell.experiment.data, store, first, last)
    edges = day_edges(bars.open_time)
    return bars.open_time[edges[:-1]] // DAY_MS, bars.close[edges[1:] - 1]


def _pace(runs: Path, store: Path) -> dict[str, float]:
    """Processor time of finished runs over the one estimated for them, by stage; empty without any.

    Those of the folder, cells among them, and that of `CALIBRATION` beside the bars. Times of a stage that ran on
    other machines are not known, and those taken over from another run are that run's.
    """
    taken: Counter[str] = Counter()
    estimated: Counter[str] = Counter()
    folders = (runs, store / CALIBRATION)
    patterns = (f"*/{LEDGER}", f"*/{CELLS}/*/*/{LEDGER}")
    ledgers = [path for folder in folders for pattern in patterns for path in folder.glob(pattern)]
    for path in sorted(ledgers, key=lambda path: path.stat().st_mtime)[-MOST_FINISHED:]:
        try:
            experiment = Experiment.load(path.parent / "experiment.toml")
            cost = {**split_cost([experiment]).seconds, **judging_cost(experiment)}
            seconds = _recorded(Ledger(path), cost)
        except (ValueError, OSError, KeyError):
            continue  # a folder beside these runs may hold anything
        taken.update(seconds)
        estimated.update({name: cost[name] for name in seconds})
    return {name: taken[name] / estimated[name] for name in taken if estimated[name]}


def _recorded(ledger: Ledger, cost: Mapping[str, float]) -> dict[str, float]:
    """Processor seconds of the stages that a run did itself."""
    return {
        event["stage"]: event["processor_seconds"]
        for event in ledger.stages()
        if event["stage"] in cost and "run" not in event and event.get("processor_seconds")
    }
