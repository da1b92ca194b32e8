"""The spread of a market whose bars have none, estimated from their prices.

References
----------
Ardia, D., Guidotti, E. and Kroencke, T. A. (2024). Efficient estimation of bid-ask spreads from open, high, low, and
close prices. Journal of Financial Economics 161, 103916.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.market.bars import Bars, Floats
from labelsearch.market.rules import BarError

LEAST_PAIRS = 20  # neighbouring bars, a month of days; fewer say nothing


class _Pairs(NamedTuple):
    """Pairs of neighbouring bars (n,): logarithms of prices, and what is known of the trades behind them."""

    open: Floats
    middle: Floats  # of high and low
    middle_before: Floats
    close_before: Floats
    traded: NDArray[np.bool_]  # the later bar has a trade at another price than the last one
    inner_opens: float  # mean number of extremes, 0 to 2, that the open differs from in traded bars
    inner_closes: float  # the same of the close before


def half_spread(bars: Bars) -> float:
    """Half of the effective spread, a share of the price: the root of the mean square over the bars.

    The estimator EDGE: trades at bid and ask make neighbouring returns negatively correlated. Two moments, one of which
    starts from the middle of high and low and one from the close before, are weighted by each other's variance. Both
    allow for bars of few trades, whose open or close is their high or low, and for bars without any.

    Parameters
    ----------
    bars : Bars
        Of trades: middle prices of quotes have no spread in them. A bar without its predecessor in its calendar adds
        nothing, since what happened in between is no part of a bar, and its return would count as noise.

    Returns
    -------
    float
        Where the estimated square is negative, as it may be by chance, the root of its size, as the authors return it:
        the spread is then too small to be seen in so many bars, and 0 would say that trading is free.

    Raises
    ------
    BarError
        For fewer than 20 pairs of neighbouring bars, and for bars that never move within or always do between.
    """
    return 0.5 * math.sqrt(abs(squared_spread(bars)[0]))


def squared_spread(bars: Bars) -> tuple[float, float]:
    """The estimated square of the spread, perhaps negative, and its standard error; errors as for `half_spread`.

    The error is that of independent pairs. The spread is seen where its square is several of them.
    """
    pairs = _pairs_of(bars)
    share = pairs.traded.mean()

    def centred(returns: Floats) -> Floats:
        """Less their mean over traded bars: the others have no return."""
        return returns - pairs.traded * (returns.mean() / share)

    to_middle = centred(pairs.middle - pairs.open) * (-4.0 / pairs.inner_opens)
    at_close = (pairs.close_before - pairs.middle_before) * (-4.0 / pairs.inner_closes)
    by_middle = to_middle * (pairs.open - pairs.middle_before) + centred(pairs.middle - pairs.close_before) * at_close
    by_close = to_middle * (pairs.open - pairs.close_before) + centred(pairs.open - pairs.close_before) * at_close
    variances = by_middle.var(), by_close.var()
    total = variances[0] + variances[1]
    weight = variances[1] / total if total > 0 else 0.5  # of a moment: the variance of the other
    both = weight * by_middle + (1.0 - weight) * by_close
    return float(both.mean()), float(both.std() / math.sqrt(len(both)))


def _pairs_of(bars: Bars) -> _Pairs:
    grid = bars.present().on_grid(bars.calendar)
    later = np.flatnonzero(~grid.filled[1:] & ~grid.filled[:-1]) + 1
    if len(later) < LEAST_PAIRS:
        rule = f"the spread needs {LEAST_PAIRS} bars that follow another one, not {len(later)}"
        raise BarError(f"{bars.symbol}: {rule}")
    opens, high, low = (array[later] for array in (grid.open, grid.high, grid.low))
    before = later - 1
    last, high_before, low_before = (array[before] for array in (grid.close, grid.high, grid.low))
    traded = (high != low) | (low != last)

    def inner(price: Floats, top: Floats, bottom: Floats) -> float:
        return float((traded & (price != top)).mean() + (traded & (price != bottom)).mean())

    pairs = _Pairs(
        np.log(opens),
        (np.log(high) + np.log(low)) / 2.0,
        (np.log(high_before) + np.log(low_before)) / 2.0,
        np.log(last),
        traded,
        inner(opens, high, low),
        inner(last, high_before, low_before),
    )
    if pairs.inner_opens == 0.0 or pairs.inner_closes == 0.0:
        raise BarError(f"{bars.symbol}: the spread cannot be estimated, no bar has an open or a close within its range")
    return pairs
