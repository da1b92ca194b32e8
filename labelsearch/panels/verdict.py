"""Stage: the stitched account of every tier over all cells, and what can be said of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.engine.run import recorded
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.panels.cells import Place
from labelsearch.panels.figures import alpha_of, power_of_panel, tier_rows
from labelsearch.results.costs import TradingCosts
from labelsearch.results.ensembles import MARKET, Ensembles, tier_name
from labelsearch.results.outputs import Outputs
from labelsearch.results.panel import (
    BASKET,
    CellRow,
    MarketRow,
    Panel,
    SeedSpread,
    SplitRow,
    compound_pct,
)
from labelsearch.results.studies import TierTable
from labelsearch.settings.cells import Absent, Cell, Cells
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.roll import abut
from labelsearch.settings.sections import Windows
from labelsearch.settings.tiers import Tiers
from labelsearch.stages.seeds import Seeds
from labelsearch.studies.seeds import TIERS, branch_name
from strategies.luck.panel import pooled_rank
from strategies.luck.panel_timing import CellPath, PanelTiming, judge_panel_timing
from strategies.luck.timing import that_count, timing_statistic
from strategies.luck.verdict import verdict
from strategies.tiers.metrics import year_of
from strategies.tiers.stitch import Leg, Split, Stitched, stitch
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow


@dataclass(frozen=True)
class CellResults:
    """One cell, as far as the verdict knows it."""

    market: str
    split: int
    delisted: bool
    outputs: Stored[Outputs]
    costs: Stored[TradingCosts]
    ensembles: Stored[Ensembles]
    repetitions: tuple[Stored[TierTable], ...]  # with other seeds of the classifiers


@dataclass(frozen=True)
class VerdictInputs:
    """All that the stage may know."""

    splits: tuple[Windows, ...]
    cells: tuple[CellResults, ...]
    absent: tuple[Absent, ...]
    rules: TradingRules
    tiers: Tiers
    seeds: Seeds


def verdict_inputs(experiment: Experiment, cells: Cells, place: Place, classifier_seeds: int) -> dict[str, object]:
    """Inputs of the stage, from finished cells."""

    def results(cell: Cell) -> CellResults:
        branches = [place.folder(cell) / branch_name("classifier", n) for n in range(1, classifier_seeds + 1)]
        return CellResults(
            cell.market,
            cell.split,
            cell.delisted,
            place.recorded(cell, "outputs"),
            place.recorded(cell, "costs"),
            place.recorded(cell, "ensembles"),
            tuple(recorded(branch, TIERS) for branch in branches),
        )

    return {
        "splits": cells.splits,
        "cells": tuple(map(results, cells.cells)),
        "absent": cells.absent,
        "rules": experiment.rules(),
        "tiers": experiment.tiers,
        "seeds": Seeds(experiment.seed),
    }


class _Trader:
    """Legs, paths and figures of all cells, read one cell at a time and held no longer."""

    def __init__(self, inputs: VerdictInputs) -> None:
        self.inputs, self.sizes = inputs, inputs.tiers.descending
        self.legs: dict[int, list[list[Leg]]] = {}  # by repetition and split
        self.paths: list[CellPath] = []
        self.rows: list[CellRow] = []
        self.year = 0  # its days

    def read(self, cell: CellResults) -> None:
        """Read one cell."""
        window, ensembles = cell.outputs.value.future.at(cell.costs.value.future), cell.ensembles.value
        self.year = max(self.year, year_of(window))
        tables = [ensembles.curves["future"], *(stored.value.curves["future"] for stored in cell.repetitions)]
        for number, curves in enumerate(tables):
            columns = [curves.column(n) for n in self.sizes]
            equity, position = curves.equity[:, columns], curves.position[:, columns]
            leg = Leg(
                cell.market, window.open_time, window.open, window.close, equity, position, cell.delisted, window.costs
            )
            splits = self.legs.setdefault(number, [[] for _ in self.inputs.splits])
            splits[cell.split - 1].append(leg)
            if number == 0:
                self.paths.append(path_of(cell, window, equity, position))
                self.rows.append(_cell_row(cell, self.paths[-1], self.sizes))
        results: tuple[Stored[Any], ...] = (cell.outputs, cell.costs, cell.ensembles, *cell.repetitions)
        for stored in results:
            stored.forget()

    def stitched(self, number: int) -> Stitched:
        """The book of a repetition."""
        windows = self.inputs.splits
        follows = [False, *(abut(a, b) for a, b in pairwise(windows))]
        splits = [Split(legs, follow) for legs, follow in zip(self.legs[number], follows, strict=True)]
        return stitch(splits, self.inputs.rules)


def path_of(
    cell: CellResults, window: TradingWindow, equity: NDArray[np.float64], position: NDArray[np.float64]
) -> CellPath:
    """What tiers (T, n) held after the open of each bar, from their curves: nothing changes until the close."""
    value = equity * position
    at_open = value * (window.open / window.close)[:, None]
    total = equity - value + at_open
    held = np.divide(at_open, total, out=np.zeros_like(total), where=total > 0)
    return CellPath(cell.market, cell.split, window.open_time[1:-1], *that_count(held, window.open))


def run(inputs: VerdictInputs, work: Work) -> Panel:
    """Stitch the cells and judge the whole."""
    trader = _Trader(inputs)
    total = len(inputs.cells) + 2
    for done, cell in enumerate(inputs.cells):
        work.progress(done, total)
        trader.read(cell)
    timing = judge_panel_timing(trader.paths, inputs.tiers.descending)
    rows = trader.rows
    work.progress(total - 1, total)
    books = [trader.stitched(number) for number in trader.legs]
    tiers = tier_rows(books[0], trader.sizes, trader.year, inputs.seeds)
    rho = {(row.market, row.split): row.rank for row in rows if row.rank is not None}
    counts = Counter(cell.split for cell in inputs.cells)
    splits = split_rows(inputs.splits, counts, books[0], timing, trader.sizes)
    found = Panel(
        splits=splits,
        cells=tuple(rows),
        markets=market_rows(rows, books[0], timing, trader.sizes, trader.year),
        absent=inputs.absent,
        tiers=tiers,
        timing=timing,
        rank=pooled_rank(rho),
        power=power_of_panel(books[0], tiers, [row.markets for row in splits], trader.year),
        seeds=_spread(books, trader.sizes),
        strategies=sum(row.strategies for row in rows),
        verdict=verdict(
            timing.adjusted, {t.size: t.alpha_adjusted for t in tiers if t.size and t.alpha_adjusted is not None}
        ),
        book=None,
        equity=equity_frame(books[0], trader.sizes),
        returns=returns_frame(books[0], trader.sizes),
    )
    work.progress(total, total)
    return found


def _cell_row(cell: CellResults, path: CellPath, sizes: Sequence[int]) -> CellRow:
    ensembles, days = cell.ensembles.value, cell.outputs.value.future.days
    figures = {size: ensembles.row("future", size).figures for size in sizes}
    return CellRow(
        market=cell.market,
        split=cell.split,
        first=str(days[0]),
        last=str(days[-1]),
        delisted=cell.delisted,
        return_pct={size: found.total_return_pct for size, found in figures.items()},
        market_pct=ensembles.row("future", None, MARKET).figures.total_return_pct,
        timing={n: timing_statistic(held, path.returns) for n, held in zip(sizes, path.held.T, strict=True)},
        rank=ensembles.ranks.all,
        strategies=ensembles.n_strategies,
        unlike=ensembles.unlike.found if ensembles.unlike else None,
        effective_bets={size: ensembles.row("past", size).effective_bets for size in sizes},
    )


def split_rows(
    splits: Sequence[Windows], counts: Mapping[int, int], book: Stitched, timing: PanelTiming, sizes: Sequence[int]
) -> tuple[SplitRow, ...]:
    """Figures of each split, from the number of its markets and the stitched book."""
    returns, basket = book.book_returns, book.basket_returns
    rows = []
    for number, windows in enumerate(splits, 1):
        days = book.split == number - 1
        rows.append(
            SplitRow(
                number,
                windows.train,
                windows.past,
                windows.future,
                counts[number],
                {size: compound_pct(returns[days, i]) for i, size in enumerate(sizes)},
                compound_pct(basket[days]),
                timing.by_split[number],
            )
        )
    return tuple(rows)


def market_rows(
    rows: Sequence[CellRow], book: Stitched, timing: PanelTiming, sizes: Sequence[int], year: int
) -> tuple[MarketRow, ...]:
    """Figures of each market over all of its splits."""
    return tuple(
        MarketRow(
            market,
            sum(row.market == market for row in rows),
            {size: compound_pct(book.returns[:, m, i]) for i, size in enumerate(sizes)},
            compound_pct(book.market_returns[:, m]),
            timing.by_market[market],
            {size: alpha_of(book.returns[:, m, i], book.market_returns[:, m], year) for i, size in enumerate(sizes)},
        )
        for m, market in enumerate(book.markets)
    )


def _spread(books: Sequence[Stitched], sizes: Sequence[int]) -> SeedSpread | None:
    if len(books) < 2:
        return None
    return SeedSpread(
        {size: tuple(100.0 * (float(book.equity[-1, i]) - 1.0) for book in books) for i, size in enumerate(sizes)}
    )


def equity_frame(book: Stitched, sizes: Sequence[int]) -> pd.DataFrame:
    """Equity of every tier and of the basket, by day."""
    frame = pd.DataFrame({"day": book.days.astype("datetime64[ms]"), "split": book.split + 1})
    for i, size in enumerate(sizes):
        frame[tier_name(size)] = book.equity[:, i]
    frame[BASKET] = book.basket
    return frame


def returns_frame(book: Stitched, sizes: Sequence[int]) -> pd.DataFrame:
    """Daily returns of every tier in every market, and of the markets."""
    parts = []
    named = {**{tier_name(n): book.returns[:, :, i] for i, n in enumerate(sizes)}, BASKET: book.market_returns}
    for name, values in named.items():
        day, market = np.nonzero(~np.isnan(values))
        parts.append(
            pd.DataFrame(
                {
                    "day": book.days[day].astype("datetime64[ms]"),
                    "split": book.split[day] + 1,
                    "market": np.array(book.markets)[market],
                    "name": name,
                    "return": values[day, market],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


VERDICT = Stage("panel", VerdictInputs, Panel, run)
