"""Train one network of given hyper-parameters with PyTorch Lightning."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from labelsearch.classifiers.dataset import Batches, Samples
from labelsearch.classifiers.draws import Options
from labelsearch.classifiers.losses import LOSSES, Loss, MagnitudeLoss, RowLosses, cross_entropies
from labelsearch.classifiers.networks import build_network, window_of
from labelsearch.classifiers.prediction import chunk_rows


class Module(pl.LightningModule):
    """A network with its batches, its loss and its optimiser.

    A step of Lightning is an epoch: what its own loop does around each batch takes longer than a small network's
    gradient.
    """

    def __init__(
        self, network: nn.Module, batches: Batches, learning_rate: float, weight_decay: float, loss: Loss
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network: nn.Module = network
        self.batches = batches
        self._optimiser: torch.optim.Optimizer | None = None
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.loss = loss

    def forward(self, features: Tensor) -> Tensor:
        return self.network(features)

    def train_dataloader(self) -> list[int]:
        return [0]  # one step an epoch

    def training_step(self, step: int, step_index: int) -> None:
        optimiser = cast(torch.optim.Optimizer, self.optimizers(use_pl_optimizer=False))
        for batch in self.batches:
            features, target, weights = (column.to(self.device) for column in batch)
            optimiser.zero_grad()
            self.loss(self.network(features), target, weights).backward()
            optimiser.step()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self._optimiser is None:  # a later trainer goes on with its moments
            self._optimiser = torch.optim.AdamW(
                self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
            )
        return self._optimiser


def weighted_loss(network: nn.Module, samples: Samples, losses: RowLosses = cross_entropies) -> float:
    """Weighted mean loss of a network over samples, by default their cross-entropy."""
    total, weight = 0.0, 0.0
    network.eval()
    device = next(network.parameters()).device
    with torch.no_grad():
        for batch in Batches(samples, chunk_rows(window_of(network)), seed=None):
            features, target, weights = (column.to(device) for column in batch)
            loss = losses(network(features), target)
            total += float((loss * weights).sum(dtype=torch.float64))
            weight += float(weights.sum(dtype=torch.float64))
    return total / weight


class _Epochs(pl.Callback):
    """After each epoch: validate, keep the best weights, and report."""

    def __init__(self, validation: Samples, row_losses: RowLosses, report: Callable[[], None]) -> None:
        self.validation, self.row_losses = validation, row_losses
        self.report = report
        self.losses: list[float] = []
        self.best_state: dict[str, Tensor] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        network = cast(Module, pl_module).network
        loss = weighted_loss(network, self.validation, self.row_losses)
        if not self.losses or loss < min(self.losses):
            self.best_state = copy.deepcopy(network.state_dict())
        self.losses.append(loss)
        network.train()
        self.report()


@dataclass(frozen=True)
class TrainingSettings:
    """Budget of the hyper-parameter search, and how networks are trained.

    ``search_rows``: samples that a trial is trained on, as `labelsearch.classifiers.dataset.thinned`, in batches that
    are smaller by as much; the best hyper-parameters are then trained on all samples.
    ``window`` matters to networks on windows only; ``n_seeds`` networks of the best hyper-parameters are averaged.
    """

    network: str
    n_trials: int
    search_rows: int
    max_epochs: int
    batch_size: int
    seed: int
    device: str
    window: int
    loss: str
    n_seeds: int
    magnitude: MagnitudeLoss | None = None  # of a label whose moves are predicted, in place of ``loss``

    @property
    def head(self) -> str:
        """What networks predict, a key of `labelsearch.labels.base.HEADS`."""
        return "magnitude" if self.magnitude else "classes"

    @property
    def batch_loss(self) -> Loss:
        """Loss that is trained with."""
        return self.magnitude.mean if self.magnitude else LOSSES[self.loss]

    @property
    def row_losses(self) -> RowLosses:
        """Losses by which epochs and hyper-parameters are compared."""
        return self.magnitude.rows if self.magnitude else cross_entropies


def make_trainer(max_epochs: int, device: str, callbacks: list[pl.Callback]) -> pl.Trainer:
    """A Lightning trainer without logs, checkpoints, progress bar and checks."""
    return pl.Trainer(
        max_epochs=max_epochs,
        accelerator=device,
        devices=1,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        deterministic=True,
    )


class Fit:
    """The training of one network of given hyper-parameters, which goes on where it was left, with the same bits.

    Attributes
    ----------
    losses : list of float
        Validation losses by epoch.
    """

    def __init__(
        self,
        train: Samples,
        validation: Samples,
        settings: TrainingSettings,
        options: Options,
        optimiser: dict[str, float],
        seed: int,
        report: Callable[[], None] = lambda: None,
    ) -> None:
        torch.manual_seed(seed)
        network = build_network(settings.network, train.features.shape[-1], settings.head, **options)
        batches = Batches(train, settings.batch_size, seed)
        self._module = Module(network, batches, **optimiser, loss=settings.batch_loss)
        self._epochs = _Epochs(validation, settings.row_losses, report)
        self._device = settings.device
        self._random = torch.get_rng_state()
        self.losses = self._epochs.losses

    def advance(self, epochs: int) -> None:
        """Train until so many epochs are done in all; ``report()`` of the constructor is called after each."""
        torch.set_rng_state(self._random)  # other trainings may have been at work in between
        make_trainer(epochs - len(self.losses), self._device, [self._epochs]).fit(self._module)
        self._random = torch.get_rng_state()

    def best(self) -> nn.Module:
        """The network of the best epoch; the training is over then."""
        network = self._module.network
        network.load_state_dict(self._epochs.best_state)
        return network.cpu().eval()
