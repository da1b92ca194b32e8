"""Result of the outputs stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelsearch.results.codec import OnDisk
from labelsearch.results.record import Record, apart
from strategies.trade.window import TradingWindow

WINDOWS = ("past", "future")
MEMBERS_FILE = "members.npy"
NO_MEMBERS = np.empty((0, 0, 0), dtype=np.float32)


@dataclass(frozen=True)
class BarCounts:
    """What the bars of a run were."""

    symbol: str
    bars: int  # on the grid, missing ones too
    missing: dict[str, int]  # by window
    coverage: dict[str, float]  # share of the expected bars that is present, by window
    first: str
    last: str
    sha256: str


@dataclass(frozen=True)
class Outputs(Record):
    """What strategies see: outputs of classifiers and prices of the traded bars of past and of future.

    Attributes
    ----------
    labels : tuple of str
        Names.
    columns : tuple of str
        Outputs, in order; see `labelsearch.labels.base.output_names`.
    bars : BarCounts
    past, future : TradingWindow
    members : (M, T, K) array of float32
        Outputs of each single network on past, where several are averaged; (0, 0, 0) where one is alone. Read from
        disk as they are needed.
    """

    FILE = "outputs.json"
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    bars: BarCounts
    past: TradingWindow = apart()
    future: TradingWindow = apart()
    members: NDArray[np.float32] = apart()

    def window(self, name: str) -> TradingWindow:
        """``past`` or ``future``."""
        return {"past": self.past, "future": self.future}[name]

    def save_parts(self, folder: Path) -> None:
        """Write ``past.npz`` and ``future.npz``, outputs in single precision, and ``members.npy`` if there are any."""
        for name in WINDOWS:
            window = self.window(name)
            arrays = {**window._asdict(), "outputs": window.outputs.astype(np.float32)}
            del arrays["costs"]  # a result of their own
            if not window.days_a_year:
                del arrays["days_a_year"]
            np.savez(folder / f"{name}.npz", **arrays)
        if self.members.size:
            np.save(folder / MEMBERS_FILE, self.members)

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        """Both windows, and the members."""
        members = NO_MEMBERS
        if (folder / MEMBERS_FILE).is_file():
            members = np.load(folder / MEMBERS_FILE, mmap_mode="r", allow_pickle=False)
        return {**{name: _read(folder / f"{name}.npz") for name in WINDOWS}, "members": members}


@dataclass(frozen=True)
class PooledOutputs(Record):
    """Outputs of all markets of a split, at all bars of both windows.

    Attributes
    ----------
    labels, columns, symbols : tuple of str
        As of `Outputs`; markets.
    markets : mapping of str to mapping of str to array of float32
        By market and window, (N, K); ``members`` are those of each network on past, (M, N, K). Read from disk when
        they are asked for.
    """

    FILE = "outputs.json"
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    symbols: tuple[str, ...]
    markets: Mapping[str, Mapping[str, NDArray[np.float32]]] = apart()

    def save_parts(self, folder: Path) -> None:
        """Write ``<market>.npz``."""
        for name in self.symbols:
            np.savez(folder / f"{name}.npz", **self.markets[name])  # type: ignore[arg-type]

    @classmethod
    def load_parts(cls, folder: Path, plain: Mapping[str, Any]) -> Mapping[str, object]:
        """Outputs by market."""
        return {"markets": OnDisk(folder, plain["symbols"], _read_sides)}


def _read_sides(folder: Path, name: str) -> dict[str, NDArray[np.float32]]:
    with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
        return {window: file[window] for window in file.files}


def _read(path: Path) -> TradingWindow:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    months, year = float(arrays.pop("months")), int(arrays.pop("days_a_year", 0))
    return TradingWindow.of(arrays["outputs"], arrays["open"], arrays["close"], arrays["open_time"], months, year)
