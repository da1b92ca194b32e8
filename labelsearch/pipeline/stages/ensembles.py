"""Stage: tiers of the best strategies by past score, judged on past and on future."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.pipeline import belief
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.stages import outputs as output_stage
from labelsearch.pipeline.stages import search as search_stage
from strategies.luck.selection_bias import placebo_shift, rank_correlation, verdict
from strategies.search.budget import Problem, evaluate_population
from strategies.tiers import baselines
from strategies.tiers.baselines import market
from strategies.tiers.ensemble import tiers
from strategies.tiers.metrics import measure
from strategies.trade.capital import gradient_rate, invest, shares
from strategies.trade.equity_grid import day_edges, equity_grid, returns_of
from strategies.trade.pool import Account, Pool, from_start
from strategies.trade.simulate import simulate_paths

MARKET = "buy and hold"
BASELINES = (MARKET, *baselines.OUTPUTS)


def judge_window(
    context: Context, window: str, params: NDArray[np.float64], sizes: tuple[int, ...], folder: Path
) -> tuple[list[dict[str, Any]], float]:
    """Table rows of all tiers and baselines in one window; writes their curves. Params are best first."""
    asked = search_stage.problem(context, window)
    open_time = output_stage.load(context, window).open_time
    known = _past_returns(context, params)
    accounts, difference = judge(asked, open_time, params, sizes, context.experiment.tiers.capital, known)
    rows = describe(accounts, asked, open_time)
    to_frame(accounts, open_time).to_parquet(folder / f"curves_{window}.parquet", compression="zstd")
    return [{"tier": name, "window": window, **figures} for name, figures in rows.items()], difference


def judge(
    asked: Problem,
    open_time: NDArray[np.int64],
    params: NDArray[np.float64],
    sizes: tuple[int, ...],
    rule: str,
    known: NDArray[np.float64],
) -> tuple[dict[str, Account], float]:
    """Accounts of all tiers and baselines over a window's bars.

    Parameters
    ----------
    asked : Problem
    open_time : (T,) array
        Milliseconds since the epoch.
    params : (S, P) array
        Members of the largest tier, best first.
    sizes : tuple of int
        Members of each tier.
    rule : str
        One of ``strategies.trade.capital.RULES``.
    known : (D, S) array
        Daily returns before the window, from which capital is shared out.

    Returns
    -------
    dict of str to Account
    float
        Largest difference between vectorbt's equity and our simulator's.
    """
    from strategies.trade.backtest import backtest  # loads vectorbt

    tested = backtest(
        params,
        asked.outputs,
        asked.open,
        asked.close,
        **asked.rules,
    )
    whole = from_start(tested.equity, tested.position, asked.open, asked.close)
    accounts = {}
    for n in sizes:
        pool = Pool(asked.fee, asked.slippage)
        invest(pool, rule, known[:, :n], whole.first(n), day_edges(open_time))
        accounts[f"Top-{n}"] = pool.account()
    accounts.update(baseline_accounts(asked, open_time))
    return accounts, tested.difference


def _past_returns(context: Context, params: NDArray[np.float64]) -> NDArray[np.float64]:
    """Daily returns (D, S) on past, from which capital is shared out."""
    return daily_returns(params, search_stage.problem(context, "past"), output_stage.load(context, "past").open_time)


def daily_returns(params: NDArray[np.float64], asked: Problem, open_time: NDArray[np.int64]) -> NDArray[np.float64]:
    """Daily returns (D, S) of strategies over a window's bars."""
    return returns_of(equity_grid(params, asked, day_edges(open_time)).equity).T


def baseline_accounts(asked: Problem, open_time: NDArray[np.int64]) -> dict[str, Account]:
    """The market, and rules that need no labels, at the same costs."""
    accounts = {MARKET: market(asked.open, asked.close, asked.fee, asked.slippage)}
    for name, outputs_of in baselines.OUTPUTS.items():
        outputs = outputs_of(asked.open, asked.close, open_time)
        paths = simulate_paths(
            baselines.PARAMS,
            outputs,
            asked.open,
            asked.close,
            fee=asked.fee,
            slippage=asked.slippage,
            signal_map=baselines.SIGNAL_MAP,
        )
        pool = Pool(asked.fee, asked.slippage)
        pool.run(np.ones(1), from_start(paths.equity, paths.position, asked.open, asked.close))
        accounts[name] = pool.account()
    return accounts


def describe(
    accounts: dict[str, Account], asked: Problem, open_time: NDArray[np.int64]
) -> dict[str, dict[str, float | None]]:
    """Figures of each account, by name; the market must be among them."""
    return {
        name: measure(
            account.equity,
            account.position,
            open_time,
            months=asked.months,
            fills=account.fills,
            traded=account.traded,
            fee=asked.fee,
            market=accounts[MARKET].equity,
        )._asdict()
        for name, account in accounts.items()
    }


