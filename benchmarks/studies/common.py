"""What the studies share: real bars, labels on train, and one fixed network trained quickly.

Studies look at train only. They need the real bars: set LABELSEARCH_DATA to their folder.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from feature_space.indicators import Inputs
from feature_space.normalise import Normalisation
from labelsearch.classifiers.dataset import Batches, Samples, make_samples
from labelsearch.classifiers.fitting import weighted_loss
from labelsearch.classifiers.loss_scaling import balance
from labelsearch.classifiers.networks import build_network
from labelsearch.classifiers.threads import one_thread
from labelsearch.labels.kinds import Label, LabelValues
from labelsearch.labels.spans import purged_split
from labelsearch.market.archive import read
from labelsearch.market.store import Store
from labelsearch.settings.presets import preset
from labelsearch.stages.features import inputs_of, usable_bars
from labelsearch.stages.labels import label_bars, price_of
from labelsearch.stages.plan import RunValues
from labelsearch.stages.training import MarketPart

N_NEUTRAL, N_SAMPLES = 50_000, 120_000
TRAIN_SCALE = Normalisation("train", 1440, 1.0)


class Labelled(NamedTuple):
    """A label on train, its purged rows, and the balance of its loss."""

    values: LabelValues
    fit: NDArray[np.int64]
    validation: NDArray[np.int64]
    balance: float


def real_market() -> MarketPart:
    """Bars of the paper preset before its future; leaves with a message where they are not there."""
    path = Path(os.environ.get("LABELSEARCH_DATA", "")) / "btcusdt_1m.parquet"
    if not path.is_file():
        sys.exit("this study needs the real bars: set LABELSEARCH_DATA to their folder")
    with tempfile.TemporaryDirectory() as store:
        Store(store).save(read(path, "BTCUSDT"))
        values = RunValues(preset("paper"), Path(store))
        windows = values.experiment.windows.named
        bars = values.bars_before_future
        return MarketPart(
            inputs_of(bars), bars.filled, price_of(bars, values.experiment.labels.price),
            windows["train"].rows(bars.open_time), windows["past"].rows(bars.open_time), values.boundary,
            values.warm_up, bars.bars_a_day, bars.number, {},
        )  # fmt: skip


def train_inputs(market: MarketPart) -> Inputs:
    """Indicator inputs of the train window alone."""
    return Inputs(*(column[: market.train.stop] for column in market.inputs))


def labelled(market: MarketPart, label: Label) -> Labelled:
    """The label on bars before past, split into fitted and validation rows."""
    values = label_bars(label, market.price, market.train, market.past.start)
    usable = usable_bars(market.idle[: market.train.stop], market.warm_up)
    fit, validation = purged_split(values.last_used, usable, market.boundary, usable.size)
    return Labelled(values, fit, validation, balance(values.value[fit], values.classes[fit]))


def validation_loss(matrix: NDArray[np.float32], label: Labelled, seed: int, n_epochs: int = 4) -> float:
    """Lowest weighted validation loss of a network of two layers of 64 in a few epochs."""
    rng = np.random.default_rng(seed)
    train = make_samples(matrix, label.values, label.fit, N_NEUTRAL, rng, label.balance)
    if len(train.target) > N_SAMPLES:
        kept = torch.from_numpy(rng.permutation(len(train.target))[:N_SAMPLES])
        train = Samples(*(column[kept] for column in train))
    validation = make_samples(
        matrix, label.values, label.validation, N_NEUTRAL, np.random.default_rng(0), label.balance
    )
    losses = []
    with one_thread():
        torch.manual_seed(seed)
        network = build_network("mlp", matrix.shape[1], width=64, depth=2)
        optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
        for epoch in range(n_epochs):
            network.train()
            for batch in Batches(train, 2048, 100 * seed + epoch):
                optimiser.zero_grad()
                loss = torch.nn.functional.cross_entropy(network(batch.features), batch.target, reduction="none")
                (loss * batch.weights).mean().backward()
                optimiser.step()
            losses.append(weighted_loss(network, validation))
    return min(losses)
