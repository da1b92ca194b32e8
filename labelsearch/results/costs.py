"""Result of the costs stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labelsearch.results.outputs import WINDOWS
from labelsearch.results.record import Record, apart
from strategies.trade.window import BarCosts


@dataclass(frozen=True)
class CostFacts:
    """Costs of one window in a few numbers; None for what does not apply.

    The mean rate of funding, and medians of the others, in basis points. ``n_payments`` and ``n_missing``: payments of
    funding that are known, and that are not. ``marked_share``: of those known whose mark price is. ``impact_bp``: of an
    order worth the capital. ``beyond_days``: on which the capital was more than the median value traded in a day.
    """

    half_spread_bp: float | None
    impact_bp: float | None
    beyond_days: int | None
    funding_bp: float | None
    n_payments: int | None
    n_missing: int | None
    marked_share: float | None


@dataclass(frozen=True)
class TradingCosts(Record):
    """Costs of the traded bars of past and of future.

    Attributes
    ----------
    facts : dict of str to CostFacts
        By window.
    past, future : BarCosts
    """

    FILE = "costs.json"
    facts: dict[str, CostFacts]
    past: BarCosts = apart()
    future: BarCosts = apart()

    def window(self, name: str) -> BarCosts:
        """``past`` or ``future``."""
        return {"past": self.past, "future": self.future}[name]

    def save_parts(self, folder: Path) -> None:
        """Write ``past.npz`` and ``future.npz``."""
        for name in WINDOWS:
            np.savez_compressed(folder / f"{name}.npz", **self.window(name)._asdict())

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        """Both windows."""
        found = {}
        for name in WINDOWS:
            with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
                found[name] = BarCosts(**{field: file[field] for field in file.files})
        return found
