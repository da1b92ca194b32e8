"""How far tiers on past move with the seed of the classifiers, by how networks are chosen, trained and averaged.

    python benchmarks/studies/steady.py --store store --symbols BTCUSDT ETHUSDT --seeds 4

For each market and way, a run up to the search, again and again with other seeds of the classifiers alone: labels,
features and the seed of the search stay. Nothing is evaluated on future. The last line is one line of JSON.
"""

import argparse
import json
import logging
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np

from labelsearch.engine.executors.choice import Workers
from labelsearch.engine.run import Run
from labelsearch.settings.experiment import Experiment
from labelsearch.stages.plan import STAGES, open_run
from labelsearch.stages.seeds import Seeds

Way = tuple[int, str, int]  # n_seeds, bag, folds
WAYS = (
    (1, "none", 1), (3, "none", 1), (5, "none", 1), (3, "blocks", 1), (5, "blocks", 1), (1, "none", 2), (1, "none", 3),
    (3, "none", 2),
)  # fmt: skip
WINDOWS = {
    "train": ["2018-01-01", "2019-08-25"],
    "past": ["2019-09-01", "2020-02-24"],
    "future": ["2020-03-01", "2020-08-24"],  # not traded here
}
LABELS = [
    {"kind": "threshold", "theta": 0.01, "horizon": "4h"},
    {"kind": "threshold", "theta": 0.02, "horizon": "24h"},
    {"kind": "extrema", "up": 4.0, "down": 0.4},
]
TIER = 20
SPREAD = ("return_pct", "score", "auc")


def experiment_of(symbol: str, way: Way, arguments: argparse.Namespace) -> Experiment:
    """The experiment of one market and way."""
    n_seeds, bag, folds = way
    return Experiment.from_dict(
        {
            "name": "steady",
            "data": {"symbol": symbol, "interval": "1h"},
            "windows": WINDOWS,
            "separation": {"n_pairs": 20_000, "n_values": 4, "n_restarts": 1, "n_shifts": 19},
            "network": {"n_seeds": n_seeds, "bag": bag, "folds": folds},
            "search": {"n_strategies": arguments.strategies, "island_size": 500},
            "null": {"repeats": 0},
            "label": LABELS,
        }
    )


def repetition(run: Run) -> dict[str, object]:
    """Figures of one seed: tier, AUC and hyper-parameters, and outputs on past."""
    classifiers, outputs, strategies = (run.do(STAGES[name]).value for name in ("classifiers", "outputs", "search"))
    best = strategies.frame.nlargest(TIER, "score")
    entries = classifiers.of_classes
    rates = [min(entry.trials, key=lambda trial: trial.best).parameters["learning_rate"] for entry in entries]
    return {
        "return_pct": 100.0 * float(best["value"].mean() - 1.0),
        "score": float(best["score"].mean()),
        "auc": float(np.mean([side.auc for entry in entries for side in (entry.past.buy, entry.past.sell)])),
        "rates": np.log10(rates),
        "outputs": outputs.past.outputs,
    }


def measure(symbol: str, way: Way, runs: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """Spread of one market and way over seeds of the classifiers."""
    experiment, found, start = experiment_of(symbol, way, arguments), [], time.process_time()
    with open_run(experiment, runs, arguments.store, workers=Workers(1)) as run:
        run.do(STAGES["features"])
        start = time.process_time()
        for number in range(arguments.seeds):
            # labels and features have no seeds of classifiers, and are those of the run
            seeds = Seeds(experiment.seed, (("classifier", number),) if number else ())
            branch = run.branch(f"seeds/classifier-{number}", classifier_seeds=seeds) if number else run
            found.append(repetition(branch))
    seconds = (time.process_time() - start) / arguments.seeds
    outputs = [its["outputs"] for its in found]
    columns = range(outputs[0].shape[1])
    pairs = list(combinations(outputs, 2))
    alike = np.mean([np.corrcoef(a[:, k], b[:, k])[0, 1] for a, b in pairs for k in columns])
    return {
        **{name: float(np.mean([its[name] for its in found])) for name in SPREAD},
        **{f"{name}_sd": float(np.std([its[name] for its in found], ddof=1)) for name in SPREAD},
        "rate_sd": float(np.std([its["rates"] for its in found], axis=0, ddof=1).mean()),
        "correlation": float(alike),
        "seconds": seconds,
    }


def main() -> None:
    """Print a Markdown row for each way, means over the markets; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("store"))
    parser.add_argument("--symbols", nargs="+", default=["BTCUSDT", "ETHUSDT"])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--strategies", type=int, default=2000)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    names = ("return_pct", "return_pct_sd", "score_sd", "correlation", "rate_sd", "auc", "auc_sd", "seconds")
    print("| n_seeds | bag | folds | " + " | ".join(names) + " |\n| ---: | --- | ---: |" + " ---: |" * len(names))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            found = [measure(symbol, way, Path(folder), arguments) for symbol in arguments.symbols]
            # of deviations the root of the mean square: their squares have a mean
            row = {
                name: float(np.sqrt(np.mean([its[name] ** 2 for its in found])))
                if name.endswith("_sd")
                else float(np.mean([its[name] for its in found]))
                for name in names
            }
            print(f"| {' | '.join(map(str, way))} | {' | '.join(f'{x:.3f}' for x in row.values())} |", flush=True)
            rows.append({"n_seeds": way[0], "bag": way[1], "folds": way[2], **row})
    one = rows[0]["return_pct_sd"]
    best = min(rows, key=lambda row: row["return_pct_sd"])
    result = {
        "benchmark": "steady", "ours": best["return_pct_sd"], "peer": one, "ratio": one / best["return_pct_sd"],
        "unit": "standard deviation of the return of a tier on past over seeds of the classifiers, percentage points",
        "peer_name": "one network for each label", "markets": arguments.symbols, "seeds": arguments.seeds,
        "strategies": arguments.strategies, "rows": rows,
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