def to_frame(accounts: dict[str, Account], open_time: NDArray[np.int64]) -> pd.DataFrame:
    """Equity and position of each account at each bar."""
    columns = {"open_time": open_time.astype("datetime64[ms]")}
    for name, account in accounts.items():
        columns[f"{name} equity"], columns[f"{name} position"] = account.equity, account.position
    return pd.DataFrame(columns)


def run(context: Context, folder: Path) -> dict[str, Any]:
    """Write the tiers and how far to believe them.

    Files: ``tiers.json``, ``belief.json``, ``future.parquet`` (every strategy's future figures), and the curves of
    both windows.
    """
    settings = context.experiment.tiers
    sizes = tuple(sorted(settings.sizes, reverse=True))
    population = search_stage.load(context)
    past = search_stage.problem(context, "past")
    params = population[list(past.space.names)].to_numpy()
    score = population["score"].to_numpy()
    members = tiers(search_stage.ranking(context, population), sizes)
    best = params[members[sizes[0]]]
    context.progress("ensembles", 0, 5)
    rows, _ = judge_window(context, "past", best, sizes, folder)
    context.progress("ensembles", 1, 5)

    future = search_stage.problem(context, "future")
    later = evaluate_population(future, params)
    pd.DataFrame(later).to_parquet(folder / "future.parquet", compression="zstd")
    context.progress("ensembles", 2, 5)
    more, _ = judge_window(context, "future", best, sizes, folder)
    context.progress("ensembles", 3, 5)
    placebo = placebo_shift(
        best,
        future.outputs,
        future.open,
        future.close,
        **future.rules,
        sizes=sizes,
        n_shifts=settings.n_shifts,
        seed=context.seed("placebo"),
    )
    context.progress("ensembles", 4, 5)
    positive = score > 0
    result = {
        "members": {str(n): index.tolist() for n, index in members.items()},
        "capital": settings.capital,
        "table": rows + more,
        "n_strategies": len(population),
        "rank_correlation": {
            "all": rank_correlation(score, later["monthly_return"])._asdict(),
            "positive": (
                rank_correlation(score[positive], later["monthly_return"][positive])._asdict()
                if positive.sum() > 2
                else None
            ),
            "n_positive": int(positive.sum()),
        },
        "placebo": {"n_shifts": settings.n_shifts, "p_value": {str(n): p for n, p in placebo.p_value.items()}},
        "verdict": verdict(placebo.p_value),
    }
    (folder / "tiers.json").write_text(json.dumps(result, indent=1))
    times = {window: output_stage.load(context, window).open_time for window in ("past", "future")}
    believed = belief.judge(context, population, members, {"past": past, "future": future}, times)
    (folder / "belief.json").write_text(json.dumps(believed, indent=1))
    context.progress("ensembles", 5, 5)
    return {}


def capital_at_start(context: Context, tier: int) -> tuple[NDArray[np.float64], float]:
    """Shares (n,) of a tier's members after past, and the learning rate of the universal rule, 0 for the others.

    The rate is that for a stretch as long as past.
    """
    rule = context.experiment.tiers.capital
    index = load(context)["members"][str(tier)]
    params = search_stage.load(context).loc[index, list(search_stage.strategy_space(context).names)].to_numpy()
    known = _past_returns(context, params)
    return shares(rule, known), gradient_rate(known, len(known)) if rule == "universal" else 0.0


def member_portfolio(context: Context, tier: int, window: str) -> Any:
    """The members of a tier in a window as a vectorbt Portfolio, a column each, by time and row of the population."""
    from strategies.trade.backtest import portfolio  # loads vectorbt

    asked = search_stage.problem(context, window)
    index = load(context)["members"][str(tier)]
    params = search_stage.load(context).loc[index, list(asked.space.names)].to_numpy()
    costs = {name: value for name, value in asked.rules.items() if name != "signal_map"}
    paths = simulate_paths(params, asked.outputs, asked.open, asked.close, **asked.rules)
    times = pd.to_datetime(output_stage.load(context, window).open_time, unit="ms", utc=True)
    return portfolio(
        paths.orders, asked.open, asked.close, **costs, index=times, columns=pd.Index(index, name="strategy")
    )


def load_future(context: Context) -> pd.DataFrame:
    """Future figures of every strategy, in the order of the search."""
    return pd.read_parquet(context.stage("ensembles") / "future.parquet")


def load(context: Context) -> dict[str, Any]:
    """What this stage found."""
    return json.loads((context.stage("ensembles") / "tiers.json").read_text())
