"""Which criterion, on a trailing window, foretells best what strategies do next? In train-validation and past alone.

Takes a run of the real bars whose search is done: its classifiers say buy and sell on the validation part of train,
which they were not fitted on (though their epoch was chosen there), and on past. Strategies are searched on the first
60 days of validation and drawn at random besides; from then on, every 14 days, all are ranked by each criterion over
the trailing 60 days, and the next 14 are looked at. The future window is not read.

Prints a table; the last line is one line of JSON.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from feature_space.feature_set import FeatureSet
from labelsearch.classifiers.files import load_network
from labelsearch.classifiers.prediction import predict
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.run import open_context
from labelsearch.pipeline.stages import features as feature_stage
from labelsearch.pipeline.stages import search as search_stage
from strategies.search.budget import Problem
from strategies.search.search import islands, merge, run_island
from strategies.tiers.ranking import CRITERIA, criterion
from strategies.trade.equity_grid import EquityGrid, day_edges, equity_grid

TRAILING, STEP = 60, 14  # days
N_STRATEGIES = 10_000
DAYS_A_MONTH = 365.25 / 12
TIERS = (100, 20)


def timeline(context: Context) -> tuple[Problem, np.ndarray]:
    """Outputs and prices of the traded bars of validation and past, with the times of the bars."""
    train, past = context.rows("train"), context.rows("past")
    rows = np.r_[context.boundary : train.stop, past]
    rows = rows[~context.bars.filled[rows]]
    inputs = type(context.inputs)(*(column[: past.stop] for column in context.inputs))
    outputs = []
    for label in context.experiment.label_kinds():
        feature_set = FeatureSet.from_dict(feature_stage.load(context, label.name)["feature_set"])
        network = load_network(context.stage("classifiers") / label.name)
        outputs.append(predict(network, feature_set.matrix(inputs), rows)[:, (0, 2)])
    like = search_stage.problem(context, "past")
    time = context.bars.open_time[rows]
    months = (time[-1] - time[0]) / 86_400_000 / DAYS_A_MONTH
    both = np.hstack(outputs).astype(np.float64)
    bars = context.bars
    return replace(like, outputs=both, open=bars.open[rows], close=bars.close[rows], months=months), time


def population(context: Context, problem: Problem, stop: int) -> np.ndarray:
    """Strategies searched on the rows before ``stop``, a fifth of them at random."""
    head = replace(
        problem, outputs=problem.outputs[:stop], open=problem.open[:stop], close=problem.close[:stop],
        months=problem.months * stop / len(problem.close),
    )  # fmt: skip
    settings = replace(search_stage.search_settings(context), n_strategies=N_STRATEGIES)
    return merge([run_island(task, head) for task in islands(settings)]).params


def main() -> None:
    """Rank at every origin, look at the next days, and print means over origins."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run whose search is done")
    parser.add_argument("--store", type=Path, default=Path("store"))
    args = parser.parse_args()

    context = open_context(args.run, args.store)
    problem, time = timeline(context)
    edges = day_edges(time)
    params = population(context, problem, int(edges[TRAILING]))
    grid = equity_grid(params, problem, edges)
    settings = problem.score
    rows: dict[str, list[list[float]]] = {name: [] for name in CRITERIA}
    for origin in range(TRAILING, len(edges) - STEP, STEP):
        window = slice(origin - TRAILING, origin + 1)
        trailing = EquityGrid(*(column[:, window] for column in grid))
        later = 100 * (grid.equity[:, origin + STEP] / grid.equity[:, origin] - 1)
        for name in CRITERIA:
            values = criterion(name, trailing, edges[window], TRAILING / DAYS_A_MONTH, settings)
            best = np.argsort(-values, kind="stable")
            top = [later[best[:n]].mean() - later.mean() for n in TIERS]
            active = trailing.fills[:, -1] - trailing.fills[:, 0] > 0
            rows[name].append([spearmanr(values[active], later[active]).statistic, *top])
    result = {}
    titles = ("rank correlation", *(f"Top-{n} less all, % in {STEP} days" for n in TIERS))
    n = len(rows["score"])
    print(f"{len(params):,} strategies, {n} origins, {TRAILING} days ranked, {STEP} foretold; mean ± standard error")
    print("| criterion | " + " | ".join(titles) + " |\n| --- |" + " ---: |" * len(titles))
    for name, found in rows.items():
        table = np.array(found)
        mean, error = table.mean(axis=0), table.std(axis=0, ddof=1) / np.sqrt(n)
        print(f"| {name} | " + " | ".join(f"{m:+.3f} ± {e:.3f}" for m, e in zip(mean, error, strict=True)) + " |")
        result[name] = mean.round(4).tolist()
    print(json.dumps({"study": "ranking", "origins": n, "strategies": len(params), "means": result}))


if __name__ == "__main__":
    main()
