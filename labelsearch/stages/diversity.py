"""How unlike strategies and networks are: a part of the belief stage, of what that simulates anyway."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.classifiers.ambiguity import class_losses, move_losses
from labelsearch.labels.base import HEADS, Label, LabelValues, head_of, is_magnitude
from labelsearch.results.diversity import AcrossLabels, Diversity, LabelDiversity, TierDiversity
from labelsearch.stages.seeds import Seeds
from strategies.tiers.behaviour import behaviour_map, block_order, correlations, pair_correlation
from strategies.tiers.selection import bets_of_tiers
from strategies.trade.correlation import unit_residuals
from strategies.trade.equity_grid import returns_of

N_SAMPLED = 2000  # strategies on the map beside the members
MOST_SHOWN = 100  # members whose correlations are kept
MOST_EXACT = 7  # labels up to which all orders are tried
N_PERMUTATIONS = 9999


class Days(NamedTuple):
    """Equity of all strategies (S, D + 1) by days of a window, and daily returns of the market (D,).

    Those of the market begin at its first open. Those of strategies are computed as they are looked at: of a million
    they take gigabytes.
    """

    equity: NDArray[np.float64]
    market: NDArray[np.float64]

    def unit(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """See `strategies.trade.correlation.unit_residuals`."""
        return unit_residuals(returns_of(self.equity[rows]), self.market)


def judge_diversity(
    days: Mapping[str, Days],
    members: Mapping[int, NDArray[np.int64]],
    labels: tuple[LabelDiversity, ...],
    seeds: Seeds,
) -> Diversity:
    """All figures of diversity.

    Parameters
    ----------
    days : mapping of str to Days
        By window, ``past`` and ``future``.
    members : mapping of int to array
        Rows of each tier, best first, the largest tier first.
    labels : tuple of LabelDiversity
        See `label_diversity`.
    seeds : Seeds
    """
    past, best = days["past"], next(iter(members.values()))
    rng = np.random.default_rng(seeds("belief", "map"))
    n = len(past.equity)
    rows = np.union1d(rng.choice(n, size=min(N_SAMPLED, n), replace=False), best)
    unit = past.unit(rows)
    moved = unit.any(axis=1)
    found = behaviour_map(unit[moved])
    shown = best[:MOST_SHOWN]
    alike = correlations(past.unit(shown))
    names = [str(row) for row in shown.tolist()]
    return Diversity(
        tiers=tuple(row for window, its in days.items() for row in _tiers(window, its, members)),
        shares=found.shares,
        n_still=int((~moved).sum()),
        order=tuple(block_order(alike).tolist()),
        labels=labels,
        across=across_labels(labels, seeds("belief", "across labels")),
        points=pd.DataFrame({"row": rows[moved], "x": found.points[:, 0], "y": found.points[:, 1]}),
        correlation=pd.DataFrame(alike, columns=names),
    )


def _tiers(window: str, days: Days, members: Mapping[int, NDArray[np.int64]]) -> list[TierDiversity]:
    best = next(iter(members.values()))
    bets = bets_of_tiers(returns_of(days.equity[best]), days.market, tuple(members))
    unit = days.unit(best)
    rows = []
    for n in members:
        pairs = pair_correlation(unit[:n])
        rows.append(TierDiversity(n, window, bets[n], pairs and pairs.mean, pairs and pairs.largest))
    return rows


class Truth(NamedTuple):
    """A label at the N traded bars of past at which later bars before future could no longer change it."""

    label: Label
    rows: NDArray[np.int64]  # (N,) places among the traded bars of past
    values: LabelValues  # (N,)


def truth_on_past(label: Label, values: LabelValues, traded: NDArray[np.int64]) -> Truth:
    """From the values of all bars and the rows of the traded bars of past among them."""
    settled = values.settled[traded]
    known = traded[settled]
    own = LabelValues(values.value[known], values.classes[known], values.last_used[known])
    return Truth(label, np.flatnonzero(settled), own)


def label_diversity(outputs: NDArray[np.float32], truths: Sequence[Truth]) -> tuple[LabelDiversity, ...]:
    """Losses of the networks of each label on past.

    Parameters
    ----------
    outputs : (M, T, K) array of float32
        Of each network at the traded bars of past, the outputs of the labels side by side.
    truths : sequence of Truth
        Of every label, in the order of the outputs.

    Returns
    -------
    tuple of LabelDiversity
        Empty below two networks; a label that is known at no bar is left out.
    """
    if len(outputs) < 2:
        return ()
    found, at = [], 0
    for label, rows, values in truths:
        width = len(HEADS[head_of(label)])
        own, at = outputs[:, rows, at : at + width], at + width
        if not len(rows):
            continue
        if is_magnitude(label):
            # the value of a move y is -y/3, and its output is y/3
            loss, losses = "squared error", move_losses(own[:, :, 0], -values.value)
        else:
            loss, losses = "cross entropy", class_losses(own, values.classes)
        found.append(LabelDiversity(label.name, loss, len(outputs), len(rows), **losses._asdict()))
    return tuple(found)


def across_labels(labels: Sequence[LabelDiversity], seed: int) -> AcrossLabels:
    """Rank correlation over labels of how much networks differ and of what their mean still gets wrong.

    The loss is a share of that without knowledge, since labels of rare classes have low losses whoever guesses them.
    All orders of the labels are tried up to seven, 9,999 drawn ones above.
    """
    from scipy.stats import rankdata

    pairs = [(1.0 - its.correlation, its.relative_loss) for its in labels if its.correlation is not None]
    known = np.array([pair for pair in pairs if pair[1] is not None], dtype=np.float64).reshape(-1, 2)
    n = len(known)
    if n < 3 or (np.ptp(known, axis=0) == 0).any():
        return AcrossLabels(n, None, None)
    x, y = (rankdata(column) for column in known.T)
    x, y = x - x.mean(), y - y.mean()
    scale = float(((x**2).sum() * (y**2).sum()) ** 0.5)
    rho = float((x * y).sum()) / scale
    if n <= MOST_EXACT:
        orders, own = np.array(list(permutations(range(n)))), 0
    else:
        rng = np.random.default_rng(seed)
        orders, own = rng.permuted(np.tile(np.arange(n), (N_PERMUTATIONS, 1)), axis=1), 1
    others = (x[orders] * y).sum(axis=1) / scale
    as_far = int((np.abs(others) >= abs(rho) - 1e-12).sum())
    return AcrossLabels(n, rho, (as_far + own) / (len(orders) + own))
