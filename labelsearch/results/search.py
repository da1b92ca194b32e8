"""Result of the search stage."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.results.codec import json_bytes, parse
from strategies.search.islands import SearchSettings


@dataclass(frozen=True)
class Strategies:
    """Every strategy that was tried, pruned ones too.

    Attributes
    ----------
    settings : SearchSettings
    parameters : tuple of str
        Columns of the frame that are parameters, in their order.
    frame : DataFrame
        A row for each strategy, in the order of the search: parameters; ``island``, ``trial``, ``random``, ``blocks``,
        ``complete`` and ``rung_score`` say where it comes from; the rest are figures on the whole of past.
    """

    settings: SearchSettings
    parameters: tuple[str, ...]
    frame: pd.DataFrame = field(repr=False)

    @property
    def params(self) -> NDArray[np.float64]:
        """Parameters (S, P)."""
        return self.frame[list(self.parameters)].to_numpy()

    @property
    def score(self) -> NDArray[np.float64]:
        """Score on past (S,)."""
        return self.frame["score"].to_numpy()

    @property
    def n_pruned(self) -> int:
        """Strategies that Hyperband dropped before the whole of past."""
        return int((~self.frame["complete"]).sum())

    @property
    def trial_counts(self) -> dict[str, int]:
        """Strategies that were tried."""
        return {"strategy_trials": len(self.frame), "strategy_trials_pruned": self.n_pruned}

    def save(self, folder: Path) -> None:
        """Write ``strategies.parquet`` and ``search.json``."""
        self.frame.to_parquet(folder / "strategies.parquet", compression="zstd")
        (folder / "search.json").write_bytes(json_bytes(_Plain(self.settings, self.parameters)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Inverse of `save`."""
        plain = parse(_Plain, (folder / "search.json").read_bytes())
        return cls(plain.settings, plain.parameters, pd.read_parquet(folder / "strategies.parquet"))


@dataclass(frozen=True)
class _Plain:
    settings: SearchSettings
    parameters: tuple[str, ...]
