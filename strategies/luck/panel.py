"""Alpha, beta and rank correlation over many markets and splits, with errors that know that markets move together.

Returns are daily, NaN where a market is not there. A regression's error is that of Newey & West (1987) over days, and
with several markets that of Driscoll & Kraay (1998): scores are summed over the markets of a day first, so whatever
markets have in common on a day, and over a few days, is in the error.

p-values do not take the error for known: it is estimated from few days with lags, and the normal law rejects too
often. They follow the fixed-b limit of Kiefer & Vogelsang (2005), which Vogelsang (2012) shows for panels, by a
Student t that comes within 0.03 of their critical values up to b = 0.1.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from strategies.luck.resample import block_weights
from strategies.luck.timing import adjusted_p

LEAST_DAYS = 10  # of an interval
LEAST_SPLITS = 3
WEEK = 7


class HacFit(NamedTuple):
    """Returns explained by the market's: alpha a day and beta, their standard errors and t-values."""

    alpha: float
    beta: float
    alpha_error: float
    beta_error: float
    alpha_t: float
    beta_t: float
    alpha_p: float  # one-sided, of no alpha above 0; fixed-b
    n_lags: int
    n_days: int
    n_observations: int


def fixed_b(n_days: int, n_lags: int) -> tuple[float, float]:
    """How much smaller an error with Bartlett weights is than the true one, and its degrees of freedom.

    With b = (n_lags + 1) / n_days, its square has the mean 1 - b + b^2 / 3 of the true one and varies like a
    chi-squared number with 3 / (2 b) degrees of freedom over these; two coefficients take two days.
    """
    b = (n_lags + 1) / n_days
    smaller = ((1.0 - b + b**2 / 3.0) * (n_days - 2) / n_days) ** 0.5
    return smaller, min(1.5 / b, n_days - 2)


def fixed_b_p(t: float, n_days: int, n_lags: int) -> float:
    """One-sided p-value of a t-value with Bartlett weights up to ``n_lags``, from ``n_days`` and two coefficients.

    >>> round(fixed_b_p(1.6449, n_days=10**6, n_lags=0), 3)
    0.05
    >>> round(fixed_b_p(1.866, n_days=1000, n_lags=99), 3)  # 0.05 in Kiefer & Vogelsang 2005, table 1
    0.048
    """
    from scipy.stats import t as student

    smaller, freedom = fixed_b(n_days, n_lags)
    return float(student.sf(t * smaller, freedom))


def fixed_b_widening(level: float, n_days: int, block: int) -> float:
    """Factor by which an interval by blocks is too narrow: blocks see what Bartlett weights of as many days see."""
    from scipy.stats import norm
    from scipy.stats import t as student

    smaller, freedom = fixed_b(n_days, block - 1)
    return float(student.isf((1 - level) / 2, freedom) / norm.isf((1 - level) / 2)) / smaller


def hac_fit(returns: np.ndarray, market: np.ndarray, n_lags: int | None = None) -> HacFit | None:
    """Least squares of returns (D,) on the market's (D,), with errors by Newey & West 1987.

    Parameters and result as for `driscoll_kraay`, of which this is the case of one market.
    """
    return driscoll_kraay(returns[:, None], market[:, None], n_lags)


