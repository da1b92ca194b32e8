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
from labelsearch.classifiers.dataset import Batches, Samples, make_samples
from labelsearch.classifiers.loss_scaling import balance
from labelsearch.classifiers.networks import build_network
from labelsearch.classifiers.threads import one_thread
from labelsearch.classifiers.training import weighted_loss
from labelsearch.labels.kinds import Label, LabelValues
from labelsearch.labels.windows import purged_split
from labelsearch.market.archive import read
from labelsearch.market.store import Store
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.presets import preset
from labelsearch.pipeline.stages.labels import label_until

N_NEUTRAL, N_SAMPLES = 50_000, 120_000


class Labelled(NamedTuple):
    """A label on train, its purged rows, and the balance of its loss."""

    values: LabelValues
    fit: NDArray[np.int64]
    validation: NDArray[np.int64]
    balance: float


def real_context() -> Context:
    """The paper preset on the real bars; leaves with a message where they are not there."""
    path = Path(os.environ.get("LABELSEARCH_DATA", "")) / "btcusdt_1m.parquet"
    if not path.is_file():
        sys.exit("this study needs the real bars: set LABELSEARCH_DATA to their folder")
    store = Path(tempfile.mkdtemp())
    Store(store).save(read(path, "BTCUSDT"))
    context = Context(preset("paper"), store, store)
    _ = context.bars  # read before the folder goes
    return context


def train_inputs(context: Context) -> Inputs:
    """Indicator inputs of the train window alone."""
    return Inputs(*(column[: context.rows("train").stop] for column in context.inputs))


def labelled(context: Context, label: Label) -> Labelled:
    """The label on bars before past, split into fitted and validation rows."""
    values = label_until(context, label, context.rows("past").start)
    usable = context.usable[: values.value.size]
    fit, validation = purged_split(values.last_used, usable, context.boundary, context.rows("train").stop)
    return Labelled(values, fit, validation, balance(values.value[fit], values.classes[fit]))


def validation_loss(matrix: NDArray[np.float32], label: Labelled, seed: int, n_epochs: int = 4) -> float:
    """Lowest weighted validation loss of a network of two layers of 64 in a few epochs."""
    rng = np.random.default_rng(seed)
    train = make_samples(matrix, label.values, label.fit, N_NEUTRAL, rng, label.balance)
    if len(train.classes) > N_SAMPLES:
        kept = torch.from_numpy(rng.permutation(len(train.classes))[:N_SAMPLES])
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
                loss = torch.nn.functional.cross_entropy(network(batch.features), batch.classes, reduction="none")
                (loss * batch.weights).mean().backward()
                optimiser.step()
            losses.append(weighted_loss(network, validation))
    return min(losses)
