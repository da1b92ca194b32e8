"""Networks and strategies fitted for each market, against those fitted once for all, on data that neither has seen.

    python benchmarks/studies/pooling.py RUN_APART RUN_POOLED --store store

Both runs have the same markets and windows. By market and label: the AUC on past of buy against the rest, of sell
against the rest, and of buy against sell; past is before the future and after train, so it chose no network.
Differences have 95% intervals over blocks of a day of the pairs of probabilities. The last line is one line of JSON.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from labelsearch.labels.base import BUY, SELL
from labelsearch.results.panel_run import PanelResults
from labelsearch.results.run import Results
from labelsearch.stages.labels import label_bars, price_of
from labelsearch.stages.plan import RunValues

BLOCKS, SEED = 200, 0


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


def aucs(probabilities: NDArray[np.float64], classes: NDArray[np.int8]) -> list[float]:
    """Buy against the rest, sell against the rest, buy against sell; NaN where a class is missing."""
    buy, sell = probabilities.T
    acting = (classes == BUY) | (classes == SELL)
    tests = ((classes == BUY, buy), (classes == SELL, sell), ((classes == BUY)[acting], (buy - sell)[acting]))
    return [roc_auc_score(t, p) if 0 < t.sum() < t.size else np.nan for t, p in tests]


def compare(apart: Results, pooled: Results) -> list[dict[str, object]]:
    """A row for each label of a market."""
    true, rng = truths(apart), np.random.default_rng(SEED)
    windows = apart.outputs.past, pooled.outputs.past
    day = windows[0].open_time // 86_400_000
    days = np.unique(day)
    rows = []
    for i, name in enumerate(apart.outputs.labels):
        classes = true[name]
        both = [window.outputs[:, 2 * i : 2 * i + 2] for window in windows]
        known = classes >= 0
        found = [aucs(p[known], classes[known]) for p in both]
        drawn = []
        for _ in range(BLOCKS):
            count = np.bincount(rng.integers(0, len(days), len(days)), minlength=len(days))
            rows_drawn = np.repeat(np.flatnonzero(known), count[np.searchsorted(days, day[known])])
            a, b = (np.nanmean(aucs(p[rows_drawn], classes[rows_drawn])[:2]) for p in both)
            drawn.append(b - a)
        rows.append(
            {
                "market": apart.experiment.data.symbol,
                "label": name,
                "actions": int(np.isin(classes, (BUY, SELL)).sum()),
                "apart": found[0],
                "pooled": found[1],
                "gain": float(np.nanmean(found[1][:2]) - np.nanmean(found[0][:2])),
                "interval": np.nanquantile(drawn, (0.025, 0.975)).tolist(),
            }
        )
    return rows


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
    print("| market | label | action bars | apart: buy, sell, buy-sell | pooled | gain of buy and sell | 95% |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        shown = [", ".join(f"{x:.3f}" for x in row[name]) for name in ("apart", "pooled")]
        low, high = row["interval"]
        print(
            f"| {row['market']} | {row['label']} | {row['actions']:,} | {shown[0]} | {shown[1]} | {row['gain']:+.3f} "
            f"| {low:+.3f} .. {high:+.3f} |"
        )
    gains = [row["gain"] for row in rows]
    print(json.dumps({"benchmark": "pooling", "cells": len(rows), "mean_gain": float(np.mean(gains))}))


if __name__ == "__main__":
    main()
