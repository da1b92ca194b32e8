"""Do feature sets that are chosen for a label beat random ones and the paper's on later bars? On train alone.

Bitcoin minutes of the paper's train with its eight labels, and hourly markets with eight labels of the same kinds. For
each: the loss of a network on the later part of train with sets by every criterion and with random ones, the p-value
of the set by discriminant against circular shifts of the label, and how much the sets of two labels share.
"""

import argparse
import itertools
import json
import os
import sys
from multiprocessing import Pool
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402 - libraries read the number of threads when they are loaded

DAY = 86_400_000
MINUTE_LABELS: list[tuple[str, dict[str, Any]]] = [
    ("threshold", {"theta": 0.012, "horizon": 5}), ("threshold", {"theta": 0.012, "horizon": 60}),
    ("threshold", {"theta": 0.022, "horizon": 2}), ("threshold", {"theta": 0.03, "horizon": 5}),
    ("threshold", {"theta": 0.03, "horizon": 60}), ("extrema", {"up": 1.0, "down": 0.1}),
    ("extrema", {"up": 2.0, "down": 0.2}), ("extrema", {"up": 4.0, "down": 0.4}),
]  # fmt: skip
HOUR_LABELS: list[tuple[str, dict[str, Any]]] = [
    ("threshold", {"theta": 0.01, "horizon": 4}), ("threshold", {"theta": 0.02, "horizon": 12}),
    ("threshold", {"theta": 0.03, "horizon": 24}), ("threshold", {"theta": 0.06, "horizon": 72}),
    ("threshold", {"theta": 0.03, "horizon": 4}), ("triple_barrier", {"up": 1.0, "down": 1.0, "horizon": 24}),
    ("extrema", {"up": 4.0, "down": 0.4}), ("extrema", {"up": 8.0, "down": 0.8}),
]  # fmt: skip
SEEDS, N_RANDOM = (0, 1, 2), 6  # seeds: two of them on minutes
CRITERIA = ("gaussian", "contrast", "discriminant", "discriminant few")


def load(market: str) -> Any:
    """Bars of train on the grid: 2018 and 2019 of minutes, 2018-07 to 2020 of hours."""
    from labelsearch.market.archive import read

    data = Path(os.environ["LABELSEARCH_DATA"])
    if market.endswith("m"):
        return (
            read(data / f"{market[:-1].lower()}_1m.parquet", market[:-1]).between(17_532 * DAY, 18_262 * DAY).on_grid()
        )
    hours = read(data / os.environ.get("LABELSEARCH_HOURS", "binance_spot_1h_33pairs_2017_2022.parquet"), market)
    return hours.between(17_713 * DAY, 18_628 * DAY).on_grid()


def one(task: tuple[str, int, str]) -> dict[str, Any]:
    """Losses and p-value of one label in one market."""
    import torch
    from common import Labelled, validation_loss

    from feature_space.candidates import compute_candidates
    from feature_space.feature_set import FeatureSet, warm_up_of
    from feature_space.indicators import INDICATORS
    from feature_space.normalise import Normalisation
    from labelsearch.classifiers.loss_scaling import balance
    from labelsearch.labels.kinds import make_label
    from labelsearch.labels.spans import purged_split
    from labelsearch.settings.sections import Separation
    from labelsearch.stages.feature_choice import choose_sets
    from labelsearch.stages.feature_rows import TrainPart
    from labelsearch.stages.features import inputs_of
    from labelsearch.stages.seeds import Seeds

    torch.set_num_threads(1)
    market, which, kind = task
    bars, is_minute = load(market), market.endswith("m")
    inputs, boundary = inputs_of(bars), int(0.8 * len(bars))
    name, options = (MINUTE_LABELS if is_minute else HOUR_LABELS)[which]
    label = make_label(name, **options)
    normalisation = Normalisation(kind, 1440 if is_minute else 168, 1.0)
    values = label.values(bars.close, label.reference(bars.close[:boundary]))
    usable = ~bars.filled
    usable[: warm_up_of(INDICATORS, normalisation)] = False
    fit, validation = purged_split(values.last_used, usable, boundary, len(bars))
    labelled = Labelled(values, fit, validation, balance(values.value[fit], values.classes[fit]))

    def loss(features: Any) -> float:
        matrix = FeatureSet(tuple(features), normalisation).matrix(inputs)
        seeds, epochs = (SEEDS[:2], 4) if is_minute else (SEEDS, 8)
        return float(np.mean([validation_loss(matrix, labelled, seed, epochs) for seed in seeds]))

    found: dict[str, Any] = {"market": market, "label": label.name, "normalisation": kind}
    for criterion in CRITERIA:
        settings = Separation(criterion=criterion.split()[0], subset=criterion.endswith("few"))
        train = TrainPart(inputs, usable, boundary, INDICATORS, normalisation, settings, Seeds(1), None)
        chosen = choose_sets([train], [{label.name: values}])[0].chosen[0]
        features = chosen.feature_set.features
        found[criterion] = loss(features)
        found[f"{criterion} set"] = [feature.title for feature in features]
        found[f"{criterion} p"] = chosen.held_out.p_value if chosen.held_out else chosen.confirmation.p_value
    candidates = compute_candidates(INDICATORS, inputs, fit[:2], normalisation, n_values=8, fit_stop=boundary)
    draws = [np.random.default_rng(seed).integers(np.diff(candidates.offsets)) for seed in range(N_RANDOM)]
    found["random"] = [loss(g[c] for g, c in zip(candidates.features, draw, strict=True)) for draw in draws]
    return found


