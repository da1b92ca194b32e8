"""Does separation buy a lower validation loss? On train alone.

For four labels of both families: the rank correlation between each criterion, measured on the fitted part, and the
validation loss over random feature sets; and the validation loss of the sets that each criterion chooses.
"""

import argparse

import numpy as np
from common import labelled, real_market, train_inputs, validation_loss
from scipy.stats import spearmanr

from feature_space.candidates import compute_candidates
from feature_space.feature_set import FeatureSet
from feature_space.indicators import INDICATORS
from feature_space.normalise import Normalisation
from feature_space.selection import PairSearch, select
from feature_space.separation import Pairs, near_zero_weights, sample_pairs
from labelsearch.labels.kinds import Extrema, Threshold

LABELS = (Threshold(0.012, 5), Threshold(0.012, 60), Extrema(1.0, 0.1), Extrema(2.0, 0.2))
SEEDS = (0, 1, 2)
CRITERIA = ("gaussian", "quantile", "contrast")


def main() -> None:
    """Print a Markdown table; rho is positive where a criterion that prefers a set also foretells a lower loss."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--normalisation", choices=("train", "local"), default="train")
    args = parser.parse_args()
    market = real_market()
    inputs = train_inputs(market)
    normalisation = Normalisation(args.normalisation, 1440, 1.0)
    rng = np.random.default_rng(0)
    parts = {label.name: labelled(market, label) for label in LABELS}
    pairs: dict[str, list[Pairs]] = {}
    for name, part in parts.items():
        kinds = ((True, False), (False, False), (True, True), (False, True))
        pairs[name] = [
            sample_pairs(part.values.classes, part.fit, args.pairs, rng, cross=cross, balanced=balanced)
            for cross, balanced in kinds
        ]
    rows = np.unique(np.concatenate([side for four in pairs.values() for p in four for side in (p.left, p.right)]))
    candidates = compute_candidates(INDICATORS, inputs, rows, normalisation, n_values=8, fit_stop=market.boundary)

    def loss(choice: np.ndarray, name: str) -> float:
        features = tuple(group[c] for group, c in zip(candidates.features, choice, strict=True))
        matrix = FeatureSet(features, normalisation).matrix(inputs)
        return float(np.mean([validation_loss(matrix, parts[name], seed) for seed in SEEDS]))

    choices = [PairSearch(candidates, pairs[LABELS[0].name][0], rng).random_choice() for _ in range(args.sets)]
    print("| label | " + " | ".join(f"rho {c}" for c in CRITERIA) + " | random | " + " | ".join(CRITERIA) + " |")
    print("| --- |" + " ---: |" * (2 * len(CRITERIA) + 1))
    for name in parts:
        cross, same, balanced_cross, balanced_same = pairs[name]
        losses = [loss(choice, name) for choice in choices]
        searches = {c: PairSearch(candidates, cross, rng) for c in CRITERIA[:2]}
        distances = searches["quantile"].distances(choices[0])[0]
        near = float(np.quantile(distances, 0.2))
        searches["quantile"].weights = near_zero_weights(len(INDICATORS), quantile=near)
        searches["contrast"] = PairSearch(candidates, balanced_cross, rng, balanced_same)
        rhos = [spearmanr([s.mass(choice) for choice in choices], losses).statistic for s in searches.values()]
        found = {
            "gaussian": select(candidates, cross, same, n_restarts=3, seed=1),
            "quantile": select(candidates, cross, same, n_restarts=3, seed=1, quantile=0.2),
            "contrast": select(candidates, cross, same, n_restarts=3, seed=1, contrast=(balanced_cross, balanced_same)),
        }
        chosen = []
        for selection in found.values():
            matrix = FeatureSet(selection.features, normalisation).matrix(inputs)
            chosen.append(np.mean([validation_loss(matrix, parts[name], seed) for seed in SEEDS]))
        cells = [f"{rho:+.2f}" for rho in rhos]
        cells.append(f"{np.mean(losses):.4f} ± {np.std(losses, ddof=1):.4f}")
        print(f"| {name} | " + " | ".join([*cells, *(f"{c:.4f}" for c in chosen)]) + " |", flush=True)


if __name__ == "__main__":
    main()
