"""Result of the ensembles stage, and rows of figures that studies share with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.results.codec import OnDisk
from labelsearch.results.controls import AgainstControls
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.record import Record, apart
from strategies.luck.timing import Timing
from strategies.tiers.metrics import Metrics

MARKET = "buy and hold"


def tier_name(size: int) -> str:
    """What a tier is called."""
    return f"Top-{size}"


@dataclass(frozen=True)
class AccountRow:
    """Figures of a tier, a baseline or a control in a window."""

    name: str
    size: int | None  # members of a tier; None for a baseline or a control
    window: str
    figures: Metrics
    effective_bets: float | None = None  # of the members of a tier, by their residual returns in the window

    def flat(self) -> dict[str, object]:
        """One record."""
        where = {"tier": self.name, "size": self.size, "window": self.window}
        return {**where, **self.figures._asdict(), "effective_bets": self.effective_bets}


def standing(size: int, formed: Iterable[int]) -> int:
    """The tier that stands for one of some size: itself, or the largest if it could not be formed.

    >>> standing(20, (100, 20, 5)), standing(20, (5,))
    (20, 5)
    """
    formed = tuple(formed)
    return size if size in formed else max(formed)


def find_row(rows: Sequence[AccountRow], window: str, size: int | None, name: str = MARKET) -> AccountRow:
    """The row of a tier by size, see `standing`, or of a baseline or a control by name; KeyError without it."""
    if size is not None:
        size = standing(size, [row.size for row in rows if row.size is not None])
    for row in rows:
        if row.window == window and row.size == size and (size is not None or row.name == name):
            return row
    raise KeyError((window, size, name))


@dataclass(frozen=True)
class PaidRow:
    """Where the gross gain of an account went in a year of a window, percent of the starting capital.

    Gained by prices, less what was paid, is net. Funding is below 0 if more was received than paid.
    """

    name: str
    window: str
    year: int
    gross_pct: float
    fees_pct: float
    spread_pct: float
    impact_pct: float
    funding_pct: float
    borrow_pct: float
    net_pct: float


@dataclass(frozen=True)
class Curves:
    """Equity and position of N accounts at the close of T bars.

    Attributes
    ----------
    names : tuple of str
    open_time : (T,) array of int64
        Milliseconds since the epoch.
    equity, position : (T, N) array
        In starting capital, and as a share of equity.
    """

    names: tuple[str, ...]
    open_time: NDArray[np.int64]
    equity: NDArray[np.float64]
    position: NDArray[np.float64]

    def column(self, size: int) -> int:
        """Column of the tier that stands for one of some size."""
        sizes = [int(name.removeprefix("Top-")) for name in self.names if name.startswith("Top-")]
        return self.names.index(tier_name(standing(size, sizes)))

    def frame(self) -> pd.DataFrame:
        """Columns ``<name> equity`` and ``<name> position``, by time in UTC."""
        columns = {}
        for k, name in enumerate(self.names):
            columns[f"{name} equity"], columns[f"{name} position"] = self.equity[:, k], self.position[:, k]
        return pd.DataFrame(columns, index=self.index)

    @property
    def index(self) -> pd.DatetimeIndex:
        """Times of the bars in UTC."""
        return pd.DatetimeIndex(self.open_time.astype("datetime64[ms]"), tz="UTC", name="open_time")


@dataclass(frozen=True)
class RankOrder:
    """Spearman's rho of past score and future return, over all strategies and those of positive score."""

    all: float
    positive: float | None
    n_positive: int


@dataclass(frozen=True)
class TierCapital:
    """How capital is shared out among the members of a tier after past.

    ``rate`` is the learning rate of the universal rule for a stretch as long as past; 0 for the others.
    """

    shares: tuple[float, ...]
    rate: float


@dataclass(frozen=True)
class HalvesRow:
    """What scores of strategies searched on half A of past are worth on half B.

    ``shrunken`` is the mean over the members of each tier of mean + correlation (score on B - mean); mean and rank
    correlation are those of the ``n`` strategies whose score on A is positive.
    """

    mean: float
    correlation: float
    n: int
    shrunken: dict[int, float]


@dataclass(frozen=True)
class Unlike:
    """How tiers of unlike strategies came about.

    Attributes
    ----------
    most_alike : float
        Correlation of residual returns above which two are alike; 1 if all may be.
    wanted : tuple of int
        Sizes asked for, the largest first.
    found : int
        Unlike strategies of positive score, counted up to the largest size.
    halves : HalvesRow, optional
        Where past was halved.
    """

    most_alike: float
    wanted: tuple[int, ...]
    found: int
    halves: HalvesRow | None


@dataclass(frozen=True)
class Ensembles(Record):
    """The tiers and what they did.

    Attributes
    ----------
    members : dict of int to tuple of int
        Rows of the strategies, best first, by size of the tier, the largest first.
    capital : str
        Rule by which capital was shared out.
    capital_at_start : dict of int to TierCapital
    n_strategies : int
    unlike : Unlike, optional
        None where members may be alike and past is whole.
    rows : tuple of AccountRow
        Past first.
    paid : tuple of PaidRow
        In the order of the rows.
    ranks : RankOrder
    timing : Timing
    against : AgainstControls
    future : DataFrame
        Figures of every strategy on future, in the order of the search.
    curves : mapping of str to Curves
        By window.
    """

    FILE = "tiers.json"
    members: dict[int, tuple[int, ...]]
    capital: str
    capital_at_start: dict[int, TierCapital]
    n_strategies: int
    unlike: Unlike | None
    rows: tuple[AccountRow, ...]
    paid: tuple[PaidRow, ...]
    ranks: RankOrder
    timing: Timing
    against: AgainstControls
    future: pd.DataFrame = apart("future.parquet")
    curves: Mapping[str, Curves] = apart()

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the tiers, the largest first."""
        return tuple(self.members)

    @property
    def baselines(self) -> tuple[str, ...]:
        """Names of the baselines, the market first."""
        named = dict.fromkeys(row.name for row in self.rows if row.size is None)
        return tuple(name for name in named if name not in self.against.names)

    @property
    def controls(self) -> tuple[str, ...]:
        """Names of the controls in the rows."""
        return self.against.names

    def row(self, window: str, size: int | None, name: str = MARKET) -> AccountRow:
        """See `find_row`."""
        return find_row(self.rows, window, size, name)

    def save_parts(self, folder: Path) -> None:
        """Write the curves."""
        save_curves(self.curves, folder)

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        """The curves, which are read when they are asked for."""
        return {"curves": OnDisk(folder, WINDOWS, load_curves)}


def save_curves(curves: Mapping[str, Curves], folder: Path) -> None:
    """Write ``curves_<window>.npz``."""
    for window, found in curves.items():
        arrays = {name: getattr(found, name) for name in ("open_time", "equity", "position")}
        np.savez_compressed(folder / f"curves_{window}.npz", names=np.array(found.names), **arrays)


def load_curves(folder: Path, window: str) -> Curves:
    """Inverse of `save_curves` for one window."""
    with np.load(folder / f"curves_{window}.npz", allow_pickle=False) as file:
        names = tuple(map(str, file["names"]))
        return Curves(names, file["open_time"], file["equity"], file["position"])
