"""The results of a panel, read when they are asked for."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from labelsearch.engine.ledger import Ledger
from labelsearch.engine.looks import Look, look_number
from labelsearch.engine.run import LEDGER, LOOKS, RunError, current_events, done_events, recorded_folder
from labelsearch.results.book import BookTiers
from labelsearch.results.cross_section import MarketsOfSplit
from labelsearch.results.hedges import Hedges
from labelsearch.results.panel import CellRow, Panel
from labelsearch.results.run import CELLS, POOLED, Results
from labelsearch.results.search import Strategies
from labelsearch.settings.experiment import Experiment

STAGE, BOOK_SEARCH, BOOK_TIERS, CROSS_SECTION = "panel", "book search", "book tiers", "cross-section"
INTERVALS = "intervals"  # folder of a book; below it, by interval, cells on other bars


def is_panel(folder: Path) -> bool:
    """Whether a folder holds the run of a panel."""
    return (folder / "experiment.toml").is_file() and (folder / CELLS).is_dir()


class Progress(NamedTuple):
    """How far a panel is."""

    done: int  # cells
    of: int  # cells; before the verdict, as if every split had every market
    judged: bool
    seconds: float  # of all stages


class BookSplit(NamedTuple):
    """Results of one split of a book that all its markets share."""

    strategies: Strategies
    tiers: BookTiers
    markets: MarketsOfSplit
    keys: dict[str, str]  # of its stages


class PanelResults:
    """What the run of a panel holds.

    Parameters
    ----------
    folder : Path
    store : Path
        Folder of imported bars.

    Raises
    ------
    RunError
        If there is no panel in the folder; later, if the verdict is asked for and not there.
    """

    def __init__(self, folder: Path, store: Path = Path("store")) -> None:
        if not is_panel(folder):
            raise RunError(f"{folder} holds no run of many markets or splits")
        self.folder, self.store = folder, store

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @cached_property
    def experiment(self) -> Experiment:
        """The settings."""
        return Experiment.load(self.folder / "experiment.toml")

    @cached_property
    def panel(self) -> Panel:
        """The verdict and all behind it."""
        event = done_events(Ledger(self.folder / LEDGER)).get(STAGE)
        if event is None:
            raise RunError(f"{self.folder} is not done; to go on: labelsearch run {self.folder}/experiment.toml")
        return Panel.load(recorded_folder(self.folder, event))

    @cached_property
    def hedges(self) -> list[Hedges]:
        """The latest hedges on each window that belong to the verdict, from the study of hedges."""
        events = current_events(self.folder, "hedges")
        found = [Hedges.load(recorded_folder(self.folder, event)) for event in events]
        return list({one.window: one for one in found}.values())

    @property
    def progress(self) -> Progress:
        """Which of its cells are done, and whether they are judged."""
        cells = [Results(path.parent, self.store).done for path in self.folder.glob(f"{CELLS}/*/*/experiment.toml")]
        last = "outputs" if self.experiment.book.is_one else "ensembles"
        done = sum(last in events for events in cells)
        verdict = done_events(Ledger(self.folder / LEDGER)).get(STAGE)
        seconds = sum(event["seconds"] for events in cells for event in events.values())
        experiment = self.experiment
        of = len(cells) if verdict else len(experiment.data.markets) * len(experiment.splits)
        return Progress(done, of, verdict is not None, seconds + (verdict["seconds"] if verdict else 0.0))

    def cell_folder(self, market: str, split: int) -> Path:
        """Folder of one market in one split, numbered from 1, whether or not there is one."""
        return self.folder / CELLS / market / f"split-{split}"

    def cell(self, market: str, split: int) -> Results:
        """Results of one market in one split, numbered from 1; `RunError` where the split does not have the market."""
        folder = self.cell_folder(market, split)
        if not (folder / "experiment.toml").is_file():
            markets = ", ".join(sorted({row.market for row in self.panel.cells if row.split == split})) or "no market"
            raise RunError(f"{self.folder}: split {split} has no {market}; it has {markets}")
        return Results(folder, self.store)

    def at_interval(self, interval: str) -> Path:
        """Folder of the cells on bars of one interval of a book."""
        return self.folder if interval == self.experiment.data.interval else self.folder / INTERVALS / interval

    def book_split(self, split: int) -> "BookSplit":
        """What a split of a book holds beside its cells, numbered from 1; `RunError` if it is not done."""
        folder = self.folder / POOLED / f"split-{split}"
        done = done_events(Ledger(folder / LEDGER))
        if not {BOOK_SEARCH, BOOK_TIERS, CROSS_SECTION} <= set(done):
            raise RunError(f"{self.folder}: split {split} has no book yet")
        return BookSplit(
            Strategies.load(recorded_folder(folder, done[BOOK_SEARCH])),
            BookTiers.load(recorded_folder(folder, done[BOOK_TIERS])),
            MarketsOfSplit.load(recorded_folder(folder, done[CROSS_SECTION])),
            {name: str(event["key"]) for name, event in done.items()},
        )

    def last_cell(self, market: str) -> Results:
        """Results of a market in its last split, whose winners are those to trade; `RunError` in a book."""
        if self.experiment.book.is_one:
            raise RunError(f"{self.folder} is one book: its markets have no tiers of their own")
        splits = [row.split for row in self.panel.cells if row.market == market]
        if not splits:
            known = ", ".join(row.market for row in self.panel.markets)
            raise RunError(f"{self.folder} has no market {market}; it has {known}")
        return self.cell(market, max(splits))

    @cached_property
    def looks(self) -> Mapping[tuple[str, int], Look | None]:
        """Which look at its future each cell was, by market and split."""
        return {(row.market, row.split): self._look(row) for row in self.panel.cells}

    def _look(self, row: CellRow) -> Look | None:
        if not self.experiment.book.is_one:
            return self.cell(row.market, row.split).look
        event = done_events(Ledger(self.folder / POOLED / f"split-{row.split}" / LEDGER)).get(BOOK_TIERS)
        asset = self.experiment.data.of(row.market).market
        return look_number(Ledger(self.folder.parent / LOOKS), event["key"], asset) if event else None
