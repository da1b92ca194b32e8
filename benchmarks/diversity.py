"""Unlike strategies at equal evaluations: the search for them against other samplers, and against pyribs by hand.

Every sampler gets as many evaluations on half A of the window, a fifth of them at random. Strategies are then scored
on half B, and the best of which no two are alike form a tier, as in a run. The skilled user of pyribs writes the loop
of its tutorials: CMA-MAE, emitters on an archive of 128 cells of behaviour, whose centroids are behaviours of
strategies at random; each batch is simulated in full by our simulator, as vectorbt would take hours.

Compared are the effective bets of the tier, its best and its mean shrunken score, and the last score, beside seconds.
The ratio is that of mean shrunken scores, ours over that of pyribs by hand; above 1 the tier of ours is expected to do
better.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from ribs.archives import CVTArchive
from ribs.emitters import EvolutionStrategyEmitter
from ribs.schedulers import Scheduler
from search import made_problem, saved_problem

from strategies.search.budget import Behaviour, spending
from strategies.search.diverse import measures_of
from strategies.search.islands import SearchSettings, islands, merge, run_island
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.tiers.selection import TierRule, bets_of_tiers, market_returns, select, shrinkage
from strategies.trade.correlation import unit_rows

ISLANDS = {"diverse": 4000, "cmaes": 2000, "tpe": 500, "random": 2000}


def ours(problem: SearchProblem, settings: SearchSettings, workers: int) -> np.ndarray:
    """Parameters of all trials on all islands, in processes."""
    tasks = islands(settings)
    with ProcessPoolExecutor(min(workers, len(tasks)), get_context("spawn")) as pool:
        return merge(list(pool.map(run_island, tasks, [problem] * len(tasks)))).params


def _in_full(problem: SearchProblem, params: np.ndarray) -> tuple[np.ndarray, Behaviour]:
    settings = SearchSettings()
    spent = spending(problem, params, settings.n_blocks, settings.eta, settings.budget)
    return spent.up_to(settings.n_blocks), spent.behaviour()


def pyribs_by_hand(problem: SearchProblem, n: int, seed: int) -> np.ndarray:
    """Parameters of all trials of CMA-MAE, a fifth of all at random."""
    rng = np.random.default_rng(seed)
    low, high = problem.space.bounds.T
    pilot = problem.space.sample(rng, n // 5)
    score, behaviour = _in_full(problem, pilot)
    components = np.linalg.svd(unit_rows(behaviour.residual), full_matrices=False)[2][:6]
    known = measures_of(behaviour, components)
    n_cells = min(128, len(known))
    archive = CVTArchive(
        solution_dim=len(low),
        centroids=known[rng.choice(len(known), n_cells, replace=False)],
        ranges=list(zip(known.min(axis=0) - 1e-6, known.max(axis=0) + 1e-6, strict=True)),
        learning_rate=0.1,
        threshold_min=float(np.median(score)),
        seed=seed,
    )
    archive.add((pilot - low) / (high - low), score, known)
    emitters = [
        EvolutionStrategyEmitter(
            archive,
            x0=rng.uniform(0.25, 0.75, len(low)),
            sigma0=0.25,
            ranker="imp",
            selection_rule="mu",
            restart_rule="basic",
            lower_bounds=np.zeros(len(low)),
            upper_bounds=np.ones(len(low)),
            batch_size=16,
            seed=seed + k,
        )
        for k in range(4)
    ]
    scheduler = Scheduler(archive, emitters)
    tried = [pilot]
    while sum(map(len, tried)) < n:
        params = low + (high - low) * scheduler.ask()
        score, behaviour = _in_full(problem, params)
        scheduler.tell(score, measures_of(behaviour, components))
        tried.append(params)
    return np.concatenate(tried)[:n]


def judged(problem: SearchProblem, params: np.ndarray, rule: TierRule) -> dict[str, float]:
    """The tier of unlike strategies of a population."""
    figures = evaluate_population(problem, params)
    found = select(problem, params, figures, rule)
    best = found.largest
    worth = shrinkage(figures["score_a"], figures["score_b"])
    shrunken = worth.of(figures["score_b"][best])
    bets = bets_of_tiers(found.returns, market_returns(problem.window), [len(best)])
    return {
        "unlike": len(best),
        "bets": round(bets[len(best)], 2),
        "best_shrunken": round(float(shrunken[0]), 2),
        "mean_shrunken": round(float(shrunken.mean()), 2),
        "last_score": round(float(figures["score_b"][best[-1]]), 2),
        "best_on_a": round(float(figures["score_a"].max()), 2),
        "correlation_of_halves": round(worth.correlation, 3),
    }


def main() -> None:
    """Run all and print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=176_428)
    parser.add_argument("--strategies", type=int, default=20_000)
    parser.add_argument("--most-alike", type=float, default=0.7)
    parser.add_argument("--size", type=int, default=20, help="of the tier")
    parser.add_argument("--seeds", type=int, default=1, help="searches of each sampler, whose figures are averaged")
    parser.add_argument("--samplers", nargs="+", default=list(ISLANDS), choices=list(ISLANDS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--outputs", type=Path, help="past.npz of a run; without it bars and outputs are made up")
    args = parser.parse_args()
    made = saved_problem(args.outputs) if args.outputs else made_problem(args.bars)
    problem = replace(made, halved=True)
    rule = TierRule((args.size,), args.most_alike)

    def with_sampler(sampler: str) -> Callable[[int], np.ndarray]:
        def search(seed: int) -> np.ndarray:
            settings = SearchSettings(
                n_strategies=args.strategies,
                island_size=min(ISLANDS[sampler], args.strategies),
                sampler=sampler,
                batch=16 if sampler == "tpe" else 32,
                halved=True,
                seed=seed,
            )
            return ours(problem, settings, args.workers)

        return search

    searches = {sampler: with_sampler(sampler) for sampler in args.samplers}
    searches["pyribs_by_hand"] = lambda seed: pyribs_by_hand(problem, args.strategies, seed)
    results: dict[str, dict[str, float]] = {}
    for name, search in searches.items():
        found = []
        for seed in range(1, args.seeds + 1):
            start = time.perf_counter()
            params = search(seed)
            found.append({**judged(problem, params, rule), "seconds": round(time.perf_counter() - start, 1)})
        results[name] = {key: round(float(np.mean([one[key] for one in found])), 3) for key in found[0]}
        print(f"{name:15}", "  ".join(f"{key} {value:g}" for key, value in results[name].items()), flush=True)
    mine, peer = (results[name]["mean_shrunken"] for name in (args.samplers[0], "pyribs_by_hand"))
    result = {
        "benchmark": "diversity", "ours": mine, "peer": peer, "ratio": round(mine / peer, 2) if peer > 0 else None,
        "unit": "mean shrunken score of a tier of unlike strategies, at equal evaluations",
        "peer_name": "pyribs, CMA-MAE by hand", "ours_name": args.samplers[0], "all": results, "size": args.size,
        "most_alike": args.most_alike, "strategies": args.strategies, "seeds": args.seeds,
        "bars": len(problem.window.close), "workers": args.workers, "cpu_count": os.cpu_count(),
        "source": "a run" if args.outputs else "made up",
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
