"""The markets of a split side by side: one result of the split, which its cells, and a book of all markets, read.

It lies in ``pooled/split-<number>`` of the run, with what else its markets share.
"""

from collections.abc import Sequence
from pathlib import Path

from labelsearch.engine.executors.base import Executor
from labelsearch.engine.executors.local import LocalExecutor
from labelsearch.engine.run import Run, recorded, silent
from labelsearch.engine.stage import Progress
from labelsearch.labels.base import is_across
from labelsearch.market.funding import Funding
from labelsearch.market.store import Store
from labelsearch.panels.cells import Place
from labelsearch.results.run import POOLED
from labelsearch.settings.bars import load_bars
from labelsearch.settings.cells import Cell, boundary_ms
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages import cross_section
from labelsearch.stages.cross_section import Beside
from labelsearch.stages.plan import CODE, STAGES


def split_run(place: Place, split: int, executor: Executor | None = None, progress: Progress = silent) -> Run:
    """The run of what the markets of a split share; it may copy results of other panels of the folder of runs."""

    def tell(name: str, done: int, total: int) -> None:
        progress(f"{name} {split}", done, total)

    root, runs = Run(place.panel, STAGES, {}, CODE), place.panel.parent
    kin = (runs, f"*/{POOLED}/split-{split}")
    executor = executor or LocalExecutor()
    return Run(place.panel / POOLED / f"split-{split}", {}, {}, CODE, executor, tell, root, kin, place.budget)


def put_beside(experiment: Experiment, cells: Sequence[Cell], place: Place, run: Run) -> Beside:
    """Put all cells of one split side by side.

    Raises
    ------
    ExperimentError
        If the split has fewer than two markets.
    """
    split = cells[0].split
    if len(cells) < 2:
        raise ExperimentError(f"split {split}: {cells[0].market} is alone, and markets are compared")
    future = experiment.splits[split - 1].named["future"]
    found = run.do(
        cross_section.STAGE,
        market_bars=tuple(load_bars(cell.experiment, place.store) for cell in cells),
        market_funding=tuple(_funding(cell, place.store) for cell in cells),
        universe=experiment.universe.terms,
        across_labels=tuple(label for label in experiment.label_kinds() if is_across(label)),
        future=future,
    )
    return Beside(found, boundary_ms(experiment.splits[split - 1], experiment.data.interval_ms))


def recorded_beside(panel: Path, split: int) -> Beside | None:
    """What the cells of a split of a finished panel knew of each other; None where markets are not compared."""
    experiment = Experiment.load(panel / "experiment.toml")
    if not experiment.compares_markets:
        return None
    windows = experiment.splits[split - 1]
    section = recorded(panel / POOLED / f"split-{split}", cross_section.STAGE)
    return Beside(section, boundary_ms(windows, experiment.data.interval_ms))


def _funding(cell: Cell, root: Path) -> Funding | None:
    """Funding of a market from the start of its train, where the store has any."""
    data, windows, store = cell.experiment.data, cell.experiment.windows.named, Store(root)
    if data.source != "store" or not store.funding_path(data.symbol).is_file():
        return None
    return store.load_funding(data.symbol).between(windows["train"].start_ms, windows["future"].stop_ms)
