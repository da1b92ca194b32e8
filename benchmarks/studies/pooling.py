"""Networks and strategies fitted for each market, against those fitted once for all, on data that neither has seen.

    python benchmarks/studies/pooling.py RUN_APART RUN_POOLED --store store

Both runs have the same markets and windows. By market and label: the AUC on past of buy against the rest, of sell
against the rest, and of buy against sell; past is before the future and after train, so it chose no network.
Differences have 95% intervals by resampling blocks of time, the same ones for both. The last line is one line of JSON.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelsearch.classifiers.intervals import Ranking, interval, resamples
from labelsearch.labels.base import BUY, SELL
from labelsearch.results.panel_run import PanelResults
from labelsearch.results.run import Results
from labelsearch.stages.labels import label_bars, price_of
from labelsearch.stages.plan import RunValues


def truths(cell: Results) -> dict[str, NDArray[np.int8]]:
    """Class of every traded bar of past by label; -1 where it is not settled."""
    values = RunValues(cell.experiment, cell.store)
    bars = values.bars_before_future
    price = price_of(bars, cell.experiment.labels.price)
    windows = cell.experiment.windows.named
    train, past = (windows[name].rows(bars.open_time) for name in ("train", "past"))
    found = {}
    for label in cell.experiment.label_kinds():
        seen = label_bars(label, price, train, len(bars))
        classes = np.where(seen.settled, seen.classes, -1)[past]
        found[label.name] = classes[~bars.filled[past]]
    return found


def rankings(probabilities: NDArray[np.float32], classes: NDArray[np.int8]) -> list[tuple[Ranking, NDArray[np.bool_]]]:
    """Buy against the rest, sell against the rest, buy against sell; each with the rows that it is about."""
    buy, sell = probabilities.T
    all_rows = np.ones(classes.size, dtype=bool)
    acting = (classes == BUY) | (classes == SELL)
    return [
        (Ranking(buy, classes == BUY), all_rows),
        (Ranking(sell, classes == SELL), all_rows),
        (Ranking((buy - sell)[acting], (classes == BUY)[acting]), acting),
    ]


def compare(apart: Results, pooled: Results) -> list[dict[str, object]]:
    """A row for each label of a market."""
    true = truths(apart)
    windows = apart.outputs.past, pooled.outputs.past
    rows = []
    for i, name in enumerate(apart.outputs.labels):
        known = np.flatnonzero(true[name] >= 0)
        classes = true[name][known]
        both = [rankings(window.outputs[known, 2 * i : 2 * i + 2], classes) for window in windows]

        def aucs(weights: NDArray[np.float64], both: list = both) -> NDArray[np.float64]:
            return np.array([[ranking.auc(weights[part]) for ranking, part in of_run] for of_run in both])

        found = aucs(np.ones(known.size))
        length = apart.classifiers.of(name).block_bars
        gains = found[1] - found[0]
        drawn = np.array([aucs(weights) for weights in resamples(known, length)])
        differences = drawn[:, 1] - drawn[:, 0]  # (resamples, 3)
        rows.append(
            {
                "market": apart.experiment.data.symbol,
                "label": name,
                "actions": int(np.isin(classes, (BUY, SELL)).sum()),
                "apart": found[0].tolist(),
                "pooled": found[1].tolist(),
                "gain": float(gains[:2].mean()),
                "interval": interval(differences[:, :2].mean(axis=1).tolist()),
                "gain of buy-sell": float(gains[2]),
                "interval of buy-sell": interval(differences[:, 2].tolist()),
            }
        )
    return rows


def shown(bounds: tuple[float, float] | None) -> str:
    """An interval as text."""
    return "-" if bounds is None else f"{bounds[0]:+.3f} .. {bounds[1]:+.3f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("apart", type=Path)
    parser.add_argument("pooled", type=Path)
    parser.add_argument("--store", type=Path, default=Path("store"))
    parser.add_argument("--split", type=int, default=1)
    options = parser.parse_args()
    runs = [PanelResults(folder, options.store) for folder in (options.apart, options.pooled)]
    markets = [row.market for row in runs[0].panel.markets]
    rows = [row for m in markets for row in compare(*(run.cell(m, options.split) for run in runs))]
    print("| market | label | action bars | apart: buy, sell, buy-sell | pooled | gain of buy and sell | 95% "
          "| gain of buy-sell | 95% |")  # fmt: skip
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        texts = [", ".join(f"{x:.3f}" for x in row[name]) for name in ("apart", "pooled")]
        print(
            f"| {row['market']} | {row['label']} | {row['actions']:,} | {texts[0]} | {texts[1]} | {row['gain']:+.3f} "
            f"| {shown(row['interval'])} | {row['gain of buy-sell']:+.3f} | {shown(row['interval of buy-sell'])} |"
        )
    means = {name: float(np.mean([row[name] for row in rows])) for name in ("gain", "gain of buy-sell")}
    better = sum(row["interval"] is not None and row["interval"][0] > 0 for row in rows)
    worse = sum(row["interval"] is not None and row["interval"][1] < 0 for row in rows)
    print(json.dumps({"benchmark": "pooling", "cells": len(rows), **means, "better": better, "worse": worse}))


if __name__ == "__main__":
    main()
