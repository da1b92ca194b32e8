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

from labelsearch.classifiers.files import network_from_files
from labelsearch.classifiers.prediction import predict
from labelsearch.results.run import Results
from labelsearch.stages.features import inputs_of
from labelsearch.stages.plan import RunValues
from strategies.search.islands import islands, merge, run_island
from strategies.search.problem import SearchProblem
from strategies.tiers.ranking import RANKINGS, PastRecord, criterion
from strategies.trade.equity_grid import EquityGrid, equity_grid
from strategies.trade.window import TradingWindow

TRAILING, STEP = 60, 14  # days
N_STRATEGIES = 10_000
DAYS_A_MONTH = 365.25 / 12
TIERS = (100, 20)


def timeline(results: Results, values: RunValues) -> TradingWindow:
    """Outputs and prices of the traded bars of validation and past."""
    bars, train, past = results.bars, results.rows("train"), results.rows("past")
    rows = np.r_[values.boundary : train.stop, past]
    rows = rows[~bars.filled[rows]]
    inputs = inputs_of(bars.rows(0, past.stop))
    outputs = []
    for name in results.labels.names:
        network = network_from_files(results.classifiers.networks[name])
        matrix = results.features.of(name).feature_set.matrix(inputs)
        outputs.append(predict(network, matrix, rows)[:, (0, 2)])
    time = bars.open_time[rows]
    months = (time[-1] - time[0]) / 86_400_000 / DAYS_A_MONTH
    return TradingWindow.of(np.hstack(outputs), bars.open[rows], bars.close[rows], time, months)


def population(values: RunValues, problem: SearchProblem, stop: int) -> np.ndarray:
    """Strategies searched on the rows before ``stop``, a fifth of them at random."""
    head = replace(problem, window=problem.window.rows(slice(0, stop)))
    settings = replace(values.search_settings, n_strategies=N_STRATEGIES)
    return merge([run_island(task, head) for task in islands(settings)]).params


def main() -> None:
    """Rank at every origin, look at the next days, and print means over origins."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run whose search is done")
    parser.add_argument("--store", type=Path, default=Path("store"))
    args = parser.parse_args()

    results = Results(args.run, args.store)
    values = RunValues(results.experiment, args.store)
    problem = SearchProblem(timeline(results, values), values.space, values.rules, values.score)
    edges = problem.window.day_edges
    params = population(values, problem, int(edges[TRAILING]))
    grid = equity_grid(params, problem.window, problem.rules)
    rows: dict[str, list[list[float]]] = {name: [] for name in RANKINGS}
    for origin in range(TRAILING, len(edges) - STEP, STEP):
        window = slice(origin - TRAILING, origin + 1)
        trailing = EquityGrid(*(column[:, window] for column in grid))
        later = 100 * (grid.equity[:, origin + STEP] / grid.equity[:, origin] - 1)
        record = PastRecord(trailing, edges[window] - edges[window][0], TRAILING / DAYS_A_MONTH, problem.score)
        for name in RANKINGS:
            ranked = criterion(name, record)
            best = np.argsort(-ranked, kind="stable")
            top = [later[best[:n]].mean() - later.mean() for n in TIERS]
            active = trailing.fills[:, -1] - trailing.fills[:, 0] > 0
            rows[name].append([spearmanr(ranked[active], later[active]).statistic, *top])
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
