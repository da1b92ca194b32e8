"""Are labels that were searched better questions than eight that were given? On train alone.

In each market `labelsearch space` searches labels before validation and chooses eight; on validation, which chose
nothing, they are compared with the eight given ones: skill, AUC of buy against sell, worth of events, and the effective
dimension of all outputs. Searches on features shifted against the market say what luck gives.
"""

import argparse
import json
import os
import sys
import tempfile
from multiprocessing import Pool
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402 - libraries read the number of threads when they are loaded
from sets import HOUR_LABELS, MINUTE_LABELS, load  # noqa: E402


def one(task: tuple[str, int, int]) -> dict[str, Any]:
    """The search in one market."""
    import torch

    from feature_space.feature_set import warm_up_of
    from feature_space.indicators import INDICATORS
    from feature_space.normalise import Normalisation
    from labelsearch.engine.executors.choice import ALONE
    from labelsearch.engine.stage import Work
    from labelsearch.labels.kinds import make_label
    from labelsearch.settings.label_space import LabelSpaceSettings
    from labelsearch.stages.seeds import Seeds
    from labelsearch.studies.space import SpaceInputs, run

    torch.set_num_threads(1)
    market, n_candidates, nulls = task
    bars, normalisation = load(market), Normalisation("train", 1440, 1.0)
    labels = MINUTE_LABELS if market.endswith("m") else HOUR_LABELS
    inputs = SpaceInputs(
        label_space=LabelSpaceSettings(n_candidates=n_candidates, nulls=nulls),
        label_ranges=(),
        label_kinds=tuple(make_label(kind, **options) for kind, options in labels),
        label_price="close",
        train_bars=bars,
        boundary=int(0.8 * len(bars)),
        candidates=INDICATORS,
        normalisation=normalisation,
        warm_up=warm_up_of(INDICATORS, normalisation),
        fill_costs=0.001,
        seeds=Seeds(1),
    )
    with tempfile.TemporaryDirectory() as folder, ALONE.open(lambda: None, Path(folder), lambda: "", ()) as executor:
        found = run(inputs, Work(executor, Path(folder)))
    row: dict[str, Any] = {"market": market, "p": found.p_value, "best t": found.best_t, "null": found.null_best}
    for which in ("chosen", "own"):
        own = [its.later for its in getattr(found, which) if its.later]
        worth = [its.worth for its in own if its.worth.mean is not None]
        row[which] = {
            "labels": [its.label for its in getattr(found, which)],
            "judged": len(own),
            "skill": float(np.mean([its.skill.value or 0.0 for its in own])),
            "sides": float(np.nanmean([its.auc_sides.value or np.nan for its in own])),
            "worth_bp": float(np.mean([1e4 * (its.mean or 0.0) for its in worth])) if worth else None,
            "t": float(np.mean([its.t or 0.0 for its in worth])) if worth else None,
            "best_worth_bp": 1e4 * max((its.mean or 0.0 for its in worth), default=0.0),
            "gain": float(np.mean([sum(its.gains) for its in found.chosen])) if which == "chosen" else None,
        }
    row["chosen"]["dimension"], row["own"]["dimension"] = found.dimension, found.dimension_own
    return row


def report(rows: list[dict[str, Any]]) -> None:
    """Print tables as Markdown."""
    names = ("skill", "sides", "worth_bp", "t", "dimension")
    print("| market | p of the best | " + " | ".join(f"{n}: chosen | given" for n in names) + " |")
    print("| --- |" + " ---: |" * (1 + 2 * len(names)))
    for row in rows:
        cells = []
        for n in names:
            form = ".1f" if n in ("worth_bp", "t", "dimension") else ".3f"
            cells += [f"{row[w][n]:{form}}" if row[w][n] is not None else "-" for w in ("chosen", "own")]
        p = f"{row['p']:.2f}" if row["p"] is not None else "-"
        print(f"| {row['market']} | {p} | " + " | ".join(cells) + " |")
    rng = np.random.default_rng(0)
    for n in names:
        differences = np.array(
            [row["chosen"][n] - row["own"][n] for row in rows if None not in (row["chosen"][n], row["own"][n])]
        )
        drawn = differences[rng.integers(0, len(differences), (2000, len(differences)))].mean(axis=1)
        low, high = np.quantile(drawn, (0.025, 0.975))
        print(f"{n}: chosen less given, mean over markets {differences.mean():+.3f} [{low:+.3f} {high:+.3f}]")


def main() -> None:
    """Print a row for each market, and paired differences with intervals over markets."""
    parser = argparse.ArgumentParser(description=__doc__)
    hours = "BTCUSDT,ETHUSDT,BNBUSDT,LTCUSDT,ADAUSDT,XRPUSDT,EOSUSDT,XLMUSDT,TRXUSDT,ETCUSDT"
    parser.add_argument("--markets", default=f"BTCUSDTm,ETHUSDTm,{hours}")
    parser.add_argument("--candidates", type=int, default=128)
    parser.add_argument("--nulls", type=int, default=9)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", default="")
    args = parser.parse_args()
    if "LABELSEARCH_DATA" not in os.environ:
        sys.exit("this study needs the real bars: set LABELSEARCH_DATA to their folder")
    # a search on minutes takes several times as long as one on hours, and shifts are many searches
    tasks = [(market, args.candidates, 0 if market.endswith("m") else args.nulls) for market in args.markets.split(",")]
    with Pool(args.processes) as pool:
        rows = pool.map(one, tasks, chunksize=1)
    if args.out:
        Path(args.out).write_text(json.dumps(rows))
    report(rows)


if __name__ == "__main__":
    main()
