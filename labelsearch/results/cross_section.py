"""Result of the cross-section stage: the markets of a split side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.base import LabelValues
from labelsearch.market.cross_section import CrossSection
from labelsearch.results.codec import OnDisk
from labelsearch.results.record import Record, apart

SECTION = "section.npz"
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class MarketView(NamedTuple):
    """What a market knows of the others at the close of each of its bars."""

    member: Flags  # (T,) whether it belongs to the universe
    basket: Floats  # (T,) simple return
    funding: Floats  # (T,) rates paid within the bar, 0 where unknown

    def before(self, stop: int) -> "MarketView":
        """That of the bars before ``stop``."""
        return MarketView(self.member[:stop], self.basket[:stop], self.funding[:stop])


@dataclass(frozen=True)
class MarketsOfSplit(Record):
    """All markets of a split on the union of their grids, T rows, from the first of train to the last of future.

    Attributes
    ----------
    markets : tuple of str
    member_share : tuple of float
        Share of its own bars at which each belongs to the universe.
    labels : tuple of str
        Labels that compare the markets.
    section : CrossSection
    funding : (T, M) array of float64
        Rates of funding paid within each bar; 0 where unknown.
    values : mapping of str to LabelValues
        By label, (T', M) arrays of the T' rows before the future; read from disk when they are asked for.
    """

    FILE = "cross_section.json"
    markets: tuple[str, ...]
    member_share: tuple[float, ...]
    labels: tuple[str, ...]
    section: CrossSection = apart()
    funding: Floats = apart()
    values: Mapping[str, LabelValues] = apart()

    def save_parts(self, folder: Path) -> None:
        """Write the arrays, and those of each label."""
        arrays = {f.name: getattr(self.section, f.name) for f in fields(CrossSection) if f.name != "markets"}
        np.savez(folder / SECTION, funding=self.funding, **arrays)
        for name, values in self.values.items():
            np.savez(folder / f"{name}.npz", **values._asdict())

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        """The arrays; those of labels on demand."""
        with np.load(folder / SECTION, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        funding = arrays.pop("funding")
        section = CrossSection(plain["markets"], **arrays)
        return {"section": section, "funding": funding, "values": OnDisk(folder, plain["labels"], _read)}

    def rows_of(self, open_time: NDArray[np.int64]) -> slice:
        """Rows of the bars of a market, which have no gap among them."""
        first, last = np.searchsorted(self.section.open_time, (open_time[0], open_time[-1]))
        return slice(int(first), int(last) + 1)

    def view(self, market: str, open_time: NDArray[np.int64]) -> MarketView:
        """What a market knows of the others at its bars."""
        rows, m = self.rows_of(open_time), self.section.column(market)
        # contiguous: kernels would be compiled a second time for others
        return MarketView(
            self.section.member[rows, m].copy(), self.section.basket[rows].copy(), self.funding[rows, m].copy()
        )

    def labels_of(self, market: str, open_time: NDArray[np.int64]) -> dict[str, LabelValues]:
        """Labels of a market at its bars, all of which are before the future."""
        rows, m = self.rows_of(open_time), self.section.column(market)
        found = {}
        for name, whole in self.values.items():
            own = LabelValues(whole.value[rows, m], whole.classes[rows, m], whole.last_used[rows, m] - rows.start)
            found[name] = own.before(len(open_time))  # one that ends after the bars of the market is not settled
        return found


def _read(folder: Path, name: str) -> LabelValues:
    with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
        return LabelValues(*(file[column] for column in LabelValues._fields))
