"""The same features bar by bar: bounded work and memory, the same bits as `FeatureSet.matrix`.

There is no second set of formulas. A windowed indicator runs its kernel over the bars that its last value needs, a
recursive one continues from its state with a part of one bar. Only the trailing standard deviation of the local
normalisation has an incremental form, because its windows are long and every feature needs one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from feature_space import FeatureError
from feature_space.chunks import first_needed
from feature_space.feature_set import FeatureSet
from feature_space.indicators import Array, Indicator, Inputs, make_inputs
from feature_space.normalise import ALONE, squash_nb
from feature_space.windows import join_means_nb, join_squares_nb


@njit(cache=True, nogil=True, error_model="numpy")
def std_step_nb(x, t, k, so_far, rings, out):
    """Standard deviation over the last ``k`` bars of each of F series, from bar ``t`` and the kept moments.

    Parameters
    ----------
    x, out : (F,) array of float64
    t, k : int
    so_far : (2, F) array of float64
        Mean and summed squared deviation of all bars so far, until the first window is full.
    rings : (N, 2, F) array of float64
        Ring buffers of the mean and summed squared deviation of the last w = 1, 2, 4, .. bars: rows ``w - 1`` to
        ``2 w - 2`` hold those of the windows that end at the last w bars. N = `ring_rows(k)`.
    """
    if t < k - 1:
        for f in range(x.size):
            d = x[f] - so_far[0, f]
            so_far[0, f] += d / (t + 1)
            so_far[1, f] += d * (x[f] - so_far[0, f])
            out[f] = np.sqrt(so_far[1, f] / (t + 1))
    part, whole, spare = np.empty((2, x.size)), np.empty((2, x.size)), np.empty((2, x.size))
    part[0] = x
    part[1] = 0.0 * x
    width, reach = 1, 0
    while True:
        ring = rings[width - 1 : 2 * width - 1]
        if k & width:
            if reach:
                older, n = ring[(t - reach) % width], width + reach
                join_means_nb(older[0], whole[0], reach / n, spare[0])
                join_squares_nb(older[1], whole[1], older[0], whole[0], width * reach / n, spare[1])
                whole, spare = spare, whole
            else:
                whole[:] = part
            reach += width
        older = ring[t % width]
        join_means_nb(older[0], part[0], 0.5, spare[0])
        join_squares_nb(older[1], part[1], older[0], part[0], 0.5 * width, spare[1])
        older[:] = part
        part, spare = spare, part
        if 2 * width > k:
            break
        width *= 2
    if t >= k - 1:
        for f in range(x.size):
            out[f] = np.sqrt(whole[1, f] / k)


def ring_rows(k: int) -> int:
    """Rows of the ring buffers of `std_step_nb` for a window of ``k``."""
    return 2 ** int(k).bit_length() - 1


_OF_BARS = ("price", "high", "low", "close", "volume", "trades", "basket", "funding")
_BAR_COLUMNS = [Inputs._fields.index(name) for name in _OF_BARS]


class _Raw:
    """Computes the last raw value of one indicator; holds the state of a recursive one."""

    def __init__(self, indicator: Indicator, values: tuple[int, ...]) -> None:
        self.indicator = indicator
        self.values = values
        self.columns = [Inputs._fields.index(name) for name in indicator.columns]
        self.reach = 0 if indicator.start else indicator.warm_up(*values)
        self.state: Array | None = None

    def span(self) -> int:
        """Bars to keep so that the last value can be computed."""
        return 2 * self.reach + 1

    def last(self, kept: Array, start: int, t: int) -> float:
        """Value at bar ``t``, the last of ``kept`` (columns, bars), whose first is bar ``start``."""
        if self.indicator.start is None:
            first = first_needed(t, self.reach) - start
            return self.indicator.kernel(*(kept[c, first:] for c in self.columns), *self.values)[-1]
        now = [kept[c, -1:] for c in self.columns]
        if self.state is None:
            self.state = self.indicator.new_state(now)
        out = np.empty(1)
        self.indicator.kernel(*now, *self.values, self.state, out)
        return out[0]


class FeatureStream:
    """Features of one or more sets from bars given one at a time.

    The work per bar and the memory depend on the longest window, not on the number of bars so far. The bars must lie
    on a regular grid: a missing one is filled, as in a run.

    Parameters
    ----------
    feature_sets : sequence of FeatureSet
        All of one normalisation. An indicator that several sets share, with the same parameters, is computed once.
    """

    def __init__(self, feature_sets: Sequence[FeatureSet]) -> None:
        kinds = {s.normalisation for s in feature_sets}
        if len(kinds) != 1:
            raise ValueError("a stream needs one or more feature sets, all of one normalisation")
        (self.normalisation,) = kinds
        keys = {(f.name, f.parameters): f.indicator() for s in feature_sets for f in s.features}
        self._raw = [_Raw(indicator, parameters) for (_, parameters), indicator in keys.items()]
        order = {key: i for i, key in enumerate(keys)}
        self._places = [np.array([order[f.name, f.parameters] for f in s.features]) for s in feature_sets]
        self._scales = [np.array([f.scale for f in s.features]) for s in feature_sets]
        self._span = max(raw.span() for raw in self._raw)
        self._kept = np.empty((len(Inputs._fields), 2 * self._span))
        self._size = 0  # bars kept
        self.n_bars = 0
        n, rows = len(keys), ring_rows(self.normalisation.window) if self.normalisation.kind == "local" else 0
        self._so_far, self._rings = np.zeros((2, n)), np.zeros((rows, 2, n))

    def update(
        self,
        price: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        trades: float = 0.0,
        basket: float = 0.0,
        funding: float = 0.0,
    ) -> list[NDArray[np.float32]]:
        """Take the next bar; returns its features, (F,) array of float32, of each set.

        ``price`` is the volume-weighted price of the bar; ``trades`` is 0 where the number of trades is unknown;
        ``basket`` and ``funding`` are as in `feature_space.indicators.Inputs`.

        Raises
        ------
        FeatureError
            If a value is not a finite number, or the normalisation needs other markets.
        """
        if self.normalisation.kind == "rank":
            raise FeatureError(ALONE)
        raw = self.raw(price, high, low, close, volume, trades, basket, funding)
        gain = self.normalisation.gain
        if self.normalisation.kind == "train":
            return [
                squash_nb(raw[place], gain * scale).astype(np.float32)
                for place, scale in zip(self._places, self._scales, strict=True)
            ]
        deviation = np.empty(raw.size)
        std_step_nb(raw, self.n_bars - 1, self.normalisation.window, self._so_far, self._rings, deviation)
        return self.placed(squash_nb(raw, gain * deviation).astype(np.float32))

    def placed(self, features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Features of every set, from one of each of the indicators of `raw`."""
        return [features[place] for place in self._places]

    def raw(self, *bar: float) -> Array:
        """Take the next bar, as `update`; its raw values, one of each indicator that the sets have, in their order.

        Raises
        ------
        FeatureError
            If a value is not a finite number.
        """
        self._keep(*bar)
        t = self.n_bars
        kept = self._kept[:, : self._size]
        raw = np.array([one.last(kept, t + 1 - self._size, t) for one in self._raw])
        if not np.isfinite(raw).all():
            one = self._raw[int(np.flatnonzero(~np.isfinite(raw))[0])]
            raise FeatureError(f"indicator {one.indicator.name}{one.values} is not finite at bar {t}")
        self.n_bars += 1
        return raw

    def _keep(self, *bar: float) -> None:
        """Append the columns of a bar; makes room by dropping bars that no value needs any more."""
        if self._size == self._kept.shape[1]:
            self._kept[:, : self._span] = self._kept[:, -self._span :]
            self._size = self._span
        before = [self._kept[c, self._size - 1] for c in _BAR_COLUMNS] if self._size else bar
        both = make_inputs(*np.array([before, bar], dtype=np.float64).T)
        self._kept[:, self._size] = [column[1] for column in both]
        self._size += 1

    def advance(self, inputs: Inputs) -> None:
        """Take all bars up to now at once, columns as from `make_inputs`; later bits are those after `update` by bar.

        Raises
        ------
        ValueError
            If the stream has taken a bar already.
        """
        if self.n_bars:
            raise ValueError("a feature stream can take many bars at once only before its first bar")
        n = inputs.close.size
        if n == 0:
            return
        self.n_bars, self._size = n, min(n, self._span)
        self._kept[:, : self._size] = [column[n - self._size :] for column in inputs]
        local = self.normalisation.kind == "local"
        # a ring row depends on twice the longest window of the rings, the moments so far on the first bar
        first = max(n - 2 * len(self._rings) - 2, 0) if local else n
        tails = np.empty((n - first, len(self._raw)))
        for i, one in enumerate(self._raw):
            if one.indicator.start:
                columns = one.indicator.columns_of(inputs)
                one.state, out = one.indicator.new_state(columns), np.empty(n)
                one.indicator.kernel(*columns, *one.values, one.state, out)
                tails[:, i] = out[first:]
            elif local:
                tails[:, i] = one.indicator.compute(inputs, one.values)[first:]
        deviation = np.empty(len(self._raw))
        for t in range(first, n if local else first):
            std_step_nb(tails[t - first], t, self.normalisation.window, self._so_far, self._rings, deviation)

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays from which `restore` continues with the same bits, as for ``np.savez``."""
        states = {f"recursive_{i}": one.state for i, one in enumerate(self._raw) if one.state is not None}
        return {
            "n_bars": np.array(self.n_bars),
            "kept": self._kept[:, : self._size].copy(),
            "so_far": self._so_far.copy(),
            "rings": self._rings.copy(),
            **{name: state.copy() for name, state in states.items()},
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from the `state` of a stream of the same feature sets.

        Raises
        ------
        ValueError
            If the state belongs to other feature sets.
        """
        n_bars, kept = int(state["n_bars"]), state["kept"]
        recursive = [i for i, one in enumerate(self._raw) if one.indicator.start and n_bars]
        fits = (
            {name for name in state if name.startswith("recursive_")} == {f"recursive_{i}" for i in recursive}
            and state["so_far"].shape == self._so_far.shape
            and state["rings"].shape == self._rings.shape
            and kept.shape[0] == self._kept.shape[0]
            and kept.shape[1] == min(n_bars, kept.shape[1]) <= self._kept.shape[1]
        )
        if not fits:
            raise ValueError("the state of a feature stream belongs to other feature sets")
        self.n_bars, self._size = n_bars, kept.shape[1]
        self._kept[:, : self._size] = kept
        self._so_far[:], self._rings[:] = state["so_far"], state["rings"]
        for i in recursive:
            self._raw[i].state = state[f"recursive_{i}"].copy()
