"""Features of many markets side by side: ranks among them, at once or bar by bar with the same bits.

Normalisation ``rank``: the place of a market's raw value among those of all members of the moment that have the bar,
scaled to (-1, 1) as the other normalisations are: twice the mean rank of equal values, less n + 1, over n. Other
markets have 0 there. No scale is fitted, and each raw series is computed once for each market. Values that are equal in
single precision are equal: the last digits of a windowed sum depend on where its series began, and would put markets
that pay the same funding into an order that means nothing and is another one live.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numba import get_num_threads, njit
from numpy.typing import NDArray

from feature_space.candidates import Candidates, all_settings
from feature_space.elementary import log_nb
from feature_space.feature_set import N_THREADS, Feature, FeatureSet
from feature_space.indicators import Array, Indicator, Inputs
from feature_space.streaming import FeatureStream

Flags = NDArray[np.bool_]
Matrix = NDArray[np.float32]


@njit(cache=True, nogil=True, error_model="numpy")
def rank_rows_nb(values, takes):
    """Ranks (T, M) within each row of those that take part, in (-1, 1): (2 rank - 1 - n)/n; 0 for the others."""
    out, seen = np.zeros(values.shape), np.empty(values.shape[1], dtype=np.float32)
    for t in range(values.shape[0]):
        n = 0
        for m in range(values.shape[1]):
            if takes[t, m]:
                seen[n] = np.float32(values[t, m])
                n += 1
        for m in range(values.shape[1]):
            if takes[t, m]:
                balance, own = 0, np.float32(values[t, m])
                for i in range(n):
                    balance += (seen[i] < own) - (seen[i] > own)
                out[t, m] = balance / n
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def basket_column_nb(basket):
    """Log returns (T,) of simple ones, with the same bits on every machine."""
    out = np.empty(basket.size)
    for i in range(out.size):
        out[i] = log_nb(1.0 + basket[i])
    return out


class SideBySide(NamedTuple):
    """Markets on one grid of T rows, each from a row of its own on.

    ``inputs``: columns (T_m,) of each. ``first``: row of the grid that these begin with. ``ranked``: where each is a
    member and has the bar, (T_m,).
    """

    inputs: tuple[Inputs, ...]
    first: tuple[int, ...]
    ranked: tuple[Flags, ...]

    def ranks(self, indicator: Indicator, values: tuple[int, ...]) -> list[Array]:
        """Ranks of an indicator, (T_m,) of each market; `FeatureError` if a raw value is not finite."""
        size = max(first + len(its) for first, its in zip(self.first, self.ranked, strict=True))
        raw, takes = np.zeros((size, len(self.inputs))), np.zeros((size, len(self.inputs)), dtype=np.bool_)
        rows = [slice(first, first + len(its)) for first, its in zip(self.first, self.ranked, strict=True)]
        for m, its in enumerate(self.inputs):
            raw[rows[m], m], takes[rows[m], m] = indicator.finite(its, values), self.ranked[m]
        found = rank_rows_nb(raw, takes)
        return [found[its, m].copy() for m, its in enumerate(rows)]


def arranged(
    inputs: Sequence[Inputs], ranked: Sequence[Flags | None], first_bar: Sequence[int]
) -> SideBySide | list[Inputs]:
    """Markets as `matrices` takes them: side by side where each says when it is ranked.

    Parameters
    ----------
    inputs : sequence of Inputs
    ranked : sequence of (T_m,) arrays of bool
        None for markets that are not compared.
    first_bar : sequence of int
        Numbers of their first rows, by which rows of several markets are of the same time.
    """
    flags = [its for its in ranked if its is not None]
    if len(flags) < len(inputs):
        return list(inputs)
    return SideBySide(tuple(inputs), tuple(number - min(first_bar) for number in first_bar), tuple(flags))


def matrices(
    sets: Sequence[FeatureSet],
    markets: SideBySide | Sequence[Inputs],
    wanted: Sequence[int] | None = None,
    starts: Sequence[int] | None = None,
) -> Iterator[Matrix]:
    """Normalised features, (T_m - start, F) array of float32, of each of the ``wanted`` markets, by default of all.

    Parameters
    ----------
    sets : sequence of FeatureSet
        Of each market: the same but for their scales.
    markets : SideBySide, or sequence of Inputs
        `SideBySide` where the normalisation is ``rank``; all matrices are then made before the first is handed out.
    wanted : sequence of int, optional
        Numbers of markets.
    starts : sequence of int, optional
        First bar of each market that is wanted; by default its first one.
    """
    wanted = range(len(sets)) if wanted is None else wanted
    start = [0] * len(sets) if starts is None else starts
    if not isinstance(markets, SideBySide):
        yield from (sets[m].matrix(markets[m], start[m]) for m in wanted)
        return
    out = [np.empty((len(markets.ranked[m]) - start[m], len(sets[m].features)), dtype=np.float32) for m in wanted]

    def fill(item: tuple[int, Feature]) -> None:
        column, feature = item
        ranks = markets.ranks(feature.indicator(), feature.parameters)
        for matrix, m in zip(out, wanted, strict=True):
            matrix[:, column] = ranks[m][start[m] :]

    with ThreadPoolExecutor(min(N_THREADS, get_num_threads())) as pool:
        list(pool.map(fill, enumerate(sets[0].features)))
    yield from out


def ranked_candidates(
    indicators: Sequence[Indicator], markets: SideBySide, rows: Sequence[NDArray[np.int64]], *, n_values: int
) -> list[Candidates]:
    """As `feature_space.candidates.compute_candidates`, of all markets at the bars ``rows[m]`` of each."""
    settings, offsets = all_settings(indicators, n_values)
    values = [np.empty((offsets[-1], its.size), dtype=np.float32) for its in rows]

    def fill(item: tuple[int, tuple[Indicator, tuple[int, ...]]]) -> Feature:
        row, (indicator, parameters) = item
        for m, ranks in enumerate(markets.ranks(indicator, parameters)):
            values[m][row] = ranks[rows[m]]
        return Feature(indicator.name, parameters)

    with ThreadPoolExecutor(N_THREADS) as pool:
        flat = list(pool.map(fill, enumerate(settings)))
    grouped = [flat[a:b] for a, b in itertools.pairwise(offsets)]
    found = []
    for m, its in enumerate(rows):
        position = np.full(len(markets.ranked[m]), -1, dtype=np.int64)
        position[its] = np.arange(its.size)
        found.append(Candidates(grouped, offsets, values[m], position))
    return found


class MarketBar(NamedTuple):
    """A bar of one market: prices, of which the first is volume-weighted, volume, and trades or 0."""

    price: float
    high: float
    low: float
    close: float
    volume: float
    trades: float = 0.0


class AcrossStream:
    """Features of all markets of a panel from their bars of one time after the other, with the bits of `matrices`.

    Memory and work depend on the longest window and the number of markets, not on the number of bars so far.

    Parameters
    ----------
    sets : sequence of sequences of FeatureSet
        Of each market: one for each label, all of one normalisation, the same in all markets but for their scales.
    """

    def __init__(self, sets: Sequence[Sequence[FeatureSet]]) -> None:
        self._streams = [FeatureStream(its) for its in sets]
        self._is_rank = self._streams[0].normalisation.kind == "rank"
        self._close = np.full(len(sets), np.nan)

    def update(
        self, bars: Sequence[MarketBar | None], member: Flags, basket: float, funding: Array
    ) -> list[list[Matrix] | None]:
        """Take all bars of one time.

        Parameters
        ----------
        bars : sequence of MarketBar or None
            Of each market; None where it has none: it is filled in as in a run.
        member : (M,) array of bool
        basket : float
            Simple return of the basket.
        funding : (M,) array of float64
            Rates paid within the bar, 0 where unknown.

        Returns
        -------
        list of list of (F,) arrays of float32
            The features of each market in each of its sets; None for one that has not begun.
        """
        raw: dict[int, Array] = {}
        found: list[list[Matrix] | None] = [None] * len(bars)
        (common,) = basket_column_nb(np.array([basket]))
        for m, (stream, bar) in enumerate(zip(self._streams, bars, strict=True)):
            last = float(self._close[m]) if bar is None else bar.close
            if np.isnan(last):
                continue
            self._close[m] = last
            columns = (*(bar or MarketBar(last, last, last, last, 0.0)), common, funding[m])
            if self._is_rank:
                raw[m] = stream.raw(*columns)
            else:
                found[m] = stream.update(*columns)
        if not raw:
            return found
        present = np.array([bar is not None for bar in bars])
        takes = np.array([[member[m] and present[m] for m in raw]])
        ranks = np.column_stack([rank_rows_nb(values[None], takes)[0] for values in np.array(list(raw.values())).T])
        for m, row in zip(raw, ranks, strict=True):
            found[m] = self._streams[m].placed(row.astype(np.float32))
        return found

    def advance(self, inputs: Sequence[Inputs | None]) -> None:
        """Take all bars up to now at once; later bits are those after `update` by bar.

        Parameters
        ----------
        inputs : sequence of Inputs or None
            Columns of each market from its first bar on, up to the same last one; None for one that has not begun.

        Raises
        ------
        ValueError
            If a bar was taken already.
        """
        for m, (stream, its) in enumerate(zip(self._streams, inputs, strict=True)):
            if its is not None:
                stream.advance(its)
                self._close[m] = its.close[-1]

    def state(self) -> dict[str, NDArray]:
        """Arrays from which `restore` continues with the same bits, as for ``np.savez``."""
        states = {f"{m}.{name}": a for m, stream in enumerate(self._streams) for name, a in stream.state().items()}
        return {"close": self._close.copy(), **states}

    def restore(self, state: Mapping[str, NDArray]) -> None:
        """Continue from the `state` of a stream of the same feature sets; ValueError for others."""
        if state["close"].shape != self._close.shape:
            raise ValueError("the state of a feature stream belongs to other markets")
        self._close = state["close"].copy()
        for m, stream in enumerate(self._streams):
            prefix = f"{m}."
            stream.restore({name.removeprefix(prefix): a for name, a in state.items() if name.startswith(prefix)})
