"""What says how far a ranking can be believed: computed with every ensemble, stored as ``belief.json``.

Everything here is deterministic for a run. Tries that other runs made on the same past window are counted when the
figures are shown, by `counted_trials`, since they may come later.
"""

import json
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.pipeline.context import Context
from labelsearch.pipeline.ledger import Ledger
from strategies.luck.attribution import market_fit, mean_correlation, partial_rank_correlation, without_best_days
from strategies.luck.deflated_sharpe import (
    SharpeMoments,
    deflated_sharpe,
    effective_trials,
    probabilistic_sharpe,
    sharpe_moments,
    sharpe_ratios,
)
from strategies.luck.overfitting import (
    BlockSums,
    ScoreRule,
    cross_validate,
    n_blocks_for,
    return_sums,
    score_sums,
)
from strategies.luck.selection_bias import rank_correlation, rank_interval
from strategies.luck.superior_ability import superior_ability
from strategies.search.budget import Problem
from strategies.search.linear import N_THRESHOLDS
from strategies.tiers.ensemble import buy_and_hold
from strategies.tiers.metrics import DAY_MS, DAYS_A_YEAR
from strategies.trade.equity_grid import EquityGrid, day_edges, equity_grid, log_returns_of, returns_of
from strategies.trade.simulate import final_value, simulate

RANK_BLOCK = 7  # days: returns of a week may hang together
RANK_REPS = 500
SUPERIOR_REPS = 1000
SUPERIOR_SAMPLE = 2000  # strategies of the past test beside the tiers: memory goes with strategies x samples
FORTNIGHT = 14
LOGIT_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


class Days(NamedTuple):
    """A window by days: strategies as `EquityGrid`, the market's returns, and the bars so far at each edge."""

    grid: EquityGrid
    market: NDArray[np.float64]  # (D,) simple returns of buy and hold
    edges: NDArray[np.int64]  # (D + 1,)
    first: NDArray[np.datetime64]  # (D,) the days


def market_fee(problem: Problem) -> float:
    """What buy and hold pays at its only fill, as a share of its value: slippage and fee."""
    return (1.0 + problem.slippage) * (1.0 + problem.fee) - 1.0


