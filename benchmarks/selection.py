"""Separation power reached in equal time: our coordinate search against Optuna's TPE, on the same pairs.

Both choose among the same candidates and pay for each set what it costs them: the coordinate search scores all settings
of one indicator at once, TPE asks for whole sets. TPE gets at least as much time as our search took, and at least
`--trials` trials. Real bars where LABELSEARCH_DATA names them (threshold label of 1.2% in 5 minutes, fitted part of
train), else a synthetic market.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import optuna

from feature_space.candidates import compute_candidates
from feature_space.indicators import INDICATORS, make_inputs
from feature_space.normalise import Normalisation
from feature_space.selection import PairSearch, select
from feature_space.separation import sample_pairs, separation_power
from labelsearch.labels.kinds import Threshold
from labelsearch.market.archive import read
from labelsearch.market.bars import Bars
from labelsearch.market.synthetic import synthetic_bars

FIT_STOP = 840_000  # about the first four fifths of 2018 and 2019


def load_bars() -> tuple[Bars, Threshold, str]:
    """Bars, a label that fits them, and their name."""
    path = Path(os.environ.get("LABELSEARCH_DATA", "")) / "btcusdt_1m.parquet"
    if path.is_file():
        return read(path, "BTCUSDT").rows(0, FIT_STOP).on_grid(), Threshold(0.012, 5), "BTCUSDT 2018-2019"
    return synthetic_bars(200_000, 1, edge=0.1), Threshold(0.003, 5), "synthetic"


def tpe_power(search: PairSearch, seconds: float, min_trials: int, seed: int) -> tuple[float, int, float]:
    """Best separation power by TPE, its trials and its seconds."""
    sizes = np.diff(search.offsets)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, multivariate=False, n_startup_trials=20))
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(study.trials) < min_trials:
        trial = study.ask()
        choice = np.array([trial.suggest_int(str(i), 0, int(n) - 1) for i, n in enumerate(sizes)])
        study.tell(trial, search.mass(choice))
    return separation_power(study.best_value), len(study.trials), time.perf_counter() - start


def main() -> None:
    """Run both and print the ratio; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    bars, label, name = load_bars()
    inputs = make_inputs(bars.vwap, bars.high, bars.low, bars.close, bars.volume, bars.trades)
    classes = label.values(bars.close, 1.0).classes
    rows = np.flatnonzero(~bars.filled)[5000:]
    rng = np.random.default_rng(0)
    cross = sample_pairs(classes, rows, args.pairs, rng, cross=True)
    same = sample_pairs(classes, rows, 1000, rng, cross=False)
    used = np.unique(np.concatenate([cross.left, cross.right, same.left, same.right]))
    scale = Normalisation("train", 1440, 1.0)
    candidates = compute_candidates(INDICATORS, inputs, used, scale, n_values=8, fit_stop=len(bars))
    select(candidates, same, same, n_restarts=1, seed=0)  # compile

    ours, peer, trials, seconds = [], [], [], []
    for seed in range(args.seeds):
        start = time.perf_counter()
        found = select(candidates, cross, same, n_restarts=3, seed=seed)
        taken = time.perf_counter() - start
        power, n_trials, spent = tpe_power(
            PairSearch(candidates, cross, np.random.default_rng(seed)), taken, args.trials, seed
        )
        ours.append(found.power)
        peer.append(power)
        trials.append(n_trials)
        seconds.append((taken, spent))
        print(f"seed {seed}: coordinate search {found.power:,.0f} in {taken:.1f} s, {found.n_evaluations} settings")
        print(f"        TPE {power:,.0f} in {spent:.1f} s, {n_trials} sets; random sets {found.power_random:,.0f}")
    result = {
        "benchmark": "selection",
        "ours": round(float(np.mean(ours)), 1),
        "peer": round(float(np.mean(peer)), 1),
        "ratio": round(float(np.mean(ours) / np.mean(peer)), 3),
        "unit": "separation power",
        "peer_name": "Optuna TPE on the same objective",
        "bars": name,
        "pairs": args.pairs,
        "tpe_trials": trials,
        "seconds": [[round(a, 2), round(b, 2)] for a, b in seconds],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
