"""Stage: how far a ranking can be believed. Everything here is deterministic for a run.

Tries that other runs made on the same past window are counted when the figures are shown, since they may come later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.labels.base import HEADS, Label, OfMarket, head_of
from labelsearch.labels.spans import Span
from labelsearch.market.bars import Bars
from labelsearch.results.belief import (
    Belief,
    MembersBelief,
    RankBelief,
    RankInterval,
    SharpeBelief,
    SplitsBelief,
    TierSharpe,
    TierSources,
)
from labelsearch.results.diversity import LabelDiversity
from labelsearch.results.ensembles import Ensembles
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.search import Strategies
from labelsearch.stages.diversity import Days, judge_diversity, label_diversity, truth_on_past
from labelsearch.stages.labels import label_bars, price_of
from labelsearch.stages.members import MemberOutputs, judge_members
from labelsearch.stages.search import TradingInputs
from labelsearch.stages.seeds import Seeds
from strategies.luck.attribution import mean_correlation, partial_rank_correlation, without_best_days
from strategies.luck.deflated_sharpe import effective_trials, probabilistic_sharpe, sharpe_moments, sharpe_ratios
from strategies.luck.overfitting import BlockSums, cross_validate, joined, n_blocks_for, return_sums, score_sums
from strategies.luck.panel import alpha_of_tiers
from strategies.luck.resample import rank_correlation, rank_interval
from strategies.luck.superior_ability import SuperiorAbility, superior_ability
from strategies.luck.verdict import verdict
from strategies.search.problem import SearchProblem
from strategies.tiers.baselines import market
from strategies.tiers.metrics import year_of
from strategies.tiers.selection import market_returns
from strategies.trade.equity_grid import equity_grid, log_returns_of, returns_of
from strategies.trade.rules import N_THRESHOLDS
from strategies.trade.simulate import final_value, simulate

RANK_BLOCK = 7  # days: returns of a week may hang together
RANK_REPS = 500
SUPERIOR_REPS = 1000
AT_ONCE = 65_536  # strategies that are simulated together
SUPERIOR_SAMPLE = 2000  # strategies of the past test beside the tiers: memory goes with strategies x samples
FORTNIGHT = 14
COST_MULTIPLES = (0.0, 0.5, 1.0, 2.0, 4.0)
LOGIT_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
Members = Mapping[int, NDArray[np.int64]]


@dataclass(frozen=True)
class BeliefInputs(TradingInputs):
    """All that the stage may know. It looks at the same future as the ensembles, whose look is counted."""

    search: Stored[Strategies]
    ensembles: Stored[Ensembles]
    seeds: Seeds
    early_exit: float
    label_kinds: tuple[Label, ...]
    label_price: str
    bars_before_future: Bars
    train: Span
    past: Span
    across: OfMarket  # labels that compare markets, of the same bars


class WindowDays(NamedTuple):
    """S strategies on a window by days, the market's returns, and what overfitting of the score is judged by."""

    equity: NDArray[np.float64]  # (S, D + 1) at the ends of days, the first column before the first bar
    scores: BlockSums | None  # None if they are not asked for, or the days make no blocks
    market: NDArray[np.float64]  # (D,) simple returns of buy and hold
    first: NDArray[np.datetime64]  # (D,) the days
    year: int  # daily returns in a year

    @classmethod
    def of(cls, problem: SearchProblem, params: NDArray[np.float64], *, scored: bool) -> "WindowDays":
        """Simulate strategies and the market."""
        window = problem.window
        edges = window.day_edges
        closes = np.r_[1.0, market(window, problem.rules).equity[edges[1:] - 1]]
        scored = scored and n_blocks_for(len(edges) - 1) >= 2
        equity, parts = np.empty((len(params), len(edges))), []
        # fills and positions of a million strategies at the ends of days take a gigabyte, their sums over blocks do not
        for first in range(0, len(params), AT_ONCE):
            rows = slice(first, first + AT_ONCE)
            grid = equity_grid(params[rows], window, problem.rules)
            equity[rows] = grid.equity
            if scored:
                parts.append(score_sums(grid, edges, window.months, problem.score))
        scores = joined(parts) if scored else None
        return cls(equity, scores, closes[1:] / closes[:-1] - 1.0, window.days, year_of(window))


