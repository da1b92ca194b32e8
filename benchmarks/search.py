"""The search of 20,000 strategies against Optuna and vectorbt as a skilled user joins them, and against the plain loop.

The skilled user asks Optuna's CmaEsSampler for a generation at a time, takes the signals of all its strategies from
one product of matrices, decides their orders in Numba, and simulates them as columns of one portfolio on vectorbt's
Rust engine. As that sampler slows with every trial of a study, the skilled user begins a new study after 500, and
shares them out over as many processes as ours has, here without any loss. The plain loop asks one study with TPE for
one strategy after the other, and simulates each by an order function, on one core. Both run as many trials as fit
their seconds; their time for all is extrapolated. What grows is the sampler, so that is timed by itself in studies
that hold more and more trials, and summed between these sizes by straight lines; what vectorbt costs does not grow.
Pruned trials count as trials.

How good the strategies are is compared too, by full score: the best and the hundredth best of ours, of as many random
ones, and of one TPE study of 1,000 trials with the same budgets, and the best that the skilled user came to. Faster
must not mean worse.
"""

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import optuna
import vectorbt as vbt
from numba import njit
from vectorbt.portfolio import nb
from vectorbt.portfolio.enums import SizeType

from strategies.search.islands import Population, SearchSettings, islands, merge, run_island
from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import PaperScore, Record
from strategies.trade.backtest import portfolio, starting_cash
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow

RULES = TradingRules(fee_share=0.0005)


def on_window(window: TradingWindow) -> SearchProblem:
    """The default space and score on a window."""
    return SearchProblem(window, StrategySpace(window.outputs.shape[1]), RULES, PaperScore())


def made_problem(n_bars: int, n_outputs: int = 16, seed: int = 0) -> SearchProblem:
    """Random-walk prices with two regimes of drift, and outputs that know them a little."""
    rng = np.random.default_rng(seed)
    drift = 2e-5 * np.sign(np.sin(np.arange(n_bars) / 700.0))
    close = 9000.0 * np.exp(np.cumsum(drift + rng.normal(0, 8e-4, n_bars)))
    walk = np.cumsum(rng.normal(0, 0.05, (n_bars, n_outputs)), axis=0)
    knows = np.where(np.arange(n_outputs) % 2, -1.0, 1.0) * np.r_[drift[1:], 0.0][:, None] / 2e-5
    outputs = 1 / (1 + np.exp(2 - 1.5 * np.sin(walk) - 0.3 * knows))
    time = 60_000 * np.arange(n_bars)
    return on_window(TradingWindow.of(outputs, np.r_[9000.0, close[:-1]], close, time, n_bars / 43_830))


def saved_problem(path: Path) -> SearchProblem:
    """Outputs and prices that a run wrote, ``outputs/past.npz``."""
    with np.load(path) as file:
        outputs, open_, close, time_ms = (file[n] for n in ("outputs", "open", "close", "open_time"))
    months = (time_ms[-1] - time_ms[0]) / 86_400_000 / (365.25 / 12)
    return on_window(TradingWindow.of(outputs, open_, close, time_ms, months))


@njit
def order_nb(c, open_, signal, theta_buy, theta_sell, delta, fee):
    """vectorbt order function: what was decided at the close before, filled at this open."""
    if c.i == 0:
        return nb.order_nothing_nb()
    close = c.close[c.i - 1, c.col]
    equity = c.last_cash[c.col] + c.last_position[c.col] * close
    position = c.last_position[c.col] * close / equity
    s = signal[c.i - 1]
    if (s > theta_buy and s - position > delta) or (s < theta_sell and position - s > delta):
        return nb.order_nb(size=s, price=open_[c.i], size_type=SizeType.TargetPercent, fees=fee, min_size=0.0)
    return nb.order_nothing_nb()


def plain_loop(problem: SearchProblem, seconds: float) -> np.ndarray:
    """Seconds of each trial of the loop a quant would write, (n, 2): sampler, and simulation with its score."""
    space, window = problem.space, problem.window
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    took: list[tuple[float, float]] = []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or len(took) < 3:
        start = time.perf_counter()
        trial = study.ask(space.distributions())
        asked = time.perf_counter()
        row = space.from_optuna(trial.params)
        signal = np.clip(0.5 + window.outputs @ row[:-3], 0.0, 1.0)
        folio = vbt.Portfolio.from_order_func(
            window.close,
            order_nb,
            window.open,
            signal,
            *row[-3:],
            RULES.fee_share,
            init_cash=1.0,
            use_numba=True,
            freq="1min",
        )
        position = folio.asset_value() / folio.value()
        figures = (np.array([x]) for x in (folio.final_value(), folio.orders.count(), position.mean()))
        study.tell(trial, float(problem.score.pieces(Record(*figures, window.months))["score"][0]))
        took.append((asked - start, time.perf_counter() - asked))
    return np.array(took[1:])  # the first one compiles


