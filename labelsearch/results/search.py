"""Result of the search stage."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.results.record import Record, apart
from strategies.search.islands import SearchSettings


@dataclass(frozen=True)
class Strategies(Record):
    """Every strategy that was tried, pruned ones too.

    Attributes
    ----------
    settings : SearchSettings
    parameters : tuple of str
        Columns of the frame that are parameters, in their order.
    frame : DataFrame
        A row for each strategy, in the order of the search: parameters; ``island``, ``trial``, ``random``, ``blocks``,
        ``complete`` and ``rung_score`` say where it comes from; the rest are figures on the whole of past, but for
        ``score_a`` and ``score_b`` on its halves, where it was searched on one and they are ranked on the other.
    """

    FILE = "search.json"
    settings: SearchSettings
    parameters: tuple[str, ...]
    frame: pd.DataFrame = apart("strategies.parquet")

    @property
    def params(self) -> NDArray[np.float64]:
        """Parameters (S, P)."""
        return self.frame[list(self.parameters)].to_numpy()

    @property
    def score(self) -> NDArray[np.float64]:
        """Score on past (S,)."""
        return self.frame["score"].to_numpy()

    @property
    def figures(self) -> dict[str, NDArray[np.float64]]:
        """Figures (S,) by name."""
        return {name: column.to_numpy() for name, column in self.frame.items() if name not in self.parameters}

    @property
    def n_pruned(self) -> int:
        """Strategies that Hyperband dropped before the whole of past."""
        return int((~self.frame["complete"]).sum())

    @property
    def trial_counts(self) -> dict[str, int]:  # type: ignore[override]
        """Strategies that were tried."""
        return {"strategy_trials": len(self.frame), "strategy_trials_pruned": self.n_pruned}
