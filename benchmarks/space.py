"""Time to the best label of a search: ours against Optuna's TPE over label and feature settings together.

Ours: `labelsearch.label_space.search`, candidates from a Sobol sequence, Hyperband, feature sets by discriminant, quick
classifiers. The peer, as one would write it by hand: TPE suggests the kind and the options of a label and the setting
of every indicator, scikit-learn's mutual information keeps eight indicators, and its logistic regression is fitted on
the same number of bars. The peer is given our features of all settings, computed once, and one classifier in place of
two. Both are judged by the same skill on the same bars, and the peer has until it reaches our best skill, or
`--patience` times our time. Two years of bitcoin minutes where LABELSEARCH_DATA names them, else a generated market.
"""

import argparse
import itertools
import json
import os
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from feature_space.feature_set import warm_up_of
from feature_space.indicators import INDICATORS
from feature_space.normalise import Normalisation
from labelsearch.classifiers.ablation import stratified_rows
from labelsearch.classifiers.loss_scaling import balance, loss_factors
from labelsearch.classifiers.scores import row_losses
from labelsearch.label_space.judge import LEAST_FITTED, LEAST_JUDGED, N_JUDGED_ACTIONS, fitted_rows
from labelsearch.label_space.market import Parts, SpaceMarket, cut, shared_features
from labelsearch.label_space.ranges import LabelSpace, default_ranges
from labelsearch.label_space.search import SpaceSearch, search_space
from labelsearch.labels.kinds import KINDS, build_label
from labelsearch.labels.spans import DAY_MS
from labelsearch.market.archive import read
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.stages.features import inputs_of
from labelsearch.stages.seeds import Seeds

N_FEATURES, ROWS = 8, 6000


def load_market(threads: int) -> tuple[SpaceMarket, int, str]:
    """A market on train, the end of the bars before validation, and its name."""
    path = Path(os.environ.get("LABELSEARCH_DATA", "")) / "btcusdt_1m.parquet"
    if path.is_file():
        bars, name = read(path, "BTCUSDT").between(17_532 * DAY_MS, 18_262 * DAY_MS).on_grid(), "BTCUSDT 2018-2019"
    else:
        bars, name = synthetic_bars(300_000, 1, edge=0.1).on_grid(), "synthetic"
    normalisation = Normalisation("train", 1440, 1.0)
    first, boundary = warm_up_of(INDICATORS, normalisation), int(0.8 * len(bars))
    features = shared_features(
        INDICATORS, inputs_of(bars), normalisation, n_values=4, fit_stop=boundary, first=first, threads=threads
    )
    usable = ~bars.filled
    usable[:first] = False
    day = bars.open_time // DAY_MS
    return SpaceMarket(features, bars.close, bars.open, day, usable, bars.bars_a_day, 0.001), boundary, name


def peer_skill(market: SpaceMarket, parts: Parts, space: LabelSpace, trial: Any, seeds: Callable[..., int]) -> float:
    """Skill of one trial of the peer; -1 for a label that cannot be judged."""
    from sklearn.feature_selection import mutual_info_classif
    from sklearn.linear_model import LogisticRegression

    kind, options = space.at(space.suggest(trial))
    label = build_label(KINDS.find(kind), options)
    price = market.price[: parts.stop]
    values = label.values(price, label.reference(price[: parts.calibrate]))
    fit = fitted_rows(values, market.usable, parts.start, parts.calibrate)
    later = fitted_rows(values, market.usable, parts.judge, parts.stop)
    if min(np.bincount(values.classes[fit], minlength=3)) < LEAST_FITTED:
        return -1.0
    if min(np.bincount(values.classes[later], minlength=3)) < LEAST_JUDGED:
        return -1.0
    offsets = market.features.offsets
    columns = [
        int(a) + trial.suggest_int(f"f{f}", 0, int(b - a) - 1) for f, (a, b) in enumerate(itertools.pairwise(offsets))
    ]
    rows, importance = stratified_rows(values.classes, fit, ROWS, np.random.default_rng(seeds("rows", trial.number)))
    a = balance(values.value[fit], values.classes[fit])
    weights = loss_factors(values.value[fit], values.classes[fit], a)[np.searchsorted(fit, rows)] * importance
    x, classes = market.features.at(rows, columns).T, values.classes[rows]
    kept = np.argsort(-mutual_info_classif(x, classes, random_state=0))[:N_FEATURES]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(max_iter=200).fit(x[:, kept], classes, weights)
    judged, importance = stratified_rows(
        values.classes, later, N_JUDGED_ACTIONS, np.random.default_rng(seeds("judged", trial.number))
    )
    factors = loss_factors(values.value[later], values.classes[later], a)
    weights = factors[np.searchsorted(later, judged)] * importance
    found = model.predict_proba(market.features.at(judged, columns).T[:, kept]).astype(np.float32)
    known = loss_factors(values.value[fit], values.classes[fit], a)
    constant = np.bincount(values.classes[fit], known, 3) / known.sum()
    base = -np.log(constant)[values.classes[judged]]
    return 1.0 - float(weights @ row_losses(found, values.classes[judged])) / float(weights @ base)


def main() -> None:
    """Run both and print the ratio; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=64)
    parser.add_argument("--patience", type=float, default=4.0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    start = time.perf_counter()
    market, boundary, name = load_market(args.threads)
    shared = time.perf_counter() - start
    parts, seeds = cut(market.features.first, boundary, 0.25), Seeds(1)
    space = LabelSpace(default_ranges(market.bars_a_day), float(np.diff(np.log(market.price[:boundary])).std()))
    search = SpaceSearch(space, args.candidates, "sobol", "skill", ROWS, 12, N_FEATURES, 0.05)
    start = time.perf_counter()
    found = search_space(search, market, parts, seeds, threads=args.threads)
    ours = time.perf_counter() - start
    full = [its for its in found if its.rungs == search.n_rungs and its.value is not None]
    best = max(full, key=lambda its: its.value or 0.0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"features of all settings, shared: {shared:.1f} s")
    label = best.label.name if best.label else ""
    print(f"ours: {args.candidates} candidates in {ours:.1f} s, {len(full)} of them in full")
    print(f"      best skill {best.value:.3f}, {label}")

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=1))
    start, reached = time.perf_counter(), -1.0
    while time.perf_counter() - start < args.patience * ours and reached < (best.value or 0.0):
        trial = study.ask()
        value = peer_skill(market, parts, space, trial, seeds)
        study.tell(trial, value)
        reached = max(reached, value)
    peer = time.perf_counter() - start
    print(f"peer: {len(study.trials)} trials in {peer:.1f} s; best skill {reached:.3f}")
    result = {
        "benchmark": "space",
        "ours": round(ours, 1),
        "peer": round(peer, 1),
        "ratio": round(peer / ours, 2),
        "unit": "seconds",
        "peer_reached_our_skill": reached >= (best.value or 0.0),
        "peer_name": "Optuna TPE, mutual information and logistic regression of scikit-learn",
        "skill": [round(float(best.value or 0.0), 4), round(reached, 4)],
        "candidates": [args.candidates, len(study.trials)],
        "shared_features_s": round(shared, 1),
        "peak_gib": round(peak, 2),
        "bars": name,
        "threads": args.threads,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
