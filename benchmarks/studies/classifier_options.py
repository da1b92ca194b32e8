"""What temperature scaling, averaged seeds and EnsLoss change, on train alone.

A fixed network is fitted on the first part of train. Its epoch, and its temperature, are chosen on the first half of
validation, purged of the second; the second half judges. Intervals are of paired differences from the plain network,
by blocks of at least a day.
"""

import argparse
import logging
import time
import warnings

import numpy as np
import torch
from common import TRAIN_SCALE, labelled, real_market, train_inputs
from sklearn.metrics import roc_auc_score
from torch import nn

from feature_space.feature_set import Feature, FeatureSet
from feature_space.indicators import INDICATORS
from labelsearch.classifiers.calibration import fit_temperature
from labelsearch.classifiers.dataset import make_samples
from labelsearch.classifiers.fitting import Fit, TrainingSettings
from labelsearch.classifiers.intervals import block_length, paired_difference
from labelsearch.classifiers.loss_scaling import loss_factors
from labelsearch.classifiers.networks import Ensemble
from labelsearch.classifiers.prediction import predict
from labelsearch.classifiers.scores import row_losses
from labelsearch.classifiers.threads import one_thread
from labelsearch.labels.kinds import Extrema, Threshold

LABELS = (Threshold(0.012, 5), Threshold(0.012, 60), Extrema(1.0, 0.1), Extrema(4.0, 0.4))
N_NEUTRAL, DAY, BATCH = 50_000, 1440, 4096
OPTIONS, OPTIMISER = {"width": 64, "depth": 2}, {"learning_rate": 3e-3, "weight_decay": 1e-2}
GROUP = 3  # networks of an average


def calibrated(network: nn.Module, samples) -> nn.Module:
    """The network at its best temperature on the samples."""
    return Ensemble([network], fit_temperature(network, samples)).eval()


def main() -> None:
    """Print a Markdown row per label and variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    market = real_market()
    inputs = train_inputs(market)
    middle = tuple(Feature(i.name, tuple((low + high) // 2 for low, high in i.parameters.values())) for i in INDICATORS)
    matrix = FeatureSet(middle, TRAIN_SCALE).fit(inputs, market.boundary).matrix(inputs)
    print("| label | variant | later loss | less plain | 95% interval | verdict | AUC | temperature | seconds |")
    print("| --- | --- | ---: | ---: | ---: | --- | ---: | ---: | ---: |")
    for label in LABELS:
        part = labelled(market, label)
        values, rows = part.values, part.validation
        half = int(rows[rows.size // 2])
        late = rows[rows >= half]
        rng = np.random.default_rng(0)
        train, early = (
            make_samples(matrix, values, chosen, N_NEUTRAL, rng, part.balance)
            for chosen in (part.fit, rows[values.last_used[rows] < half])
        )
        variants: dict[str, list[nn.Module]] = {}
        seconds = {}
        with one_thread():
            for loss, name in (("cross_entropy", "plain"), ("ensloss", "ensloss")):
                start = time.perf_counter()
                settings = TrainingSettings(
                    network="mlp", n_trials=1, search_rows=10**8, max_epochs=args.epochs, batch_size=BATCH, seed=0,
                    device="cpu", window=1,
                    loss=loss, n_seeds=1,
                )  # fmt: skip
                fits = [Fit(train, early, settings, OPTIONS, OPTIMISER, seed) for seed in range(args.seeds)]
                for fit in fits:
                    fit.advance(args.epochs)
                variants[name] = [fit.best() for fit in fits]
                seconds[name] = (time.perf_counter() - start) / args.seeds
            for name in ("plain", "ensloss"):
                variants[f"{name}, temperature"] = [calibrated(n, early) for n in variants[name]]
            groups = [variants["plain"][k : k + GROUP] for k in range(0, args.seeds, GROUP)]
            variants[f"mean of {GROUP}"] = [Ensemble(members) for members in groups]
            variants[f"mean of {GROUP}, temperature"] = [calibrated(Ensemble(m), early) for m in groups]
        classes = values.classes[late]
        weights = loss_factors(values.value[late], classes, part.balance)
        overlap = float((values.last_used[late] - late + 1).mean())
        block = block_length(overlap, DAY, int(late[-1] - late[0]) + 1)
        reference = None
        for name, networks in variants.items():
            found = [predict(network, matrix, late) for network in networks]
            losses = np.mean([row_losses(p, classes) for p in found], axis=0)
            reference = losses if reference is None else reference
            against = paired_difference(losses, reference, weights, late, block)
            auc = np.mean([roc_auc_score(classes == c, p[:, c]) for p in found for c in (0, 2)])
            hot = [n.temperature for n in networks if isinstance(n, Ensemble)]
            print(
                f"| {label.name} | {name} | {np.average(losses, weights=weights):.4f} | {against.value:+.4f} "
                f"| {against.low:+.4f} to {against.high:+.4f} | {against.verdict} | {auc:.4f} "
                f"| {np.mean(hot) if hot else 1.0:.2f} | {seconds.get(name, float('nan')):.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