def judge_belief(
    problems: Mapping[str, SearchProblem],
    days: Mapping[str, WindowDays],
    strategies: Strategies,
    members: Members,
    timing: Mapping[int, float],
    seeds: Seeds,
    of_members: MembersBelief | None = None,
    of_labels: tuple[LabelDiversity, ...] = (),
) -> Belief:
    """All figures of belief.

    Parameters
    ----------
    problems, days : mapping of str
        By window, ``past`` and ``future``.
    strategies : Strategies
        All that were tried.
    members : mapping of int to array
        Rows of each tier, best first.
    timing : mapping of int to float
        Adjusted p-value of each tier's timing on future.
    seeds : Seeds
    of_members : MembersBelief, optional
        What single networks do.
    of_labels : tuple of LabelDiversity
        Losses of single networks and of their mean.
    """
    params = strategies.params
    past, future = days["past"], days["future"]
    best = members[max(members)]
    rng = np.random.default_rng(seeds("belief", "sample"))
    sample = rng.choice(len(params), size=min(SUPERIOR_SAMPLE, len(params)), replace=False)
    rows = tuple(
        row for window, found in days.items() for row in _sources(window, found, problems[window], params, members)
    )
    alpha = {row.tier: row.alpha_p_value for row in rows if row.window == "future" and row.alpha_p_value is not None}
    return Belief(
        verdict=verdict(timing, alpha),
        days={window: len(found.first) for window, found in days.items()},
        rank=_rank(strategies, log_returns_of(future.equity), seeds),
        sharpe=_sharpe(past, members, seeds),
        overfitting=_overfitting(past),
        superior={
            "past": _superior(past, np.union1d(sample, best), seeds),
            "future": _superior(future, best, seeds),
        },
        tiers=rows,
        members=of_members,
        diversity=judge_diversity(
            {name: Days(found.equity, market_returns(problems[name].window)) for name, found in days.items()},
            members,
            of_labels,
            seeds,
        ),
    )


def _rank(strategies: Strategies, future: NDArray[np.float64], seeds: Seeds) -> RankBelief:
    """Rank correlation of past score with future return, with intervals over blocks of future days."""
    score = strategies.score
    earned = future.sum(axis=1)

    def among(chosen: NDArray[np.bool_] | slice) -> RankInterval | None:
        of = score[chosen]
        if len(of) < 3:
            return None
        seed = seeds("belief", "rank")
        low, high = rank_interval(of, future[chosen], block=RANK_BLOCK, n_reps=RANK_REPS, seed=seed)
        return RankInterval(rank_correlation(of, earned[chosen]), low, high, len(of))

    controls = strategies.frame[["mean_position_pct", "trades_per_month"]].to_numpy()
    return RankBelief(
        RANK_BLOCK,
        RANK_REPS,
        among(slice(None)),
        among(score > 0),
        partial_rank_correlation(score, earned, controls),
    )


