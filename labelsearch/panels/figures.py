"""Figures of a stitched book: returns, alpha after costs, and what its markets and years can show."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labelsearch.results.ensembles import tier_name
from labelsearch.results.panel import BASKET, AlphaFigures, Power, TierRow, compound_pct, shared_correlation
from labelsearch.stages.seeds import Seeds
from strategies.luck.panel import HacFit, alpha_of_tiers, block_interval, driscoll_kraay, hac_fit
from strategies.luck.power import detectable_sharpe, effective_markets, market_correlation, years_needed
from strategies.tiers.metrics import max_drawdown, sharpe, volatility
from strategies.tiers.stitch import Stitched


def tier_rows(book: Stitched, sizes: Sequence[int], year: int, seeds: Seeds) -> tuple[TierRow, ...]:
    """Figures of every tier, the largest first, and of the basket; ``year`` is the number of its days."""
    basket, returns = book.basket_returns, book.book_returns
    fits, adjusted = alpha_of_tiers(returns, basket)
    rows = []
    for i, size in enumerate(sizes):
        interval = block_interval(returns[:, i], basket, year=year, seed=seeds("panel", "blocks"))
        own = book.returns[:, :, i]
        pooled = driscoll_kraay(own, book.market_returns)
        fit = fits[i]
        rows.append(
            TierRow(
                name=tier_name(size),
                size=size,
                **_plain(returns[:, i], year),
                sharpe_interval=interval and interval.sharpe,
                beta=fit and fit.beta,
                alpha=_alpha(fit, year),
                alpha_interval_pct=interval and _percent(interval.alpha_a_year),
                alpha_adjusted=adjusted[i],
                alpha_of_markets=_alpha(pooled, year),
                correlation=market_correlation(own),
                correlation_without_beta=market_correlation(without_beta(own, book.market_returns)),
            )
        )
    held = TierRow(
        name=BASKET,
        size=None,
        **_plain(basket, year),
        sharpe_interval=None,
        beta=None,
        alpha=None,
        alpha_interval_pct=None,
        alpha_adjusted=None,
        alpha_of_markets=None,
        correlation=market_correlation(book.market_returns),
        correlation_without_beta=None,
    )
    return (*rows, held)


def _plain(returns: NDArray[np.float64], year: int) -> dict[str, float]:
    """Figures that need nothing beside daily returns (D,)."""
    growth = float(np.prod(1.0 + returns))
    return {
        "total_pct": compound_pct(returns),
        "pct_a_year": 100.0 * (max(growth, 0.0) ** (year / len(returns)) - 1.0),
        "volatility_pct": 100.0 * volatility(returns, year),
        "sharpe": sharpe(returns, year),
        "max_drawdown_pct": 100.0 * max_drawdown(np.cumprod(1.0 + returns)),
    }


def _percent(interval: tuple[float, float]) -> tuple[float, float]:
    return 100.0 * interval[0], 100.0 * interval[1]


def _alpha(fit: HacFit | None, year: int) -> AlphaFigures | None:
    return fit and AlphaFigures(100.0 * year * fit.alpha, fit.alpha_t, fit.alpha_p)


def alpha_of(returns: NDArray[np.float64], market: NDArray[np.float64], year: int) -> AlphaFigures | None:
    """Alpha of an account's daily returns (D,) against a market's, NaN where it is not there."""
    return _alpha(hac_fit(returns, market), year)


def without_beta(returns: NDArray[np.float64], market: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (D, M) less beta times the market's (D, M), market by market; NaN where absent."""
    rest = np.full_like(returns, np.nan)
    for m in range(returns.shape[1]):
        fit = hac_fit(returns[:, m], market[:, m])
        rest[:, m] = returns[:, m] - (fit.beta * market[:, m] if fit else 0.0)
    return rest


def power_of_panel(book: Stitched, tiers: Sequence[TierRow], n_markets: Sequence[int], year: int) -> Power:
    """What so many markets in each split and so many years can show."""
    years, mean = len(book.days) / year, float(np.mean(n_markets))
    m_eff = effective_markets(max(round(mean), 1), shared_correlation(tiers))
    basket = book.basket_returns
    ratios = [_ratio(returns, basket, year) for returns in book.book_returns.T]
    return Power(
        years=years,
        markets=mean,
        effective_markets=m_eff,
        detectable_sharpe=detectable_sharpe(years, m_eff),
        detectable_alone=detectable_sharpe(years / len(n_markets)),
        years_needed=years_needed(max(ratios)),
    )


def power_of_book(book: Stitched, n_markets: Sequence[int], year: int) -> Power:
    """What one account across all markets can show: its markets are not repetitions of it."""
    years, basket = len(book.days) / year, book.basket_returns
    return Power(
        years=years,
        markets=float(np.mean(n_markets)),
        effective_markets=1.0,
        detectable_sharpe=detectable_sharpe(years),
        detectable_alone=detectable_sharpe(years / len(n_markets)),
        years_needed=years_needed(max(_ratio(returns, basket, year) for returns in book.book_returns.T)),
    )


def _ratio(returns: NDArray[np.float64], basket: NDArray[np.float64], year: int) -> float:
    """Yearly ratio of alpha to the risk that the basket does not explain."""
    fit = hac_fit(returns, basket)
    return sharpe(returns - fit.beta * basket, year) if fit else 0.0
