"""Trials on a part of the samples, against trials on all: what the networks are worth on past, and what they cost.

    python benchmarks/studies/search_rows.py RUN --store store

RUN is a finished run or a cell. The network of each of its labels is searched and trained again with other numbers of
samples for a trial; past is before the future and after train, so it chose none. Differences of loss are paired, with
95% intervals over blocks of time. The last line is one line of JSON; its times are of one processor.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.classifiers.intervals import Ranking, interval, paired_difference, resamples
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

ALL = 100_000_000
NAMES = ("label_kinds", "label_price", "train", "past", "boundary", "warm_up", "network", "network_kind",
         "bars_before_future", "classifier_seeds")  # fmt: skip


class Outcome(NamedTuple):
    """Of one label with one number of samples."""

    probabilities: NDArray[np.float32]
    validation_loss: float
    seconds: float


def fitted(task: LabelTask, market: MarketPart, inputs: ClassifierInputs, rows: NDArray[np.int64], n: int) -> Outcome:
    """Search and train with ``n`` samples for a trial."""
    problem = market.problem(*task)
    start = time.process_time()
    rng = np.random.default_rng(inputs.classifier_seeds("samples", task.label.name))
    trained, _ = train([problem], replace(inputs.network, search_rows=n), inputs.classifier_seeds, rng)
    seconds = time.process_time() - start
    return Outcome(predict(trained.network, problem.matrix, rows), trained.validation_loss, seconds)


def main() -> None:
    """Print a row for each label and number of samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--store", type=Path, default=Path("store"))
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000])
    args = parser.parse_args()
    results = Results(args.run, args.store)
    values = RunValues(results.experiment, args.store)
    of_stages = {name: recorded(args.run, STAGES[name]) for name in ("labels", "features")}
    inputs = ClassifierInputs(**{name: values[name] for name in NAMES}, **of_stages)
    market = inputs.market(inputs.bars_before_future)
    print("| label | samples of a trial | seconds | validation loss | loss on past | less all | 95% | verdict "
          "| AUC buy, sell | less all | 95% |")  # fmt: skip
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |")
    found: dict[int, list[tuple[float, float, float]]] = {}
    for name, task in inputs.tasks().items():
        truth = label_bars(task.label, market.price, market.train, market.filled.size)
        past = market.past
        rows = np.flatnonzero(truth.settled[past] & ~market.filled[past]) + past.start
        classes = truth.classes[rows]
        problem = market.problem(*task)
        weights = loss_factors(truth.value[rows], classes, problem.balance)
        block = problem.block(market.day)
        reference: Outcome | None = None
        for n in (ALL, *args.rows):
            outcome = fitted(task, market, inputs, rows, n)
            reference = reference or outcome
            losses, other = (row_losses(x.probabilities, classes) for x in (outcome, reference))
            against = paired_difference(losses, other, weights, rows, block)
            ours, theirs = (
                [Ranking(x.probabilities[:, c], classes == c) for c in (BUY, SELL)] for x in (outcome, reference)
            )
            whole = np.ones(rows.size)
            drawn = [np.mean([r.auc(w) for r in ours]) - np.mean([r.auc(w) for r in theirs])
                     for w in resamples(rows, block)]  # fmt: skip
            low, high = interval(drawn) or (np.nan, np.nan)
            aucs = [r.auc(whole) for r in ours]
            gain = float(np.mean(aucs) - np.mean([r.auc(whole) for r in theirs]))
            found.setdefault(n, []).append((outcome.seconds, against.value, gain))
            print(
                f"| {name} | {'all' if n == ALL else f'{n:,}'} | {outcome.seconds:.0f} | {outcome.validation_loss:.4f} "
                f"| {np.average(losses, weights=weights):.4f} | {against.value:+.4f} "
                f"| {against.low:+.4f} .. {against.high:+.4f} | {against.verdict} | {aucs[0]:.3f}, {aucs[1]:.3f} "
                f"| {gain:+.4f} | {low:+.4f} .. {high:+.4f} |",
                flush=True,
            )
    rows_of = {n: np.mean(x, axis=0).tolist() for n, x in found.items()}
    last = args.rows[-1]
    print(json.dumps({
        "benchmark": "search_rows", "ours": rows_of[last][0], "peer": rows_of[ALL][0],
        "ratio": rows_of[ALL][0] / rows_of[last][0], "unit": "processor seconds a label", "rows": last,
        "mean loss on past less all": rows_of[last][1], "mean AUC less all": rows_of[last][2],
        "labels": len(found[ALL]),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
