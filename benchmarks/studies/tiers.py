"""Whether a tier of unlike strategies does better later than others that the same outputs give.

FOLDER holds cells, a folder each with ``past.npz`` and ``future.npz`` of the outputs stage of a run. In each cell
strategies are searched on past by every sampler, on the whole of it and on halves, and traded on future with equal
capital: the best one, tiers of 20 that may be alike and of 20 that may not (or of as many as there are), 20 at random
of those with a positive score, and the controls. Choose windows before the last year of the data: what is called
future here then decides nothing but defaults.

A table shows for each what it earned (daily returns, mean over the cells of a day), its Sharpe ratio, that of its
residual returns (less beta times the market's), and effective bets on future. Then differences of daily returns, and of
residual ones, with intervals over blocks of days, the same for both.
"""

import argparse
import json
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from labelsearch.settings.tiers import Tiers
from strategies.luck.paired import paired_difference
from strategies.search.islands import SearchSettings, islands, merge, run_island
from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import PaperScore
from strategies.tiers.controls.control import CONTROLS, Past, control_account, fit_controls, past_score
from strategies.tiers.metrics import daily_returns, sharpe
from strategies.tiers.selection import TierRule, market_returns, select
from strategies.tiers.unlike import effective_bets
from strategies.trade.correlation import residual_returns
from strategies.trade.equity_grid import equity_grid, returns_of
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow

RULES = TradingRules(fee_share=0.0005)
BEST, RANDOM, MARKET, BEST_CONTROL = "best one", "20 at random of positive score", "market", "control best on past"


class Task(NamedTuple):
    """One cell, and what to search it with."""

    folder: Path
    samplers: tuple[str, ...]
    n_strategies: int
    horizon: int
    seed: int


class Traded(NamedTuple):
    """An account on future."""

    returns: np.ndarray  # (D,) daily
    bets: float


def problem_of(path: Path) -> SearchProblem:
    """A window with the default space and score."""
    with np.load(path) as file:
        outputs, open_, close, time_ms = (file[n] for n in ("outputs", "open", "close", "open_time"))
    months = (time_ms[-1] - time_ms[0]) / 86_400_000 / (365.25 / 12)
    window = TradingWindow.of(outputs, open_, close, time_ms, months)
    return SearchProblem(window, StrategySpace(window.outputs.shape[1]), RULES, PaperScore())


def together(params: np.ndarray, future: SearchProblem) -> Traded:
    """Strategies (S, P) with equal capital at the start, left alone."""
    equity = equity_grid(params, future.window, future.rules).equity
    bets = effective_bets(residual_returns(returns_of(equity), market_returns(future.window)))
    return Traded(returns_of(equity.mean(axis=0, keepdims=True))[0], bets)


def searched(task: Task, sampler: str, past: SearchProblem, future: SearchProblem) -> dict[str, Traded]:
    """Tiers of one search."""
    size = 4000 if sampler == "diverse" else 2000
    settings = SearchSettings(
        n_strategies=task.n_strategies,
        island_size=min(size, task.n_strategies),
        sampler=sampler,
        halved=past.halved,
        seed=task.seed,
    )
    params = merge([run_island(island, past) for island in islands(settings)]).params
    figures = evaluate_population(past, params)
    name = f"{sampler}, {'halves' if past.halved else 'whole'}"
    found = {}
    for most_alike in (1.0, 0.9, 0.7, 0.5):
        rows = select(past, params, figures, TierRule((20,), most_alike)).largest
        found[f"{name}: 20 of at most {most_alike:g}"] = together(params[rows], future)
    best = select(past, params, figures, TierRule((1,))).largest
    found[f"{name}: {BEST}"] = together(params[best], future)
    positive = np.flatnonzero(figures["score_b" if past.halved else "score"] > 0)
    if not len(positive):
        positive = best
    drawn = np.random.default_rng(task.seed).choice(positive, min(20, len(positive)), replace=False)
    found[f"{name}: {RANDOM}"] = together(params[drawn], future)
    if sampler == task.samplers[0] and not past.halved:
        found |= controlled(task, past, future, params, figures["score"])
    return found


