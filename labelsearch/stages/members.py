"""What single networks of an ensemble do on past in place of their mean: a spread over classifier seeds for little.

Tiers stay those that were chosen on the mean of the outputs; nothing is searched again.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.classifiers.early_exit import AT_ONCE, ExitRule, Thresholds, ask_members, mean_of
from labelsearch.results.belief import MembersBelief, MembersSpread, MembersTier, TierExit
from strategies.luck.attribution import mean_correlation
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.trade.simulate import simulate_paths


class MemberOutputs(NamedTuple):
    """Outputs (M, T, K) of M networks on past, their K names, and the number of outputs of each label."""

    outputs: NDArray[np.float32]
    names: tuple[str, ...]
    kinds: tuple[int, ...]


def judge_members(
    ensemble: MemberOutputs,
    past: SearchProblem,
    params: NDArray[np.float64],
    members: Mapping[int, NDArray[np.int64]],
    sureness: float = 0.0,
) -> MembersBelief | None:
    """Trade the tiers on past with the outputs of each network; None without several.

    Parameters
    ----------
    ensemble : MemberOutputs
        Of the bars of ``past``.
    past : SearchProblem
        With the outputs of all networks together.
    params : (S, K + 3) array
        All strategies.
    members : mapping of int to array
        Rows of each tier, best first, the largest tier first.
    sureness : float
        Of early exit, in [0, 1]; 0 for none.
    """
    outputs = ensemble.outputs
    if len(outputs) < 2:
        return None
    best = params[members[max(members)]]
    whole, *single = [_figures(past, best)] + [_figures(_at(past, member), best) for member in outputs]
    agreement = _agreement(outputs, Thresholds.of(best, past.rules.signal_map_name))
    correlation = {name: mean_correlation(outputs[:, :, k].astype(np.float64)) for k, name in enumerate(ensemble.names)}

    def spread(figure: int, n: int) -> MembersSpread:
        return MembersSpread(float(whole[figure, :n].mean()), tuple(float(of[figure, :n].mean()) for of in single))

    tiers = tuple(MembersTier(n, spread(0, n), spread(1, n), float(agreement[:n].mean())) for n in members)
    exits = _exits(ensemble, past, best, tuple(members), sureness) if sureness else ()
    return MembersBelief(len(outputs), correlation, tiers, sureness, exits)


def _at(problem: SearchProblem, outputs: NDArray[np.float32]) -> SearchProblem:
    """The same problem with other outputs."""
    return replace(problem, window=problem.window._replace(outputs=np.ascontiguousarray(outputs, dtype=np.float64)))


def _figures(problem: SearchProblem, params: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return in percent and score of strategies, (2, S)."""
    found = evaluate_population(problem, params)
    return np.array([100.0 * (found["value"] - 1.0), found["score"]])


def _agreement(outputs: NDArray[np.float32], thresholds: Thresholds) -> NDArray[np.float64]:
    """Share of bars at which pairs of networks want the same, by strategy (S,)."""
    pairs, n_bars = list(combinations(range(len(outputs)), 2)), outputs.shape[1]
    same = np.zeros(len(thresholds.weights))
    for first in range(0, n_bars, AT_ONCE):
        zones = [thresholds.zones(member[first : first + AT_ONCE]) for member in outputs]
        for a, b in pairs:
            same += (zones[a] == zones[b]).sum(axis=0)
    return same / (len(pairs) * n_bars)


def _exits(
    ensemble: MemberOutputs, past: SearchProblem, best: NDArray[np.float64], sizes: tuple[int, ...], sureness: float
) -> tuple[TierExit, ...]:
    """Early exit on the later half of past by both rules; nothing where past has fewer than two bars.

    At a temperature the mean of probabilities is not that of the networks' own, and so no bound holds: what is left
    out then shows as unequal decisions.
    """
    outputs, half = ensemble.outputs, ensemble.outputs.shape[1] // 2
    if not half:
        return ()
    early, late = outputs[:, :half], outputs[:, half:]
    later = replace(past, window=past.window.rows(slice(half, None)))
    whole, found = mean_of(late), []
    for n in sizes:
        thresholds = Thresholds.of(best[:n], past.rules.signal_map_name)
        rules = {
            "bounded": ExitRule.bounded(thresholds, ensemble.kinds, len(outputs)),
            "measured": ExitRule.measured(thresholds, early, sureness),
            "either side": ExitRule.measured(thresholds, early, sureness, sides=True),
        }
        for name, rule in rules.items():
            asked = ask_members(late, rule)
            equal = float((thresholds.zones(asked.outputs) == thresholds.zones(whole)).mean())
            both = _at(later, asked.outputs), _at(later, whole)
            gap = float(np.subtract(*(_figures(its, best[:n])[0].mean() for its in both)))
            orders = _equal_orders(*both, best[:n])
            found.append(TierExit(n, name, asked.exit_share, float(asked.n_asked.mean()), equal, orders, gap))
    return tuple(found)


def _equal_orders(first: SearchProblem, second: SearchProblem, params: NDArray[np.float64]) -> float:
    """Share of bars and strategies at which both order the same, or neither does."""
    shares = []
    for strategy in range(len(params)):  # paths of all at once would take hundreds of megabytes
        orders = [
            simulate_paths(params[strategy : strategy + 1], its.window, its.rules).orders for its in (first, second)
        ]
        shares.append(float(((orders[0] == orders[1]) | np.isnan(orders).all(axis=0)).mean()))
    return float(np.mean(shares))