def by_days(problem: Problem, params: NDArray[np.float64], open_time: NDArray[np.int64]) -> Days:
    """Simulate strategies and the market, and keep the ends of days."""
    edges = day_edges(open_time)
    market = buy_and_hold(problem.open, problem.close, market_fee(problem)).equity
    closes = np.r_[1.0, market[edges[1:] - 1]]
    first = (open_time[edges[:-1]] // DAY_MS).astype("datetime64[D]")
    return Days(equity_grid(params, problem, edges), closes[1:] / closes[:-1] - 1.0, edges, first)


def judge(
    context: Context,
    population: pd.DataFrame,
    members: dict[int, NDArray[np.int64]],
    problems: dict[str, Problem],
    open_times: dict[str, NDArray[np.int64]],
) -> dict[str, Any]:
    """All figures of belief, as plain data.

    Parameters
    ----------
    context : Context
    population : pandas.DataFrame
        Every strategy that was tried, with its past figures.
    members : dict of int to array
        Rows of each tier, best first.
    problems, open_times : dict of str
        Of the windows ``past`` and ``future``.
    """
    params = population[list(problems["past"].space.names)].to_numpy()
    days = {window: by_days(problem, params, open_times[window]) for window, problem in problems.items()}
    past, future = days["past"], days["future"]
    best = members[max(members)]
    rng = np.random.default_rng(context.seed("belief", "sample"))
    sample = rng.choice(len(params), size=min(SUPERIOR_SAMPLE, len(params)), replace=False)
    return {
        "days": {window: len(found.first) for window, found in days.items()},
        "rank": _rank(context, population, log_returns_of(future.grid.equity)),
        "sharpe": _sharpe(context, past, members),
        "overfitting": _overfitting(past, problems["past"]),
        "superior": {
            "past": _superior(context, past, np.union1d(sample, best)),
            "future": _superior(context, future, best),
        },
        "tiers": [
            row
            for window, found in days.items()
            for row in _attribution(window, found, problems[window], params, members)
        ],
    }


def _rank(context: Context, population: pd.DataFrame, future: NDArray[np.float64]) -> dict[str, Any]:
    """Rank correlation of past score with future return, with intervals over blocks of future days."""
    score = population["score"].to_numpy()
    earned = future.sum(axis=1)
    result: dict[str, Any] = {"block_days": RANK_BLOCK, "n_reps": RANK_REPS}
    for name, chosen in (("all", np.ones(len(score), dtype=np.bool_)), ("positive", score > 0)):
        if chosen.sum() < 3:
            result[name] = None
            continue
        seed = context.seed("belief", "rank")
        low, high = rank_interval(score[chosen], future[chosen], block=RANK_BLOCK, n_reps=RANK_REPS, seed=seed)
        rho = rank_correlation(score[chosen], earned[chosen]).rho
        result[name] = {"rho": rho, "low": low, "high": high, "n": int(chosen.sum())}
    controls = population[["mean_position", "trades_per_month"]].to_numpy()
    result["partial"] = partial_rank_correlation(score, earned, controls)
    return result


def _tier_returns(found: Days, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Daily returns of strategies held together, equal capital at the start."""
    return returns_of(found.grid.equity[index].mean(axis=0, keepdims=True))[0]


def _sharpe(context: Context, past: Days, members: dict[int, NDArray[np.int64]]) -> dict[str, Any]:
    """Sharpe ratio of each tier on past, with what is needed to deflate it."""
    returns = returns_of(past.grid.equity)
    tiers = {}
    for n, index in members.items():
        moments = sharpe_moments(_tier_returns(past, index))
        psr = probabilistic_sharpe(moments) if moments.n > 1 else None
        tiers[str(n)] = {**moments._asdict(), "annual": moments.sharpe * DAYS_A_YEAR**0.5, "probabilistic": psr}
    return {
        "n_trials": len(returns),
        "n_effective": effective_trials(returns, seed=context.seed("belief", "tries")),
        "variance": float(sharpe_ratios(returns).var()),
        "tiers": tiers,
    }


def _overfitting(past: Days, problem: Problem) -> dict[str, Any] | None:
    """Probability of backtest overfitting by Sharpe ratio, mean return and the score; None if too few days."""
    if n_blocks_for(len(past.first)) < 2:
        return None
    returns = returns_of(past.grid.equity)
    settings = problem.score
    rule = ScoreRule(
        problem.months / len(problem.close),
        settings.target_trades,
        settings.target_position,
        settings.position_weight,
    )
    found: dict[str, BlockSums] = {
        "sharpe": return_sums(returns, "sharpe"),
        "mean": return_sums(returns, "mean"),
        "score": score_sums(past.grid.equity, past.grid.fills, past.grid.position_sum, past.edges, rule),
    }
    result = {}
    for name, blocks in found.items():
        o = cross_validate(blocks)
        result[name] = {
            "pbo": o.pbo,
            "slope": o.slope,
            "loss": o.loss,
            "n_blocks": o.n_blocks,
            "n_splits": len(o.logit),
            "logit": dict(zip(map(str, LOGIT_QUANTILES), np.quantile(o.logit, LOGIT_QUANTILES).tolist(), strict=True)),
        }
    return result


def _superior(context: Context, found: Days, index: NDArray[np.int64]) -> dict[str, Any] | None:
    """Is any of these strategies better than buy and hold?"""
    test = superior_ability(
        log_returns_of(found.grid.equity[index]),
        np.log1p(found.market),
        n_reps=SUPERIOR_REPS,
        seed=context.seed("belief", "superior"),
    )
    return test._asdict() if test else None


def _attribution(
    window: str,
    found: Days,
    problem: Problem,
    params: NDArray[np.float64],
    members: dict[int, NDArray[np.int64]],
) -> list[dict[str, Any]]:
    """Where each tier's result comes from."""
    best = members[max(members)]
    free = simulate(
        params[best],
        problem.outputs,
        problem.open,
        problem.close,
        **{**problem.rules, "fee": 0.0},
    )
    rows = []
    for n, index in members.items():
        returns = _tier_returns(found, index)
        fit = market_fit(returns, found.market)
        growth = float(found.grid.equity[index, -1].mean())
        # equity of a tier that is gone stays gone
        rest = without_best_days(np.log(np.maximum(1.0 + returns, 1e-300)), FORTNIGHT)
        rows.append(
            {
                "tier": n,
                "window": window,
                "alpha_a_year": None if fit is None else 100.0 * DAYS_A_YEAR * fit.alpha,
                "alpha_t": None if fit is None else fit.alpha_t,
                "beta": None if fit is None else fit.beta,
                "beta_t": None if fit is None else fit.beta_t,
                "total_return": 100.0 * (growth - 1.0),
                "without_fee": 100.0 * (float(final_value(free)[:n].mean()) - 1.0),
                "without_best_fortnight": None if rest is None else 100.0 * (rest.growth - 1.0),
                "best_fortnight": None if rest is None else str(found.first[rest.start]),
                "alike_weights": mean_correlation(params[index, :-N_THRESHOLDS]),
                "alike_returns": mean_correlation(returns_of(found.grid.equity[index])),
            }
        )
    return rows


def load(context: Context) -> dict[str, Any] | None:
    """What `judge` found; None for a run that was finished before it was computed."""
    path = context.stage("ensembles") / "belief.json"
    return json.loads(path.read_text()) if path.is_file() else None


def counted_trials(context: Context) -> int:
    """Strategies tried so far on this past window of these bars, by every run of the folder and their other seeds.

    Each search counts once.
    """
    own = _past_of(context.folder)
    counts = {}
    root = context.folder.parent
    for path in (*root.glob("*/ledger.jsonl"), *root.glob("*/seeds/*/ledger.jsonl")):
        if _past_of(path.parent) == own:
            for event in Ledger(path).events("stage"):
                if event["stage"] == "search":
                    counts[event["key"]] = event["counts"]["strategy_trials"]
    return sum(counts.values())


def _past_of(folder: Path) -> tuple[Any, ...] | None:
    """What the past window of a run shows: its bars and its days."""
    path = folder / "experiment.toml"
    if not path.is_file():
        return None
    settings = tomllib.loads(path.read_text())
    data = settings.get("data", {})
    bars = tuple(data.get(name) for name in ("source", "symbol", "interval", "edge", "market_seed"))
    return (*bars, *settings.get("windows", {}).get("past", ()))


def deflated(found: dict[str, Any], n_trials: int) -> dict[str, dict[str, float]]:
    """Deflated Sharpe ratio of each tier on past, three ways from the strictest to the mildest.

    ``all``: the published formula with every try counted. ``different``: as many tries as there are different
    strategies, see `effective_trials`. ``luck``: these, and the tries' ratios as far apart as chance alone puts them,
    1 / (days - 1): losses to fees, which spread them further, do not count as luck.
    """
    sharpe = found["sharpe"]
    rows = {}
    for name, tier in sharpe["tiers"].items():
        moments = SharpeMoments(*(tier[field] for field in SharpeMoments._fields))
        if moments.n < 2:
            continue
        rows[name] = {
            "all": deflated_sharpe(moments, n_trials, sharpe["variance"]),
            "different": deflated_sharpe(moments, sharpe["n_effective"], sharpe["variance"]),
            "luck": deflated_sharpe(moments, sharpe["n_effective"], 1.0 / (moments.n - 1)),
        }
    return rows
