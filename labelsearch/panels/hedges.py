"""The study of hedges of a panel or a book: its stitched tiers, and hedges in all of its markets."""

from itertools import pairwise

import numpy as np

from labelsearch.engine.looks import Stretch
from labelsearch.engine.run import Run, recorded
from labelsearch.engine.stage import Stored
from labelsearch.labels.spans import Span
from labelsearch.panels.beside import split_run
from labelsearch.panels.book.run import search_inputs
from labelsearch.panels.book.split import SEARCH, TIERS
from labelsearch.panels.run import PanelRun
from labelsearch.panels.verdict import VERDICT
from labelsearch.results.ensembles import tier_name
from labelsearch.results.hedges import Hedges
from labelsearch.results.panel import BASKET, Panel
from labelsearch.settings.bars import load_bars
from labelsearch.settings.cells import Cell
from labelsearch.settings.roll import abut
from labelsearch.stages.plan import CODE
from labelsearch.stages.seeds import Seeds
from labelsearch.studies.hedge_trading import HedgeMarket, steps_of
from labelsearch.studies.hedges import STAGE, DayReturns, tier_days
from strategies.book.simulate import mean_weights, trade_weights
from strategies.tiers.metrics import daily_returns


def hedge_panel(panel: PanelRun, window: str, step_ms: int) -> Stored[Hedges]:
    """The study of a panel, which is run first where needed.

    On past it is the past of the first split that is judged, which lies before all futures.
    """
    panel.do()
    experiment, is_future = panel.experiment, window == "future"
    first = panel.cells.of(1)
    cells = list(panel.cells.cells) if is_future else first
    markets = tuple(_market(panel, cell, step_ms, is_future=is_future) for cell in cells)
    found = recorded(panel.folder, VERDICT)
    splits = panel.cells.splits
    run = Run(panel.folder, {}, {}, CODE, panel.executor, panel.progress, budget=panel.place.budget)
    return run.do(
        STAGE,
        window=window,
        step_ms=step_ms,
        sizes=experiment.tiers.descending,
        past=_book_past(panel, first) if experiment.book.is_one else _past(panel, first, markets),
        future=_future(found.value, experiment.tiers.descending) if is_future else None,
        markets=markets,
        follows=(False, *(abut(a, b) for a, b in pairwise(splits))),
        rules=experiment.rules(),
        seeds=Seeds(experiment.seed),
        stretches=_looked_at(cells) if is_future else (),
        ensembles=None,
        panel=found,
    )


def _looked_at(cells: list[Cell]) -> tuple[Stretch, ...]:
    """The futures of each market, from the first to the last: an evaluation counts once for each market."""
    spans: dict[str, list[Span]] = {}
    for cell in cells:
        spans.setdefault(cell.experiment.data.market, []).append(cell.experiment.windows.named["future"])
    return tuple(Stretch(name, its[0].start_ms, its[-1].stop_ms) for name, its in spans.items())


def _market(panel: PanelRun, cell: Cell, step_ms: int, *, is_future: bool) -> HedgeMarket:
    windows = cell.experiment.windows.named
    bars = load_bars(cell.experiment, panel.place.store)
    if not is_future:
        bars = bars.between(None, windows["past"].stop_ms)
    steps = steps_of(bars, windows["train"], step_ms)
    outputs, costs = (panel.place.recorded(cell, name) for name in ("outputs", "costs"))
    return HedgeMarket(cell.market, cell.split, steps, outputs, costs, cell.delisted)


def _past(panel: PanelRun, cells: list[Cell], markets: tuple[HedgeMarket, ...]) -> DayReturns:
    """Tiers of all markets of the first split on its past."""
    own = [market for market in markets if market.split == 1]
    ensembles = [panel.place.recorded(cell, "ensembles") for cell in cells]
    return tier_days(own, ensembles, "past", panel.experiment.tiers.descending, panel.experiment.rules())


def _book_past(panel: PanelRun, cells: list[Cell]) -> DayReturns:
    """Tiers of the book of the first split, traded on its past as on its future."""
    folder = split_run(panel.place, 1).folder
    inputs = search_inputs(panel.experiment, cells, panel.places(), panel.beside(1).split)
    strategies, tiers = recorded(folder, SEARCH).value, recorded(folder, TIERS).value
    window = inputs.window("past")
    params = strategies.params[list(tiers.members[max(tiers.sizes)])]
    weights, _ = mean_weights(params, window, inputs.rules, tiers.sizes)
    accounts = [
        trade_weights(own, tiers.band[size], window, inputs.rules)
        for own, size in zip(weights, tiers.sizes, strict=True)
    ]
    returns = [daily_returns(account.equity, window.open_time) for account in accounts]
    return DayReturns(window.days, np.column_stack(returns), window.basket_days)


def _future(found: Panel, sizes: tuple[int, ...]) -> DayReturns:
    """The stitched tiers on all futures."""
    frame = found.equity
    equity = frame[[*(tier_name(size) for size in sizes), BASKET]].to_numpy()
    before = np.vstack([np.ones_like(equity[:1]), equity[:-1]])
    returns = np.divide(equity, before, out=np.ones_like(equity), where=before > 0) - 1.0
    return DayReturns(frame["day"].to_numpy().astype("datetime64[D]"), returns[:, :-1], returns[:, -1])