def _tier_returns(found: WindowDays, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Daily returns of strategies held together, equal capital at the start."""
    return returns_of(found.equity[index].mean(axis=0, keepdims=True))[0]


def _sharpe(past: WindowDays, members: Members, seeds: Seeds) -> SharpeBelief:
    """Sharpe ratio of each tier on past, with what is needed to deflate it."""
    returns = returns_of(past.equity)
    tiers = {}
    for n, index in members.items():
        moments = sharpe_moments(_tier_returns(past, index))
        psr = probabilistic_sharpe(moments) if moments.n > 1 else None
        tiers[n] = TierSharpe(moments, moments.sharpe * past.year**0.5, psr)
    n_effective = effective_trials(returns, seed=seeds("belief", "tries"))
    return SharpeBelief(len(returns), n_effective, float(sharpe_ratios(returns).var()), tiers)


def _overfitting(past: WindowDays) -> dict[str, SplitsBelief] | None:
    """Probability of backtest overfitting by Sharpe ratio, mean return and the score; None if too few days."""
    if past.scores is None:
        return None
    result = {}
    for name in ("sharpe", "mean", "score"):
        o = cross_validate(past.scores if name == "score" else return_sums(returns_of(past.equity), name))
        logit = dict(zip(map(str, LOGIT_QUANTILES), np.quantile(o.logit, LOGIT_QUANTILES).tolist(), strict=True))
        result[name] = SplitsBelief(o.pbo, o.slope, o.loss, o.n_blocks, len(o.logit), logit)
    return result


def _superior(found: WindowDays, index: NDArray[np.int64], seeds: Seeds) -> SuperiorAbility | None:
    """Whether any of these strategies is better than buy and hold."""
    return superior_ability(
        log_returns_of(found.equity[index]),
        np.log1p(found.market),
        n_reps=SUPERIOR_REPS,
        seed=seeds("belief", "superior"),
    )


def _sources(
    window: str, found: WindowDays, problem: SearchProblem, params: NDArray[np.float64], members: Members
) -> list[TierSources]:
    """Where the result of each tier comes from."""
    best = members[max(members)]
    at_costs = {
        multiple: final_value(
            simulate(
                params[best], problem.window.at(problem.window.costs.times(multiple)), problem.rules.times(multiple)
            )
        )
        for multiple in COST_MULTIPLES
    }
    rows = []
    of_tiers = {n: _tier_returns(found, index) for n, index in members.items()}
    fits, adjusted = alpha_of_tiers(np.column_stack(list(of_tiers.values())), found.market)
    for (n, index), fit, p in zip(members.items(), fits, adjusted, strict=True):
        returns = of_tiers[n]
        growth = float(found.equity[index, -1].mean())
        # equity of a tier that is gone stays gone
        rest = without_best_days(np.log(np.maximum(1.0 + returns, 1e-300)), FORTNIGHT)
        rows.append(
            TierSources(
                tier=n,
                window=window,
                alpha_pct_a_year=None if fit is None else 100.0 * found.year * fit.alpha,
                alpha_t=None if fit is None else fit.alpha_t,
                alpha_p_value=p,
                beta=None if fit is None else fit.beta,
                beta_t=None if fit is None else fit.beta_t,
                total_return_pct=100.0 * (growth - 1.0),
                at_costs_pct={f"{k:g}": 100.0 * (float(value[:n].mean()) - 1.0) for k, value in at_costs.items()},
                without_best_fortnight_pct=None if rest is None else 100.0 * (rest.growth - 1.0),
                best_fortnight=None if rest is None else str(found.first[rest.start]),
                weight_correlation=mean_correlation(params[index, :-N_THRESHOLDS]),
                return_correlation=mean_correlation(returns_of(found.equity[index])),
            )
        )
    return rows


def _labels(inputs: BeliefInputs, outputs: NDArray[np.float32]) -> tuple[LabelDiversity, ...]:
    """Losses of single networks (M, T, K) and of their mean; past is labelled again, since no result holds that."""
    if len(outputs) < 2:
        return ()
    bars = inputs.bars_before_future
    price = price_of(bars, inputs.label_price)
    train, past = (span.rows(bars.open_time) for span in (inputs.train, inputs.past))
    traded = past.start + np.flatnonzero(~bars.filled[past])
    truths = [
        truth_on_past(label, label_bars(label, price, train, len(bars), inputs.across), traded)
        for label in inputs.label_kinds
    ]
    return label_diversity(outputs, truths)


def run(inputs: BeliefInputs, work: Work) -> Belief:
    """Judge how far the tiers can be believed."""
    strategies, ensembles = inputs.search.value, inputs.ensembles.value
    problems = {window: inputs.problem(window) for window in WINDOWS}
    work.progress(0, 2)
    days = {
        name: WindowDays.of(problem, strategies.params, scored=name == "past") for name, problem in problems.items()
    }
    work.progress(1, 2)
    members = {size: np.array(rows) for size, rows in ensembles.members.items()}
    outputs = inputs.outputs.value
    kinds = tuple(len(HEADS[head_of(label)]) for label in inputs.label_kinds)
    ensemble = MemberOutputs(outputs.members, outputs.columns, kinds)
    of_members = judge_members(ensemble, problems["past"], strategies.params, members, inputs.early_exit)
    of_labels = _labels(inputs, outputs.members)
    timing = ensembles.timing.adjusted
    belief = judge_belief(problems, days, strategies, members, timing, inputs.seeds, of_members, of_labels)
    work.progress(2, 2)
    return belief


STAGE = Stage("belief", BeliefInputs, Belief, run)
