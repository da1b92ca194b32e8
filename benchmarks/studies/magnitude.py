"""Heads and losses for labels of moves: three classes, or the move itself, on the same rows of a run.

    python benchmarks/studies/magnitude.py RUN --store store

RUN has the stages up to its features, and labels of kind `magnitude`. For each of them a network is searched and
trained with the head of classes and with that of a magnitude, by each loss, with and without a penalty for the wrong
sign. What is predicted is compared with the moves that came, on validation and on past: of classes the probability of
buy less that of sell. Past is before the future and after train, so it chose none. Differences from classes are paired,
with 95% intervals over blocks of time; R2 is against the mean move of train.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelsearch.classifiers.intervals import interval, resamples
from labelsearch.classifiers.moves import Ranked, evaluate_moves, weighted_correlation_nb
from labelsearch.classifiers.prediction import predict
from labelsearch.engine.run import recorded
from labelsearch.labels.base import BUY, SELL, moves_of
from labelsearch.labels.magnitude import Magnitude
from labelsearch.results.run import Results
from labelsearch.stages.classifiers import ClassifierInputs
from labelsearch.stages.labels import label_bars
from labelsearch.stages.plan import STAGES, RunValues
from labelsearch.stages.training import LabelTask, MarketPart, train

NAMES = ("label_kinds", "label_price", "train", "past", "boundary", "warm_up", "network", "network_kind",
         "bars_before_future", "classifier_seeds", "view_before_future", "across")  # fmt: skip
HEADS = {
    "classes": {},
    "squared": {"magnitude_loss": "squared"},
    "squared, q = 1": {"magnitude_loss": "squared", "sign_penalty": 1.0},
    "huber": {"magnitude_loss": "huber"},
    "huber, q = 1": {"magnitude_loss": "huber", "sign_penalty": 1.0},
}
Predicted = dict[str, NDArray[np.float32]]  # by window


def predictions(
    task: LabelTask, market: MarketPart, inputs: ClassifierInputs, rows: dict[str, NDArray[np.int64]]
) -> Iterator[tuple[str, Predicted, float]]:
    """Of each head, and the mean move of train."""
    for name, settings in HEADS.items():
        label = replace(task.label, head="classes" if name == "classes" else "magnitude")  # type: ignore[type-var]
        problem = market.problem(*task._replace(label=label))
        rng = np.random.default_rng(inputs.classifier_seeds("samples", task.label.name))
        trained, _ = train([problem], replace(inputs.network, **settings), inputs.classifier_seeds, rng)
        found = {window: predict(trained.network, problem.matrix, its) for window, its in rows.items()}
        seen = {w: p[:, BUY] - p[:, SELL] if name == "classes" else p[:, 0] for w, p in found.items()}
        yield name, seen, float(moves_of(problem.values.value[problem.fit]).mean())


def compare(task: LabelTask, market: MarketPart, inputs: ClassifierInputs) -> None:
    """Print rows for each head of a label on validation and on past."""
    truth = label_bars(task.label, market.price, market.train, market.idle.size)
    past, problem = market.past, market.problem(*task)
    rows = {
        "validation": problem.validation,
        "past": np.flatnonzero(truth.settled[past] & ~market.idle[past]) + past.start,
    }
    block, first = problem.block(market.day), {}
    for head, seen, mean in predictions(task, market, inputs, rows):
        for window, its in rows.items():
            moves = moves_of(truth.value[its])
            figures, by_moves = evaluate_moves(seen[window], moves, mean, (its, block)), Ranked(moves)
            both = [Ranked(seen[window]), Ranked(first.setdefault(window, seen[window]))]
            drawn = []
            for w in resamples(its, block):
                own, other = (weighted_correlation_nb(r.ranks(w), by_moves.ranks(w), w) for r in both)
                drawn.append(own - other)
            low, high = interval(drawn) or (np.nan, np.nan)
            whole = np.ones(its.size)
            ranks = by_moves.ranks(whole)
            own, other = (weighted_correlation_nb(r.ranks(whole), ranks, whole) for r in both)
            less = "- |" if head == "classes" else f"{own - other:+.4f} | {low:+.4f} .. {high:+.4f}"
            less = less.replace("- |", "- | -")
            r2, sign = figures.r2, figures.sign_accuracy
            of_moves = "- | -" if head == "classes" else (
                f"{r2.figure.value:+.4f} | {r2.figure.interval[0]:+.4f} .. {r2.figure.interval[1]:+.4f}"
            )  # fmt: skip
            gain = sign.gain
            print(
                f"| {task.label.name} | {window} | {head} | {own:+.4f} | {less} | {of_moves} | {sign.figure.value:.3f} "
                f"| {gain.value:+.3f} | {gain.interval[0]:+.3f} .. {gain.interval[1]:+.3f} |",
                flush=True,
            )


def main() -> None:
    """Print a row for each label, window and head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--store", type=Path, default=Path("store"))
    args = parser.parse_args()
    results = Results(args.run, args.store)
    values = RunValues(results.experiment, results.store)
    of_stages = {name: recorded(args.run, STAGES[name]) for name in ("labels", "features")}
    inputs = ClassifierInputs(**{name: values[name] for name in NAMES}, **of_stages)
    market = inputs.market(inputs.bars_before_future)
    print("| label | window | head | rank correlation | less classes | 95% | R2 | 95% | sign right | less the mean's "
          "| 95% |")  # fmt: skip
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for task in inputs.tasks().values():
        if isinstance(task.label, Magnitude):
            compare(task, market, inputs)


if __name__ == "__main__":
    main()