def controlled(
    task: Task, past: SearchProblem, future: SearchProblem, params: np.ndarray, score: np.ndarray
) -> dict[str, Traded]:
    """Controls, and the one with the best score on past."""
    names = tuple(f"label{k // 2}_{('buy', 'sell')[k % 2]}" for k in range(past.space.n_outputs))
    controls = tuple(CONTROLS[name] for name in Tiers().controls)
    fits = fit_controls(Past(past, names, task.horizon, params, score), controls)
    found, scores = {}, {}
    for control, fit in zip(controls, fits, strict=True):
        if fit.reason:
            continue
        account = control_account(fit, future.window, RULES, names, params)
        found[control.title] = Traded(daily_returns(account.equity, future.window.open_time), 1.0)
        scores[control.title] = past_score(control_account(fit, past.window, RULES, names, params), past)
    if scores:
        found[BEST_CONTROL] = found[max(scores, key=lambda title: scores[title])]
    return found


def run_cell(task: Task) -> tuple[str, np.ndarray, dict[str, Traded]]:
    """Days of the future of one cell, and all accounts on it."""
    past, future = (problem_of(task.folder / f"{window}.npz") for window in ("past", "future"))
    found = {MARKET: Traded(market_returns(future.window), 1.0)}
    for sampler in task.samplers:
        for halved in (False, True):
            found |= searched(task, sampler, replace(past, halved=halved), future)
    return task.folder.name, future.window.days, found


def by_day(cells: Mapping[str, tuple[np.ndarray, dict[str, Traded]]], name: str, *, residual: bool) -> np.ndarray:
    """Mean over the cells of each day of the returns of an account, (D,); a cell without it is in cash."""
    days = np.unique(np.concatenate([found for found, _ in cells.values()]))
    total, count = np.zeros(len(days)), np.zeros(len(days))
    for its, accounts in cells.values():
        at = np.searchsorted(days, its)
        returns = accounts[name].returns if name in accounts else np.zeros(len(its))
        if residual:
            returns = residual_returns(returns[None], accounts[MARKET].returns)[0]
        total[at] += returns
        count[at] += 1
    return total / count


def main() -> None:
    """Run all cells and print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samplers", nargs="+", default=["cmaes", "diverse"])
    parser.add_argument("--strategies", type=int, default=4000)
    parser.add_argument("--horizon", type=int, default=12, help="bars over which controls predict")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    folders = sorted(path.parent for path in args.folder.glob("*/past.npz"))
    tasks = [Task(path, tuple(args.samplers), args.strategies, args.horizon, args.seed) for path in folders]
    with ProcessPoolExecutor(args.workers, get_context("spawn")) as pool:
        cells = {name: (days, found) for name, days, found in pool.map(run_cell, tasks)}
    names = list(dict.fromkeys(name for _, found in cells.values() for name in found))
    rows: dict[str, dict[str, float]] = {}
    print(f"{len(cells)} cells")
    print(f"{'account':52} {'bp a day':>9} {'Sharpe':>7} {'residual':>9} {'bets':>5}")
    for name in names:
        plain, rest = (by_day(cells, name, residual=residual) for residual in (False, True))
        bets = float(np.mean([found[name].bets for _, found in cells.values() if name in found]))
        rows[name] = {
            "bp_a_day": 1e4 * float(plain.mean()),
            "sharpe": sharpe(plain),
            "residual_sharpe": sharpe(rest),
            "bets": bets,
        }
        its = rows[name]
        print(f"{name:52} {its['bp_a_day']:+9.2f} {its['sharpe']:+7.2f} {its['residual_sharpe']:+9.2f} {bets:5.1f}")
    differences = {}
    print(f"{'20 unlike ones, less':62} {'bp a day':>9} {'95%':>17} {'residual':>9} {'95%':>17}")
    for search in dict.fromkeys(name.split(":")[0] for name in names if ": " in name):
        mine = f"{search}: 20 of at most 0.7"
        for other in (f"{search}: {BEST}", f"{search}: {RANDOM}", f"{search}: 20 of at most 1", BEST_CONTROL):
            if other not in rows:
                continue
            parts, cellsdata = [], {}
            for kind, residual in (("plain", False), ("residual", True)):
                its = paired_difference(*(by_day(cells, name, residual=residual) for name in (mine, other)))
                low, high = its.interval or (np.nan, np.nan)
                cellsdata[kind] = [round(1e4 * value, 2) for value in (its.mean, low, high)]
                parts.append(f"{1e4 * its.mean:+9.2f} [{1e4 * low:+7.2f} {1e4 * high:+7.2f}]")
            differences[f"{mine} less {other}"] = cellsdata
            print(f"{mine + ' - ' + other:82} {'  '.join(parts)}")
    print(json.dumps({"study": "tiers", "cells": len(cells), "strategies": args.strategies, "seed": args.seed,
                      "rows": rows, "differences": differences}))  # fmt: skip


if __name__ == "__main__":
    main()
