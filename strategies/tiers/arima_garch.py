"""Forecasts by ARIMA(1,1,0) of log prices with GARCH(1,1) errors, in quasi-maximum likelihood by arch.

The log price is differenced once; mean and volatility of its returns are estimated together, which arch does for
autoregressive means (Bollerslev 1986; Francq & Zakoian 2004). The model is fitted at the end of train and again every
28 days, on the last `MOST_STEPS` steps until then; between fits its parameters stay, and returns are filtered as they
come. A fit that does not converge gives nothing: the one before it goes on, and without any nothing is forecast.
"""

import warnings
from typing import NamedTuple

import numpy as np
from numba import njit

from strategies.tiers.wishes import Forecast, Steps

MOST_STEPS = 10_000  # that a fit sees: it takes a quarter of a second
LEAST_STEPS = 250
REFIT_DAYS = 28
SCALE = 100.0  # percent: the optimiser wants variances about 1


class Model(NamedTuple):
    """x[t] = constant + slope x[t-1] + e[t], and the variance of e: omega + alpha e[t-1]^2 + beta its last; percent."""

    constant: float
    slope: float
    omega: float
    alpha: float
    beta: float
    start: float  # squared error and variance before the first


def fit(returns: np.ndarray) -> Model | None:
    """The model of returns (n,), in percent; None below `LEAST_STEPS`, if they do not vary or without convergence."""
    from arch.univariate import ARX, GARCH
    from threadpoolctl import threadpool_limits

    if len(returns) < LEAST_STEPS or not np.std(returns) > 0:
        return None
    start = float(np.var(returns))
    model = ARX(returns, lags=1, constant=True, volatility=GARCH(p=1, q=1), rescale=False)
    try:
        with warnings.catch_warnings(), threadpool_limits(1, "blas"):  # bits depend on its threads
            warnings.simplefilter("ignore")
            found = model.fit(disp="off", show_warning=False, backcast=start)
    except (ValueError, np.linalg.LinAlgError):
        return None
    params = np.asarray(found.params, dtype=np.float64)
    if found.convergence_flag != 0 or not np.isfinite(params).all():
        return None
    constant, slope, omega, alpha, beta = params.tolist()
    return Model(constant, slope, omega, alpha, beta, start)


@njit(cache=True, error_model="numpy")
def filter_nb(returns, constant, slope, omega, alpha, beta, start, mean, variance):
    """Mean and variance (n,) of the next return after each of returns (n,); NaN after the first, which has no error."""
    mean[0] = variance[0] = np.nan
    square = own = start
    for t in range(1, returns.size):
        own = omega + alpha * square + beta * own
        error = returns[t] - constant - slope * returns[t - 1]
        square = error * error
        mean[t] = constant + slope * returns[t]
        variance[t] = omega + alpha * square + beta * own


def filtered(returns: np.ndarray, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """See `filter_nb`."""
    mean, variance = np.empty(len(returns)), np.empty(len(returns))
    filter_nb(np.ascontiguousarray(returns), *model, mean, variance)
    return mean, variance


def arima_garch(steps: Steps, most: int = MOST_STEPS) -> Forecast:
    """Forecast at the end of each step from the last of train on.

    The forecast at a step depends on returns up to it alone, and has the same bits whatever follows.
    """
    returns, every = SCALE * steps.returns, REFIT_DAYS * steps.a_day
    n = len(returns)
    mean, deviation = np.full(n, np.nan), np.full(n, np.nan)
    model, first, fits, failed = None, 1, 0, 0
    for known in range(steps.n_train, n + 1, every):
        begin = max(known - most, 1)  # the first return is none
        found = fit(returns[begin:known])
        fits += 1
        if found is None:
            failed += 1
        else:
            model, first = found, begin
        if model is None:
            continue
        rows = slice(known - 1, min(known - 1 + every, n))
        ahead, variance = filtered(returns[first : rows.stop], model)
        mean[rows] = ahead[rows.start - first :] / SCALE
        deviation[rows] = np.sqrt(variance[rows.start - first :]) / SCALE
    return Forecast(mean, deviation, fits, failed)
