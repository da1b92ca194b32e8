"""Result of the outputs stage."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from labelsearch.results.codec import json_bytes, parse
from strategies.trade.window import TradingWindow

WINDOWS = ("past", "future")


@dataclass(frozen=True)
class BarCounts:
    """What the bars of a run were."""

    symbol: str
    bars: int  # on the grid, missing ones too
    missing: dict[str, int]  # by window
    first: str
    last: str
    sha256: str


@dataclass(frozen=True)
class Outputs:
    """What strategies see: probabilities and prices of the traded bars of past and of future.

    Attributes
    ----------
    labels : tuple of str
        Names; outputs 2 i and 2 i + 1 are the buy and the sell probability of label i.
    past, future : TradingWindow
    bars : BarCounts
    """

    labels: tuple[str, ...]
    past: TradingWindow
    future: TradingWindow
    bars: BarCounts

    def window(self, name: str) -> TradingWindow:
        """``past`` or ``future``."""
        return {"past": self.past, "future": self.future}[name]

    @property
    def trial_counts(self) -> dict[str, int]:
        """Nothing is tried."""
        return {}

    def save(self, folder: Path) -> None:
        """Write ``past.npz`` and ``future.npz``, probabilities in single precision, and ``outputs.json``."""
        (folder / "outputs.json").write_bytes(json_bytes(_Plain(self.labels, self.bars)))
        for name in WINDOWS:
            window = self.window(name)
            arrays = {**window._asdict(), "outputs": window.outputs.astype(np.float32)}
            np.savez(folder / f"{name}.npz", **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Inverse of `save`."""
        plain = parse(_Plain, (folder / "outputs.json").read_bytes())
        past, future = (_read(folder / f"{name}.npz") for name in WINDOWS)
        return cls(plain.labels, past, future, plain.bars)


@dataclass(frozen=True)
class _Plain:
    labels: tuple[str, ...]
    bars: BarCounts


def _read(path: Path) -> TradingWindow:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    months = float(arrays.pop("months"))
    return TradingWindow.of(arrays["outputs"], arrays["open"], arrays["close"], arrays["open_time"], months)