def interval(differences: dict[str, list[float]]) -> tuple[float, float, float]:
    """Mean and 95 % interval over markets that are drawn again, and labels of each."""
    rng, markets = np.random.default_rng(0), list(differences)
    drawn = []
    for _ in range(2000):
        parts = [rng.choice(differences[m], len(differences[m])) for m in rng.choice(markets, len(markets))]
        drawn.append(np.mean(np.concatenate(parts)))
    whole = np.concatenate([differences[m] for m in markets])
    return float(whole.mean()), *map(float, np.quantile(drawn, (0.025, 0.975)))


def report(rows: list[dict[str, Any]]) -> None:
    """Print tables as Markdown."""
    print("| market | label | random | " + " | ".join(CRITERIA) + " | features | p | p gaussian |")
    print("| --- | --- |" + " ---: |" * (4 + len(CRITERIA)))
    for row in rows:
        cells = [f"{np.mean(row['random']):.4f} ± {np.std(row['random'], ddof=1):.4f}"]
        cells += [f"{row[c]:.4f}" for c in CRITERIA] + [str(len(row["discriminant set"]))]
        cells += [f"{row['discriminant p']:.3f}", f"{row['gaussian p']:.3f}"]
        print(f"| {row['market']} {row['normalisation']} | {row['label']} | " + " | ".join(cells) + " |")
    groups = {(row["market"].endswith("m"), row["normalisation"]) for row in rows}
    for group in sorted(groups):
        own = [row for row in rows if (row["market"].endswith("m"), row["normalisation"]) == group]
        print(f"\n{'minutes' if group[0] else 'hours'}, {group[1]}: {len(own)} labels and markets")
        for peer in ("random", "gaussian", "contrast"):
            of_market: dict[str, list[float]] = {}
            for row in own:
                of_market.setdefault(row["market"], []).append(row["discriminant"] - float(np.mean(row[peer])))
            mean, low, high = interval(of_market)
            print(f"  loss of the discriminant's set less {peer}: {mean:+.4f} [{low:+.4f} {high:+.4f}]")
        for c in CRITERIA:
            low_p = sum(row[f"{c} p"] < 0.05 for row in own)
            shared = []
            for market in {row["market"] for row in own}:
                sets = [set(row[f"{c} set"]) for row in own if row["market"] == market]
                shared += [len(a & b) / len(a | b) for a, b in itertools.combinations(sets, 2)]
            print(f"  {c}: p < .05 for {low_p} of {len(own)}; mean Jaccard of two sets {np.mean(shared):.2f}")


def main() -> None:
    """Print a row for each label and market, and paired differences with intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markets", default="BTCUSDTm,BTCUSDT,ETHUSDT,BNBUSDT,LTCUSDT,ADAUSDT")
    parser.add_argument("--normalisations", default="train,local")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", default="")
    args = parser.parse_args()
    if "LABELSEARCH_DATA" not in os.environ:
        sys.exit("this study needs the real bars: set LABELSEARCH_DATA to their folder")
    tasks = [
        (market, which, kind)
        for market in args.markets.split(",")
        for kind in args.normalisations.split(",")
        for which in range(8)
        if kind == "train" or market.endswith("m")
    ]
    with Pool(args.processes) as pool:
        rows = pool.map(one, tasks, chunksize=1)
    if args.out:
        Path(args.out).write_text(json.dumps(rows))
    report(rows)


if __name__ == "__main__":
    main()
