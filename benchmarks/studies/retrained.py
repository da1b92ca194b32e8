"""Networks trained again with other settings, against those of a run: what they are worth on past, and what they cost.

    python benchmarks/studies/retrained.py RUN --store store --rows 25000 50000
    python benchmarks/studies/retrained.py PANEL/cells/*/split-[2-9] --store store --known ../split-1

RUN is a finished run or a cell, perhaps of an older version, or several. The network of each of its labels is searched
and trained again by the code of today, with so many samples for a trial; or trained with the hyper-parameters of a
second run, whose path is relative to RUN. Past is before the future and after train, so it chose none. Differences are
paired, with 95% intervals over blocks of time. The last line is one line of JSON; its times are of one processor.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.classifiers.files import network_from_files
from labelsearch.classifiers.intervals import Ranking, interval, paired_difference, resamples
from labelsearch.classifiers.kinds import Options
from labelsearch.classifiers.loss_scaling import loss_factors
from labelsearch.classifiers.prediction import predict
from labelsearch.classifiers.scores import row_losses
from labelsearch.engine.run import recorded
from labelsearch.labels.base import BUY, SELL
from labelsearch.results.run import Results
from labelsearch.stages.classifiers import ClassifierInputs
from labelsearch.stages.labels import label_bars
from labelsearch.stages.plan import STAGES, RunValues
from labelsearch.stages.training import LabelTask, MarketPart, train

Found = dict[int, list[tuple[float, float, float, bool, bool]]]
NAMES = ("label_kinds", "label_price", "train", "past", "boundary", "warm_up", "network", "network_kind",
         "bars_before_future", "classifier_seeds", "view_before_future", "across")  # fmt: skip


class Outcome(NamedTuple):
    """Of one label with one number of samples."""

    probabilities: NDArray[np.float32]
    validation_loss: float
    seconds: float


def fitted(
    task: LabelTask,
    market: MarketPart,
    inputs: ClassifierInputs,
    rows: NDArray[np.int64],
    n: int,
    known: Options | None,
) -> Outcome:
    """Search and train with ``n`` samples for a trial, or train with known hyper-parameters."""
    problem = market.problem(*task)
    start = time.process_time()
    rng = np.random.default_rng(inputs.classifier_seeds("samples", task.label.name))
    trained, _ = train([problem], replace(inputs.network, search_rows=n), inputs.classifier_seeds, rng, known)
    seconds = time.process_time() - start
    return Outcome(predict(trained.network, problem.matrix, rows), trained.validation_loss, seconds)


def main() -> None:
    """Print a row for each label and number of samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--store", type=Path, default=Path("store"))
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000])
    parser.add_argument("--known", type=Path, help="a run, relative to RUN, whose hyper-parameters are used")
    args = parser.parse_args()
    print("| label | samples of a trial | seconds | validation loss | loss on past | less the run's | 95% | verdict "
          "| AUC buy, sell | less the run's | 95% |")  # fmt: skip
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |")
    found: Found = {}
    for run in args.runs:
        known = recorded(run / args.known, STAGES["classifiers"]).value.hyperparameters if args.known else None
        compare(Results(run, args.store), run, args.rows, known, found)
    for n, values in found.items():
        seconds, loss, gain, better, worse = np.array(values, dtype=float).T
        print(json.dumps({
            "benchmark": "retrained", "rows": n, "known": str(args.known), "runs": len(args.runs),
            "labels": len(values),
            "processor seconds a label": seconds.mean(), "mean loss less the run's": loss.mean(),
            "mean AUC less the run's": gain.mean(), "its standard error over labels": gain.std() / len(gain) ** 0.5,
            "AUC better": int(better.sum()), "AUC worse": int(worse.sum()),
        }))  # fmt: skip


def compare(results: Results, run: Path, n_rows: list[int], known: dict[str, Options] | None, found: Found) -> None:
    """Print rows for each label of a run, and add its figures to those found, by number of samples."""
    values = RunValues(results.experiment, results.store)
    of_stages = {name: recorded(run, STAGES[name]) for name in ("labels", "features")}
    inputs = ClassifierInputs(**{name: values[name] for name in NAMES}, **of_stages)
    market = inputs.market(inputs.bars_before_future)
    for name, task in inputs.tasks().items():
        truth = label_bars(task.label, market.price, market.train, market.idle.size)
        past = market.past
        rows = np.flatnonzero(truth.settled[past] & ~market.idle[past]) + past.start
        classes = truth.classes[rows]
        problem = market.problem(*task)
        weights = loss_factors(truth.value[rows], classes, problem.balance)
        block = problem.block(market.day)
        network = network_from_files(results.classifiers.networks[name])
        before = predict(network, problem.matrix, rows)
        theirs = [Ranking(before[:, c], classes == c) for c in (BUY, SELL)]
        other, whole = row_losses(before, classes), np.ones(rows.size)
        old_loss = results.classifiers.of(name).validation_loss
        print(f"| {name} | as in the run | | {old_loss:.4f} | {np.average(other, weights=weights):.4f} | | | "
              f"| {', '.join(f'{r.auc(whole):.3f}' for r in theirs)} | | |")  # fmt: skip
        for n in n_rows:
            outcome = fitted(task, market, inputs, rows, n, known[name] if known else None)
            losses = row_losses(outcome.probabilities, classes)
            against = paired_difference(losses, other, weights, rows, block)
            ours = [Ranking(outcome.probabilities[:, c], classes == c) for c in (BUY, SELL)]
            drawn = [np.mean([r.auc(w) for r in ours]) - np.mean([r.auc(w) for r in theirs])
                     for w in resamples(rows, block)]  # fmt: skip
            low, high = interval(drawn) or (np.nan, np.nan)
            aucs = [r.auc(whole) for r in ours]
            gain = float(np.mean(aucs) - np.mean([r.auc(whole) for r in theirs]))
            found.setdefault(n, []).append((outcome.seconds, against.value, gain, low > 0, high < 0))
            print(
                f"| {name} | {n:,} | {outcome.seconds:.0f} | {outcome.validation_loss:.4f} "
                f"| {np.average(losses, weights=weights):.4f} | {against.value:+.4f} "
                f"| {against.low:+.4f} .. {against.high:+.4f} | {against.verdict} | {aucs[0]:.3f}, {aucs[1]:.3f} "
                f"| {gain:+.4f} | {low:+.4f} .. {high:+.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
