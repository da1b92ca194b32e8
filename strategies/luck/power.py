"""How much evidence markets and years can give: which Sharpe ratio they can show, and how many are needed.

Sharpe ratios are yearly. A ratio SR of a book over m markets whose strategy returns correlate at rho is expected to
have t = SR sqrt(years m_eff), m_eff = m / (1 + (m - 1) rho); t varies about it with deviation 1. SR here is that of one
market, all markets having the same. The standard error of a ratio itself is small beside 1 / sqrt(years) (Lo 2002).
"""

import math

import numpy as np

T_NEEDED = 3.0  # Harvey, Liu & Zhu 2016
POWER = 0.8
LEAST_COMMON_DAYS = 20  # of two markets, for a correlation


def effective_markets(m: int, rho: float) -> float:
    """Number of independent markets that show as much as m whose strategy returns correlate at rho.

    A negative rho counts as 0: it rarely lasts.

    >>> round(effective_markets(33, 0.6), 2), round(effective_markets(33, 0.1), 2)  # 33 / 20.2, 33 / 4.2
    (1.63, 7.86)
    >>> effective_markets(33, 0.0), effective_markets(1, 0.9)
    (33.0, 1.0)

    Raises
    ------
    ValueError
        If m is below 1 or rho above 1.
    """
    if m < 1 or not rho <= 1.0:
        raise ValueError(f"{m} markets that correlate at {rho} count for nothing")
    return m / (1.0 + (m - 1) * max(rho, 0.0))


def _distance(power: float, t: float) -> float:
    """Expected t-value that passes t with a chance of ``power``."""
    from scipy.stats import norm

    if not 0.0 < power < 1.0:
        raise ValueError(f"a power of {power} is not between 0 and 1")
    return t + float(norm.ppf(power))


def _positive(**values: float) -> None:
    """Refuse values that are not above 0, with a ValueError."""
    for name, value in values.items():
        if not value > 0.0:
            raise ValueError(f"{name} = {value} is not above 0")


def detectable_sharpe(years: float, m_eff: float = 1.0, *, power: float = POWER, t: float = T_NEEDED) -> float:
    """Yearly Sharpe ratio of one market that passes t with a chance of ``power``.

    >>> round(detectable_sharpe(1.0), 2)  # 3 + 0.84
    3.84
    >>> round(detectable_sharpe(4.0, 4.0), 2)
    0.96
    >>> detectable_sharpe(9.0, power=0.5)
    1.0

    Raises
    ------
    ValueError
        If years or m_eff are not above 0, or power is not between 0 and 1.
    """
    _positive(years=years, m_eff=m_eff)
    return _distance(power, t) / math.sqrt(years * m_eff)


def power_of(sharpe: float, years: float, m_eff: float = 1.0, *, t: float = T_NEEDED) -> float:
    """Chance that a yearly Sharpe ratio passes t.

    >>> power_of(1.0, 9.0), round(power_of(0.0, 9.0, t=1.6449), 3)
    (0.5, 0.05)
    >>> round(power_of(1.0, 9.0, 1.64), 2)  # a normal number below 3 sqrt(1.64) - 3 = 0.84
    0.8

    Raises
    ------
    ValueError
        If years or m_eff are not above 0.
    """
    from scipy.stats import norm

    _positive(years=years, m_eff=m_eff)
    return float(norm.cdf(sharpe * math.sqrt(years * m_eff) - t))


def years_needed(sharpe: float, m_eff: float = 1.0, *, power: float = POWER, t: float = T_NEEDED) -> float | None:
    """Years until a yearly Sharpe ratio passes t with a chance of ``power``; None if it is not above 0.

    >>> years_needed(1.0, power=0.5), round(years_needed(1.0), 2)  # 3.84^2
    (9.0, 14.76)
    >>> round(years_needed(1.0, 1.64), 2)
    9.0
    >>> years_needed(0.0) is None
    True

    Raises
    ------
    ValueError
        If m_eff is not above 0, or power is not between 0 and 1.
    """
    _positive(m_eff=m_eff)
    return (_distance(power, t) / sharpe) ** 2 / m_eff if sharpe > 0.0 else None


def markets_needed(sharpe: float, years: float, rho: float, *, power: float = POWER, t: float = T_NEEDED) -> int | None:
    """Markets that make a yearly Sharpe ratio of each pass t with a chance of ``power``; None if no number does.

    No number of markets counts as more than 1 / rho. A negative rho counts as 0.

    >>> markets_needed(1.0, 4.0, 0.0), markets_needed(1.0, 4.0, 0.1)  # m_eff = 14.76 / 4 = 3.69
    (4, 6)
    >>> markets_needed(1.0, 4.0, 0.6) is None  # at most 1.67
    True
    >>> markets_needed(5.0, 4.0, 0.6)
    1

    Raises
    ------
    ValueError
        If years are not above 0, rho is above 1, or power is not between 0 and 1.
    """
    _positive(years=years)
    if not rho <= 1.0:
        raise ValueError(f"markets cannot correlate at {rho}")
    needed = years_needed(sharpe, power=power, t=t)
    if needed is None:
        return None
    m_eff, rho = needed / years, max(rho, 0.0)
    if m_eff <= 1.0:
        return 1
    if m_eff * rho >= 1.0:
        return None
    # m / (1 + (m - 1) rho) = m_eff; a whole number must not become the next by rounding
    return math.ceil(m_eff * (1.0 - rho) / (1.0 - m_eff * rho) - 1e-9)


def market_correlation(returns: np.ndarray) -> float | None:
    """Mean correlation of all pairs of columns (D, M), each over the days that both have.

    Pairs with fewer than 20 days in common, and columns that do not vary on them, are left out.

    Parameters
    ----------
    returns : (D, M) array
        Daily returns of the strategy in each market, NaN where a market is not there. What is left of them after
        beta times the market's tells how much evidence a neutral book gains by more markets.

    Returns
    -------
    float or None
        None without a pair.

    >>> days = np.arange(24) % 4
    >>> up, late = np.where(days < 2, 1.0, -1.0), np.where(days % 3 == 0, 1.0, -1.0)
    >>> market_correlation(np.column_stack([up, up, late]))  # 1, 0 and 0
    0.3333333333333333
    """
    found = []
    m = returns.shape[1]
    for i in range(m):
        for j in range(i + 1, m):
            x, y = returns[~np.isnan(returns[:, i] + returns[:, j])][:, [i, j]].T
            if len(x) < LEAST_COMMON_DAYS or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
                continue
            x, y = x - x.mean(), y - y.mean()
            found.append(float(np.sum(x * y) / np.sqrt(np.sum(x * x) * np.sum(y * y))))
    return float(np.mean(found)) if found else None
