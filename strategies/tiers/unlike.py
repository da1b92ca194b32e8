"""Unlike strategies: what is left of their returns once the market's is taken out, and how many bets that is.

Strategies that hold the same market are alike whatever they decide, so all here is measured on residual returns: daily
returns less beta times the market's.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from strategies.trade.correlation import unit_residuals, unit_rows

AT_ONCE = 512  # strategies whose returns are asked for and compared at a time
DECIMALS = 9  # of effective bets: later ones depend on how many threads decompose a matrix


def effective_bets(residual: np.ndarray) -> float:
    """exp(-sum p ln p), p the eigenvalue shares of the correlation matrix of residual returns (S, D).

    1 is one strategy held many times, S as many as there are strategies. Those that never moved are no bet: 0 if there
    are no others. The exponential of the entropy is the effective rank of Roy & Vetterli (2007); Meucci (2009) counts
    the bets of a portfolio so.

    >>> effective_bets(np.array([[0.01, -0.01, 0.0, 0.0], [0.0, 0.0, 0.02, -0.02], [0.03, -0.03, 0.0, 0.0]]))
    1.889881575
    """
    unit = unit_rows(residual)
    moved = unit.any(axis=1)
    if not moved.any():
        return 0.0
    # the eigenvalues of the correlation matrix, through the smaller of two products
    share = np.linalg.svd(unit[moved], compute_uv=False) ** 2
    share = share[share > 1e-12 * share.sum()] / share.sum()
    return round(float(np.exp(-(share * np.log(share)).sum())), DECIMALS)


class Unlike(NamedTuple):
    """Strategies of which no two are alike."""

    rows: np.ndarray  # (n,) best first
    returns: np.ndarray  # (n, D) daily returns
    looked_at: int  # candidates that were compared until there were enough, or no more


def pick_unlike(
    order: Sequence[int] | np.ndarray,
    returns_of: Callable[[np.ndarray], np.ndarray],
    market: np.ndarray,
    *,
    most: int,
    most_alike: float,
) -> Unlike:
    """Take candidates from the best on, and skip each whose residual returns correlate too much with one taken.

    Parameters
    ----------
    order : (C,) array of int
        Rows of the candidates, best first.
    returns_of : callable
        Gives the daily returns (n, D) of some rows; asked for as many as it takes.
    market : (D,) array
        Daily returns of the market.
    most : int
        As many as are wanted.
    most_alike : float
        Correlation above which two are alike; at 1 or above nothing is skipped.

    Returns
    -------
    Unlike
        At most ``most``; fewer if there are no more. Of strategies that never moved one is taken.
    """
    order = np.asarray(order, dtype=np.int64)
    if most_alike >= 1:
        best = order[:most]
        return Unlike(best, returns_of(best) if len(best) else np.empty((0, len(market))), len(best))
    chosen: list[int] = []
    returns: list[np.ndarray] = []
    taken = np.empty((most, len(market)))
    n_taken, still, looked_at = 0, False, 0
    for rows, own in _in_parts(order, returns_of):
        unit = unit_residuals(own, market)
        moved = np.asarray(unit.any(axis=1))
        closest: np.ndarray = (unit @ taken[:n_taken].T).max(axis=1, initial=-1.0)
        for i, row in enumerate(rows):
            looked_at += 1
            if closest[i] > most_alike or (still and not moved[i]):
                continue
            chosen.append(int(row))
            returns.append(own[i])
            if len(chosen) == most:
                return Unlike(np.array(chosen), np.array(returns), looked_at)
            if moved[i]:
                taken[n_taken] = unit[i]
                n_taken += 1
                np.maximum(closest, unit @ unit[i], out=closest)
            else:
                still = True
    found = np.array(chosen, dtype=np.int64)
    return Unlike(found, np.array(returns).reshape(len(chosen), len(market)), looked_at)


def _in_parts(
    order: np.ndarray, returns_of: Callable[[np.ndarray], np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for first in range(0, len(order), AT_ONCE):
        rows = order[first : first + AT_ONCE]
        yield rows, returns_of(rows)
