"""What strategies are ranked by: the paper's score, and others that a later window may prefer.

All read the equity, fills and positions of a trailing window at the edges of its days, so that one pass over the bars
serves every criterion and every window. Which one foretells best is measured, see docs/BELIEF.md.
"""

import itertools

import numpy as np

from strategies.luck.deflated_sharpe import expected_maximum, sharpe_ratios
from strategies.search.score import ScoreSettings
from strategies.search.score import score as score_of
from strategies.trade.equity_grid import EquityGrid, returns_of

CRITERIA = ("score", "return", "deflated_sharpe", "median", "uncrowded")
N_PARTS = 8  # of the median
TRADE_COST = 0.02  # percent of equity that a transaction may cost more than in the simulation
CROWD = 1000  # best strategies among which near-duplicates are looked for
ALIKE = 0.95  # correlation of daily returns from which two strategies count as one


def criterion(
    name: str, grid: EquityGrid, edges: np.ndarray, months: float, settings: ScoreSettings | None = None
) -> np.ndarray:
    """Values (S,) to rank strategies by, from the best to the worst.

    Parameters
    ----------
    name : {"score", "return", "deflated_sharpe", "median", "uncrowded"}
        ``score``: of the paper, over the whole window. ``return``: of the whole window. ``deflated_sharpe``: the
        statistic of Bailey & Lopez de Prado 2014, daily. ``median``: of the scores of eight parts of the window.
        ``uncrowded``: the score less a further cost of each transaction, a near-duplicate of a better one behind all
        that are none.
    grid : EquityGrid
        (S, D + 1) at the edges of the window.
    edges : (D + 1,) array
        Rows of the edges.
    months : float
        Length of the window in calendar months.
    settings : ScoreSettings, optional
        Of the score.

    Raises
    ------
    ValueError
        If the name is unknown or there are fewer than two days.
    """
    if name not in CRITERIA:
        raise ValueError(f"criterion {name!r} is unknown, choose from {', '.join(CRITERIA)}")
    n_days = grid.equity.shape[1] - 1
    if n_days < 2:
        raise ValueError("a ranking needs two days or more")
    if name == "return":
        return _growth(grid, 0, n_days)
    if name == "deflated_sharpe":
        return _deflated(returns_of(grid.equity))
    if name == "median":
        cuts = np.unique(np.linspace(0, n_days, min(N_PARTS, n_days) + 1).astype(int))
        parts = [_score(grid, edges, months, settings, a, b) for a, b in itertools.pairwise(cuts)]
        return np.median(parts, axis=0)
    whole = _score(grid, edges, months, settings, 0, n_days)
    if name == "score":
        return whole
    trades = (grid.fills[:, -1] - grid.fills[:, 0]) / months
    return _without_duplicates(whole - TRADE_COST * trades, returns_of(grid.equity))


def _growth(grid: EquityGrid, first: int, last: int) -> np.ndarray:
    before = grid.equity[:, first]
    return np.divide(grid.equity[:, last], before, out=np.zeros_like(before), where=before > 0)


def _score(
    grid: EquityGrid, edges: np.ndarray, months: float, settings: ScoreSettings | None, first: int, last: int
) -> np.ndarray:
    """Score over days first .. last - 1 of the window."""
    n_bars = edges[last] - edges[first]
    held = (grid.position_sum[:, last] - grid.position_sum[:, first]) / n_bars
    share = n_bars / (edges[-1] - edges[0])
    fills = grid.fills[:, last] - grid.fills[:, first]
    return score_of(_growth(grid, first, last), fills, held, months * share, settings).score


def _deflated(returns: np.ndarray) -> np.ndarray:
    """Statistic of the deflated Sharpe ratio, all strategies being the tries."""
    ratio = sharpe_ratios(returns)
    centred = returns - returns.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1)
    scale = np.where(variance > 0, variance, 1.0)
    skewness = (centred**3).mean(axis=1) / scale**1.5
    kurtosis = np.where(variance > 0, (centred**4).mean(axis=1) / scale**2, 3.0)
    spread = np.maximum(1.0 - skewness * ratio + (kurtosis - 1.0) / 4.0 * ratio**2, 1e-12)
    by_luck = expected_maximum(len(returns), float(ratio.var()))
    return (ratio - by_luck) * np.sqrt(returns.shape[1] - 1) / np.sqrt(spread)


def _without_duplicates(values: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """The values, lowered below all others for those that are much like a better one."""
    order = np.argsort(-values, kind="stable")[:CROWD]
    centred = returns[order] - returns[order].mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    alike = unit @ unit.T >= ALIKE
    kept = np.ones(len(order), dtype=bool)
    for i in range(1, len(order)):
        kept[i] = not (alike[i, :i] & kept[:i]).any()
    behind = np.ptp(values) + 1.0
    out = values.copy()
    out[order[~kept]] -= behind
    return out
