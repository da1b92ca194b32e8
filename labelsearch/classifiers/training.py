"""Train one network, and search its hyper-parameters with Optuna and Hyperband, epochs as the budget."""

import copy
import logging
import warnings
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import optuna
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from labelsearch.classifiers.dataset import Batches, Samples
from labelsearch.classifiers.networks import build_network
from labelsearch.classifiers.threads import one_thread

CHUNK = 8192  # rows of one inference call
SAMPLER_ARGUMENTS: dict[str, Any] = {"n_startup_trials": 4, "n_ei_candidates": 24, "multivariate": True}


class Module(pl.LightningModule):
    """Weighted cross-entropy: the mean over samples of w_t CE_t."""

    def __init__(self, network: nn.Module, learning_rate: float, weight_decay: float) -> None:
        super().__init__()
        self.network: nn.Module = network
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay

    def forward(self, features: Tensor) -> Tensor:
        return self.network(features)

    def training_step(self, batch: Samples, batch_index: int) -> Tensor:
        loss = nn.functional.cross_entropy(self.network(batch.features), batch.classes, reduction="none")
        return (loss * batch.weights).mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )


def weighted_loss(network: nn.Module, samples: Samples) -> float:
    """Weighted mean cross-entropy of a network over samples."""
    total, weight = 0.0, 0.0
    network.eval()
    with torch.no_grad():
        for batch in Batches(samples, CHUNK, seed=None):
            loss = nn.functional.cross_entropy(network(batch.features), batch.classes, reduction="none")
            total += float((loss * batch.weights).sum(dtype=torch.float64))
            weight += float(batch.weights.sum(dtype=torch.float64))
    return total / weight


class _Epochs(pl.Callback):
    """Validate after each epoch, keep the best weights, and report to Optuna."""

    def __init__(self, validation: Samples, trial: optuna.Trial) -> None:
        self.validation = validation
        self.trial = trial
        self.losses: list[float] = []
        self.best_state: dict[str, Tensor] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        network = cast(Module, pl_module).network
        loss = weighted_loss(network, self.validation)
        if not self.losses or loss < min(self.losses):
            self.best_state = copy.deepcopy(network.state_dict())
        self.losses.append(loss)
        network.train()
        self.trial.report(loss, step=len(self.losses))
        if self.trial.should_prune():
            trainer.should_stop = True


@dataclass(frozen=True)
class TrainingSettings:
    """Budget and ranges of the hyper-parameter search."""

    network: str = "mlp"
    n_trials: int = 9
    max_epochs: int = 9
    batch_size: int = 4096
    seed: int = 0
    device: str = "cpu"


@dataclass
class Trained:
    """The best network of a search.

    ``losses`` are its validation losses by epoch; the weights are those of the lowest. ``trials`` lists every trial
    with parameters, state and value.
    """

    kind: str
    options: dict[str, Any]
    network: nn.Module
    losses: list[float]
    trials: list[dict[str, Any]] = field(default_factory=list)

    @property
    def validation_loss(self) -> float:
        """Lowest weighted validation loss."""
        return min(self.losses)


def _suggest(trial: optuna.Trial) -> tuple[dict[str, Any], dict[str, float]]:
    options = {
        "width": trial.suggest_categorical("width", [32, 64, 128]),
        "depth": trial.suggest_int("depth", 1, 3),
        "dropout": trial.suggest_float("dropout", 0.0, 0.3, step=0.1),
    }
    optimiser = {
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
    }
    return options, optimiser


def _fit_trial(
    trial: optuna.Trial, train: Samples, validation: Samples, settings: TrainingSettings
) -> tuple[dict[str, Any], nn.Module, _Epochs]:
    options, optimiser = _suggest(trial)
    seed = settings.seed * 1000 + trial.number
    torch.manual_seed(seed)
    network = build_network(settings.network, train.features.shape[1], **options)
    epochs = _Epochs(validation, trial)
    trainer = pl.Trainer(
        max_epochs=settings.max_epochs,
        accelerator=settings.device,
        devices=1,
        callbacks=[epochs],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        deterministic=True,
    )
    trainer.fit(Module(network, **optimiser), Batches(train, settings.batch_size, seed))
    return options, network.cpu(), epochs


def train_network(train: Samples, validation: Samples, settings: TrainingSettings) -> Trained:
    """Search hyper-parameters and return the network of lowest validation loss.

    The result depends on samples and settings alone: one torch thread, fixed seeds, a fixed study name.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    best: Trained | None = None
    study = optuna.create_study(
        study_name="network",
        sampler=optuna.samplers.TPESampler(seed=settings.seed, **SAMPLER_ARGUMENTS),
        pruner=optuna.pruners.HyperbandPruner(
            min_resource=1, max_resource=settings.max_epochs, reduction_factor=3
        ),
    )
    with one_thread(), warnings.catch_warnings():
        # Lightning asks for loader workers; batches are slices of memory, workers would only copy them.
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        for _ in range(settings.n_trials):
            trial = study.ask()
            options, network, epochs = _fit_trial(trial, train, validation, settings)
            pruned = len(epochs.losses) < settings.max_epochs
            state = optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.COMPLETE
            study.tell(trial, None if pruned else min(epochs.losses), state)
            if best is None or min(epochs.losses) < best.validation_loss:
                network.load_state_dict(epochs.best_state)
                best = Trained(settings.network, options, network.eval(), epochs.losses)
    if best is None:
        raise ValueError("a network search needs at least one trial")
    best.trials = [
        {"number": t.number, "state": t.state.name, "value": t.value, "epochs": len(t.intermediate_values),
         "parameters": t.params, "best": min(t.intermediate_values.values())}
        for t in study.trials
    ]  # fmt: skip
    return best


def predict(network: nn.Module, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Class probabilities, float32 (T, 3), from features (T, F).

    Rows go through in full chunks, the last one padded, on one thread: the probabilities of a row then have the same
    bits whatever bars follow it.
    """
    out = np.empty((matrix.shape[0], 3), dtype=np.float32)
    network.eval()
    with one_thread(), torch.no_grad():
        for start in range(0, matrix.shape[0], CHUNK):
            rows = matrix[start : start + CHUNK]
            chunk = np.zeros((CHUNK, matrix.shape[1]), dtype=np.float32)
            chunk[: len(rows)] = rows
            out[start : start + CHUNK] = torch.softmax(network(torch.from_numpy(chunk)), 1)[: len(rows)]
    return out