@njit(cache=True)
def orders_nb(signal, theta_buy, theta_sell, delta):
    """Target of each order, filled at the next open, NaN for none; as if a position stayed what was last ordered."""
    out = np.full(signal.shape, np.nan)
    for s in range(signal.shape[1]):
        held = 0.0
        for t in range(signal.shape[0] - 1):
            x = signal[t, s]
            if (x > theta_buy[s] and x - held > delta[s]) or (x < theta_sell[s] and held - x > delta[s]):
                out[t + 1, s] = held = x
    return out


def skilled_loop(problem: SearchProblem, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of each trial, (n, 2) as for the plain loop, and their scores, (n,)."""
    space, window = problem.space, problem.window
    population = SearchSettings().population
    sampler = optuna.samplers.CmaEsSampler(seed=0, popsize=population)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    took, scores = [], []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or len(took) < 3:
        start = time.perf_counter()
        trials = [study.ask(space.distributions()) for _ in range(population)]
        rows = np.array([space.from_optuna(trial.params) for trial in trials])
        asked = time.perf_counter()
        signal = np.clip(0.5 + window.outputs @ rows[:, :-3].T, 0.0, 1.0)
        folio = portfolio(orders_nb(signal, *rows[:, -3:].T), window, RULES)
        position = np.asarray(folio.asset_value()) / np.asarray(folio.value())
        figures = (np.asarray(x) for x in (folio.final_value() / starting_cash(window), folio.orders.count()))
        found = problem.score.pieces(Record(*figures, position.mean(axis=0), window.months))["score"]
        simulated = time.perf_counter()
        for trial, score in zip(trials, found, strict=True):
            study.tell(trial, float(score))
        told = time.perf_counter()
        took.append(((asked - start + told - simulated) / population, (simulated - asked) / population))
        scores.append(found)
    return np.array(took[1:]), np.concatenate(scores)


def cma_seconds(space: StrategySpace, sizes: list[int], population: int) -> list[float]:
    """Seconds of a trial of CmaEsSampler, asked for and told, in studies that hold so many trials."""
    study = optuna.create_study(sampler=optuna.samplers.CmaEsSampler(seed=0, popsize=population))
    rng = np.random.default_rng(0)
    found = []
    for size in sizes:
        start, before = time.perf_counter(), len(study.trials)
        while len(study.trials) < size:
            trials = [study.ask(space.distributions()) for _ in range(population)]
            took = (time.perf_counter() - start) / (len(study.trials) - before)
            for trial in trials:
                study.tell(trial, float(rng.normal()))
            start, before = time.perf_counter(), len(study.trials)
        found.append(took)
    return found


def sampler_seconds(space: StrategySpace, sizes: list[int], repeats: int = 5) -> list[float]:
    """Median seconds of one more trial's proposal in studies that hold so many trials already."""
    rng = np.random.default_rng(0)
    distributions = space.distributions()
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    medians = []
    for size in sizes:
        more = space.sample(rng, size - len(study.trials))
        study.add_trials(
            [
                optuna.create_trial(params=space.to_optuna(row), distributions=distributions, value=float(rng.normal()))
                for row in more
            ]
        )
        took = []
        for _ in range(repeats):
            start = time.perf_counter()
            trial = study.ask(distributions)
            took.append(time.perf_counter() - start)
            study.tell(trial, 0.0)
        medians.append(float(np.median(took)))
    return medians


def search(problem: SearchProblem, settings: SearchSettings, workers: int) -> Population:
    """All islands, in processes."""
    tasks = islands(settings)
    with ProcessPoolExecutor(min(workers, len(tasks)), get_context("spawn")) as pool:
        return merge(list(pool.map(run_island, tasks, [problem] * len(tasks))))


def reached(problem: SearchProblem, population: Population) -> dict[str, float]:
    """Best and hundredth best score over the whole window."""
    best = np.sort(evaluate_population(problem, population.params)["score"])[::-1]
    return {"best": round(float(best[0]), 2), "hundredth": round(float(best[min(99, len(best) - 1)]), 2)}


def main() -> None:
    """Run all and print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=176_428)
    parser.add_argument("--strategies", type=int, default=20_000)
    parser.add_argument("--peer-seconds", type=float, default=60.0, help="of each of the two")
    parser.add_argument("--cma-study", type=int, default=500, help="trials after which it begins a new study")
    parser.add_argument("--cma-trials", type=int, default=2000, help="up to which its sampler is timed")
    parser.add_argument("--tpe-trials", type=int, default=1000, help="of the TPE study whose scores are compared")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--outputs", type=Path, help="past.npz of a run; without it bars and outputs are made up")
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    problem = saved_problem(args.outputs) if args.outputs else made_problem(args.bars)
    settings = SearchSettings(n_strategies=args.strategies, seed=1)
    start = time.perf_counter()
    found = search(problem, settings, args.workers)
    searched = time.perf_counter() - start
    evaluate_population(problem, found.params)  # every strategy in full, as a run does
    ours = time.perf_counter() - start

    took = plain_loop(problem, args.peer_seconds)
    n = args.strategies
    sizes = [size for size in (100, 1000, 5000, 10_000, 20_000) if size < n] + [n]
    sampling = sampler_seconds(problem.space, sizes)
    simulation = float(np.median(took[:, 1]))
    loop = n * simulation + float(np.trapezoid(np.interp(np.arange(n), sizes, sampling)))
    skilled, scores = skilled_loop(problem, args.peer_seconds)
    generation = settings.population
    cma_sizes = [max(args.cma_trials // 4, generation), args.cma_trials]
    proposing = cma_seconds(problem.space, cma_sizes, generation)
    slope = max(proposing[1] - proposing[0], 0.0) / (cma_sizes[1] - cma_sizes[0])
    batched = float(np.median(skilled[:, 1]))
    in_study = max(proposing[0] + slope * (args.cma_study / 2 - cma_sizes[0]), 0.0)  # mean of a study's trials
    peer = n * (batched + in_study) / args.workers
    random = search(problem, replace(settings, sampler="random"), args.workers)
    n_tpe = args.tpe_trials
    small = replace(settings, n_strategies=n_tpe, island_size=n_tpe, sampler="tpe", batch=16, random_share=0.0)
    quality = {
        "ours": reached(problem, found),
        "random": reached(problem, random),
        f"cmaes_batched_{len(scores)}": {"best": round(float(scores.max()), 2), "hundredth": None},
        f"tpe_{n_tpe}": reached(problem, search(problem, small, 1)),
    }
    print(f"{len(problem.window.close):,} bars, {n:,} strategies, {found.n_pruned:,} pruned")
    print(f"labelsearch {ours:8.1f} s on {args.workers} cores, {searched:.1f} s of it the search; all run in full")
    grows = ", ".join(f"{1e3 * s:.0f} ms at {size:,}" for size, s in zip(sizes, sampling, strict=True))
    print(
        f"skilled     {peer:8.0f} s on {args.workers} cores: {1e3 * batched:.1f} ms a simulation in columns, and a "
        f"proposal takes {1e3 * proposing[0]:.1f} ms at {cma_sizes[0]:,} and {1e3 * proposing[1]:.1f} ms at "
        f"{cma_sizes[1]:,}"
    )
    print(f"plain loop  {loop:8.0f} s: {1e3 * simulation:.0f} ms a simulation, and a proposal takes {grows}")
    for name, its in quality.items():
        print(f"{name:20} best {its['best']:7.2f}  hundredth {its['hundredth']}")
    result = {
        "benchmark": "search", "ours": round(ours, 1), "peer": round(peer), "ratio": round(peer / ours, 1),
        "unit": "seconds for all strategies, the peers' extrapolated",
        "peer_name": "Optuna CmaEsSampler, vectorbt's Rust engine in columns",
        "plain_loop": round(loop), "ratio_plain_loop": round(loop / ours, 1),
        "strategies": n, "bars": len(problem.window.close), "workers": args.workers, "cpu_count": os.cpu_count(),
        "peer_trials": len(scores), "peer_simulation_s": round(batched, 4),
        "peer_proposal_s": dict(zip(map(str, cma_sizes), (round(s, 4) for s in proposing), strict=True)),
        "plain_loop_trials": len(took), "plain_loop_simulation_s": round(simulation, 4),
        "plain_loop_proposal_s": dict(zip(map(str, sizes), (round(s, 4) for s in sampling), strict=True)),
        "scores": quality, "source": "a run" if args.outputs else "made up",
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
