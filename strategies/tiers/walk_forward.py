"""Tiers picked anew every few days on the days just past, as Balcerak & Schmelzer 2020 propose, against tiers kept.

All strategies run on all the time, as if on paper. Capital follows the ones that a tier holds: when they change, the
net change of what the ensemble holds is traded at the next open. A pick is made at the end of a day, on data up to it.
"""

import itertools
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from strategies.search.problem import SearchProblem
from strategies.search.score import Score
from strategies.tiers.ensemble import TIER_SIZES, ranking
from strategies.tiers.ranking import PastRecord, criterion
from strategies.tiers.selection import market_returns
from strategies.tiers.unlike import pick_unlike
from strategies.trade.capital import invest
from strategies.trade.equity_grid import EquityGrid, equity_grid, returns_of
from strategies.trade.payments import Payments
from strategies.trade.pool import Account, Holdings, Pool
from strategies.trade.simulate import held_share, initial_state, simulate, simulate_paths, take


class History(NamedTuple):
    """Two windows, one after the other, by days; strategies start the second one anew, from where their equity is."""

    grid: EquityGrid  # (S, D + 1) over the days of both; equity is chained
    edges: np.ndarray  # (D + 1,) bars so far
    lead: int  # days of the first window
    months: float  # of both together
    score: Score
    market: np.ndarray  # (D,) daily returns of the market


def history(params: np.ndarray, lead: SearchProblem, test: SearchProblem) -> History:
    """Simulate all strategies once over both windows; the score is that of ``lead``."""
    first, second = (equity_grid(params, problem.window, problem.rules) for problem in (lead, test))
    joined = EquityGrid(
        np.hstack([first.equity, first.equity[:, -1:] * second.equity[:, 1:]]),
        np.hstack([first.fills, first.fills[:, -1:] + second.fills[:, 1:]]),
        np.hstack([first.position_sum, first.position_sum[:, -1:] + second.position_sum[:, 1:]]),
    )
    edges = lead.window.day_edges
    joined_edges = np.r_[edges, edges[-1] + test.window.day_edges[1:]]
    market = np.r_[market_returns(lead.window), market_returns(test.window)]
    months = lead.window.months + test.window.months
    return History(joined, joined_edges, len(edges) - 1, months, lead.score, market)


class Pick(NamedTuple):
    """Strategies picked at the end of a day."""

    day: int  # of the test window, at the start of which capital moves
    members: np.ndarray  # rows of the strategies, best first
    returns: np.ndarray  # (P, n) their daily returns over the trailing days


def trailing(past: History, day: int, n_days: int) -> PastRecord:
    """Record of the ``n_days`` before a day of the test window, or of as many as there are."""
    stop = past.lead + day
    start = max(stop - n_days, 0)
    grid = EquityGrid(*(field[:, start : stop + 1] for field in past.grid))
    edges = past.edges[start : stop + 1] - past.edges[start]
    return PastRecord(grid, edges, past.months * edges[-1] / past.edges[-1], past.score)


def picks(
    past: History,
    n_best: int,
    *,
    every: int | None = 14,
    n_days: int | None = None,
    by: str = "score",
    most_alike: float = 1.0,
) -> list[Pick]:
    """The best strategies at the start of the test window, and again every few days.

    Parameters
    ----------
    past : History
        Both windows.
    n_best : int
        Strategies to pick.
    every : int, optional
        Days from one pick to the next; None picks once.
    n_days : int, optional
        Days to look back; by default as many as the first window has.
    by : str
        A name in `strategies.tiers.ranking.RANKINGS`.
    most_alike : float
        Correlation of residual returns over the days looked back on above which two strategies are alike, and the worse
        one is not picked; 1: all may be.

    Raises
    ------
    ValueError
        If ``every`` is not positive or ``n_days`` is below two.
    """
    n_test = len(past.edges) - 1 - past.lead
    if (every is not None and every < 1) or (n_days is not None and n_days < 2):
        raise ValueError("picks need a day or more between them, and two or more to look back on")
    found = []
    for day in range(0, n_test, every or n_test):
        record = trailing(past, day, n_days or past.lead)
        stop = past.lead + day
        market = past.market[stop - record.n_days : stop]
        returns = partial(_returns, record.grid.equity)
        order = ranking(criterion(by, record))
        picked = pick_unlike(order, returns, market, most=n_best, most_alike=most_alike)
        found.append(Pick(day, picked.rows, picked.returns.T))
    return found


def _returns(equity: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return returns_of(equity[rows])


def follow(
    params: np.ndarray,
    test: SearchProblem,
    picked: Sequence[Pick],
    *,
    sizes: Sequence[int] = TIER_SIZES,
    rule: str = "equal",
) -> dict[int, Account]:
    """Accounts of tiers that hold the first ``n`` of each pick until the next.

    Parameters
    ----------
    params : (S, P) array
        All strategies.
    test : SearchProblem
        The window, which strategies start flat.
    picked : sequence of Pick
        By rising days, the first on day 0; each of at least the largest size.
    sizes : sequence of int
        Tiers.
    rule : str
        Capital rule, see `strategies.trade.capital`; shares are set at each pick, from the returns it was made on.
    """
    pools = {n: Pool(test.rules) for n in sizes}
    union = np.unique(np.concatenate([pick.members for pick in picked]))
    state = initial_state(len(union))
    close = float(test.window.open[0])
    day_edges = test.window.day_edges
    stops = [*(pick.day for pick in picked[1:]), len(day_edges) - 1]
    for pick, stop in zip(picked, stops, strict=True):
        edges = day_edges[pick.day : stop + 1]
        window = test.window.rows(slice(edges[0], edges[-1]))
        before = take(state, np.searchsorted(union, pick.members))
        paths = simulate_paths(params[pick.members], window, test.rules, before, flows=True)
        assert paths.flows is not None
        payments = Payments.of(paths.flows, window, test.rules, before).packed()
        held = held_share(before, close)
        holdings = Holdings(window, paths.equity, paths.position, payments, before.equity, held, close)
        for n in sizes:
            invest(pools[n], rule, pick.returns[:, :n], holdings.first(n), edges - edges[0])
        if stop < len(day_edges) - 1:
            state, close = simulate(params[union], window, test.rules, state), float(window.close[-1])
    return {n: pool.account() for n, pool in pools.items()}


def replaced(picked: Sequence[Pick], n: int) -> float | None:
    """Mean share of a tier's members that a pick puts in the place of others; None with a single pick."""
    if len(picked) < 2:
        return None
    kept = [len(np.intersect1d(a.members[:n], b.members[:n])) / n for a, b in itertools.pairwise(picked)]
    return 1.0 - float(np.mean(kept))