def driscoll_kraay(returns: np.ndarray, market: np.ndarray, n_lags: int | None = None) -> HacFit | None:
    """Pooled least squares r = a + b x over days and markets, with errors by Driscoll & Kraay 1998.

    Parameters
    ----------
    returns : (D, M) array
        Daily returns, NaN where a market is not there.
    market : (D, M) or (D,) array
        What explains them: each market's own returns, or those of one basket.
    n_lags : int, optional
        Lags in days with Bartlett weights; by default floor(4 (D / 100)^(2/9)), Newey & West 1994.

    Returns
    -------
    HacFit or None
        None below four days, or if the market did not move. Days without any market are left out. t is 0 where
        nothing is left unexplained.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    x = market[:, None] if market.ndim == 1 else market
    if returns.ndim != 2 or x.shape not in (returns.shape, (len(returns), 1)):
        raise ValueError(f"returns {returns.shape} and a market {market.shape} do not fit")
    x = np.broadcast_to(x, returns.shape)
    present = ~(np.isnan(returns) | np.isnan(x))
    present = present[kept := present.any(axis=1)]
    x, y = x[kept], returns[kept]
    n, n_days = int(present.sum()), len(present)
    if n_days < 4 or np.ptp(x[present]) == 0.0:
        return None
    n_lags = min(int(4 * (n_days / 100) ** (2 / 9)) if n_lags is None else n_lags, n_days - 1)
    mean_x, mean_y = float(x[present].mean()), float(y[present].mean())
    # less their means, constant and slope are found apart
    x, y = np.where(present, x - mean_x, 0.0), np.where(present, y - mean_y, 0.0)
    square = float(np.sum(x * x))
    beta = float(np.sum(x * y)) / square
    residual = y - beta * x
    scores = np.column_stack([residual.sum(axis=1) / n, (x * residual).sum(axis=1) / square])
    # of the mean of returns at the mean of the market, and of the slope
    (of_mean, of_both), (_, of_slope) = long_run_covariance(scores, n_lags).tolist()
    alpha_error = max(of_mean - 2.0 * mean_x * of_both + mean_x**2 * of_slope, 0.0) ** 0.5
    beta_error = max(of_slope, 0.0) ** 0.5
    alpha = mean_y - beta * mean_x
    # a book that is a multiple of the market leaves nothing but rounding
    rest = float(np.sum(residual * residual)) > 1e-24 * float(np.sum(y * y))
    alpha_t, beta_t = (c / e if rest and e > 0 else 0.0 for c, e in ((alpha, alpha_error), (beta, beta_error)))
    p = fixed_b_p(alpha_t, n_days, n_lags)
    return HacFit(alpha, beta, alpha_error, beta_error, alpha_t, beta_t, p, n_lags, n_days, n)


def alpha_of_tiers(returns: np.ndarray, market: np.ndarray) -> tuple[list[HacFit | None], list[float | None]]:
    """Fits of several accounts (D, n) on the market (D,), and p-values of their alphas adjusted for their number.

    What the market does not explain of accounts says how far their tests agree. None where there is no fit.
    """
    fits = [hac_fit(column, market) for column in returns.T]
    there = [(i, fit) for i, fit in enumerate(fits) if fit is not None]
    adjusted: list[float | None] = [None] * len(fits)
    if there:
        rests = [returns[:, i] - fit.beta * market for i, fit in there]
        products = np.column_stack([rest - rest.mean() for rest in rests])
        for (i, _), p in zip(there, adjusted_p([fit.alpha_p for _, fit in there], products), strict=True):
            adjusted[i] = p
    return fits, adjusted


def long_run_covariance(scores: np.ndarray, n_lags: int) -> np.ndarray:
    """Covariance (c, c) of the sum over time of scores (D, c) of mean 0, with Bartlett weights up to ``n_lags``."""
    columns = range(scores.shape[1])

    def lagged(lag: int) -> np.ndarray:
        # sums one by one: a product of matrices may depend on the number of threads
        late, early = scores[lag:], scores[: len(scores) - lag]
        return np.array([[np.sum(late[:, i] * early[:, j]) for j in columns] for i in columns])

    found = lagged(0)
    for lag in range(1, n_lags + 1):
        product = lagged(lag)
        found = found + (1.0 - lag / (n_lags + 1)) * (product + product.T)
    return found


class BookInterval(NamedTuple):
    """Intervals of a book: of its yearly Sharpe ratio, and of its alpha a year as a share."""

    sharpe: tuple[float, float]
    alpha_a_year: tuple[float, float]
    block: int  # days


def block_interval(
    book: np.ndarray,
    basket: np.ndarray,
    *,
    year: int = 365,
    block: int | None = None,
    n_reps: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> BookInterval | None:
    """Intervals of a book's Sharpe ratio and alpha by circular blocks of days, the same for book and basket.

    The book's returns are sums over its markets, so resampling its days resamples all markets jointly.

    Parameters
    ----------
    book, basket : (D,) array
        Daily returns of the stitched book, and of the basket of its markets.
    year : int
        Daily returns in a year.
    block : int, optional
        Days in a block; by default D^(1/3), at least a week. No more than a third of D is used.
    n_reps : int
        Resampled books.
    level : float
        Probability inside the interval.
    seed : int
        Of the blocks.

    Returns
    -------
    BookInterval or None
        None below ten days, or if book or basket do not vary. Percentiles, their distances from what was found
        widened by `fixed_b_widening`, as Hesterberg (2015) does without blocks.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    n = len(book)
    if book.shape != basket.shape or book.ndim != 1:
        raise ValueError(f"returns of a book {book.shape} and of a basket {basket.shape} do not fit")
    if n < LEAST_DAYS or np.ptp(book) == 0.0 or np.ptp(basket) == 0.0:
        return None
    block = min(block or max(round(n ** (1 / 3)), WEEK), n // 3)
    weight = block_weights(np.random.default_rng(seed), n, block, n_reps) / n

    sharpe, alpha = _sharpe_and_alpha(np.full((1, n), 1.0 / n), book, basket)
    sharpes, alphas = _sharpe_and_alpha(weight, book, basket)
    tail, wider = (1 - level) / 2, fixed_b_widening(level, n, block)

    def interval(found: np.ndarray, estimate: float, a_year: float) -> tuple[float, float]:
        low, high = (a_year * (estimate + wider * (np.quantile(found, [tail, 1 - tail]) - estimate))).tolist()
        return low, high

    return BookInterval(
        interval(sharpes, float(sharpe[0]), year**0.5), interval(alphas, float(alpha[0]), float(year)), block
    )


def _sharpe_and_alpha(weight: np.ndarray, book: np.ndarray, basket: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Daily Sharpe ratio and alpha (R,) of days by weights (R, D) that sum to 1; 0 where nothing varies."""

    def mean(values: np.ndarray) -> np.ndarray:
        return np.einsum("rd,d->r", weight, values)  # its own sums, for any number of threads

    n, y, x = len(book), book - book.mean(), basket - basket.mean()
    mean_y, mean_x = mean(y), mean(x)
    spread_y, spread_x = mean(y * y) - mean_y**2, mean(x * x) - mean_x**2
    deviation = np.sqrt(np.maximum(spread_y, 0.0) * n / (n - 1))
    # a resampled book of one day many times over has no ratio
    varies, moves = deviation > 1e-9 * book.std(), spread_x > 1e-18 * basket.var()
    sharpe = np.divide(book.mean() + mean_y, deviation, out=np.zeros(len(weight)), where=varies)
    beta = np.divide(mean(x * y) - mean_x * mean_y, spread_x, out=np.zeros(len(weight)), where=moves)
    return sharpe, book.mean() + mean_y - beta * (basket.mean() + mean_x)


class PooledRank(NamedTuple):
    """Mean rank correlation over markets and splits. Without at least three splits there is no error."""

    mean: float
    error: float | None
    interval: tuple[float, float] | None  # 95%
    p_value: float | None  # one-sided, of no rank correlation above 0
    n_splits: int
    n_cells: int


def pooled_rank(rho: Mapping[tuple[str, int], float]) -> PooledRank | None:
    """Mean of the rank correlations of cells, with an error from the differences of splits alone.

    Markets of a split share its moves, so however many they are, a split is one observation: its mean over its
    markets. All splits weigh the same. With S splits the error has S - 1 degrees of freedom (Student's t), which for
    few splits makes the interval wide, as it should be: 4.3 errors to each side for three splits. It takes splits for
    independent; trains and pasts that overlap are conditioned on, futures must not overlap.

    Parameters
    ----------
    rho : mapping of (market, split) to float
        Rank correlation of each cell; NaN is left out.

    Returns
    -------
    PooledRank or None
        None without cells. Error, interval and p-value are None below three splits.

    Examples
    --------
    >>> found = pooled_rank({("A", 0): 0.1, ("B", 0): 0.3, ("A", 1): 0.1, ("A", 2): 0.3})
    >>> round(found.mean, 3), round(found.error, 4), round(found.p_value, 4)
    (0.2, 0.0577, 0.0371)
    """
    from scipy.stats import t as student

    of_split: dict[int, list[float]] = {}
    for (_, split), value in sorted(rho.items()):
        if not np.isnan(value):
            of_split.setdefault(split, []).append(float(value))
    if not of_split:
        return None
    means = np.array([np.mean(of_split[split]) for split in sorted(of_split)])
    n, n_cells = len(means), sum(map(len, of_split.values()))
    mean = float(means.mean())
    if n < LEAST_SPLITS:
        return PooledRank(mean, None, None, None, n, n_cells)
    error = float(means.std(ddof=1)) / n**0.5
    far = float(student.ppf(0.975, n - 1)) * error
    p = float(student.sf(mean / error, n - 1)) if error > 1e-12 else None
    return PooledRank(mean, error, (mean - far, mean + far), p, n, n_cells)
