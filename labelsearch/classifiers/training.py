"""Train one network, and search its hyper-parameters with Optuna and Hyperband, epochs as the budget."""

import copy
import inspect
import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import optuna
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from labelsearch.classifiers.dataset import Batches, Samples
from labelsearch.classifiers.draws import Options, suggest
from labelsearch.classifiers.figures import Study, Trial
from labelsearch.classifiers.kinds import NETWORKS
from labelsearch.classifiers.losses import LOSSES
from labelsearch.classifiers.networks import Ensemble, build_network, window_of
from labelsearch.classifiers.prediction import chunk_rows
from labelsearch.classifiers.threads import one_thread

SAMPLER_ARGUMENTS: dict[str, Any] = {"n_startup_trials": 4, "n_ei_candidates": 24, "multivariate": True}


class Module(pl.LightningModule):
    """A network with its loss and its optimiser."""

    def __init__(self, network: nn.Module, learning_rate: float, weight_decay: float, loss: str) -> None:
        super().__init__()
        self.network: nn.Module = network
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.loss = LOSSES[loss]

    def forward(self, features: Tensor) -> Tensor:
        return self.network(features)

    def training_step(self, batch: Samples, batch_index: int) -> Tensor:
        return self.loss(self.network(batch.features), batch.classes, batch.weights)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)


def weighted_loss(network: nn.Module, samples: Samples) -> float:
    """Weighted mean cross-entropy of a network over samples."""
    total, weight = 0.0, 0.0
    network.eval()
    device = next(network.parameters()).device
    with torch.no_grad():
        for batch in Batches(samples, chunk_rows(window_of(network)), seed=None):
            features, classes, weights = (column.to(device) for column in batch)
            loss = nn.functional.cross_entropy(network(features), classes, reduction="none")
            total += float((loss * weights).sum(dtype=torch.float64))
            weight += float(weights.sum(dtype=torch.float64))
    return total / weight


class _Epochs(pl.Callback):
    """After each epoch: validate, keep the best weights, report the loss, and stop if the report says so."""

    def __init__(self, validation: Samples, report: Callable[[float, int], bool]) -> None:
        self.validation = validation
        self.report = report
        self.losses: list[float] = []
        self.best_state: dict[str, Tensor] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        network = cast(Module, pl_module).network
        loss = weighted_loss(network, self.validation)
        if not self.losses or loss < min(self.losses):
            self.best_state = copy.deepcopy(network.state_dict())
        self.losses.append(loss)
        network.train()
        if self.report(loss, len(self.losses)):
            trainer.should_stop = True


@dataclass(frozen=True)
class TrainingSettings:
    """Budget of the hyper-parameter search, and how networks are trained.

    ``window`` matters to networks on windows only; ``n_seeds`` networks of the best hyper-parameters are averaged.
    """

    network: str
    n_trials: int
    max_epochs: int
    batch_size: int
    seed: int
    device: str
    window: int
    loss: str
    n_seeds: int


@dataclass
class Trained:
    """The best network of a search, or an ensemble of networks of its hyper-parameters.

    ``losses`` are the validation losses by epoch of the best trial, whose weights are those of the lowest.
    ``validation_loss`` is that of ``network``, so for an ensemble not the lowest of ``losses``.
    """

    kind: str
    options: Options
    network: nn.Module
    losses: tuple[float, ...]
    validation_loss: float
    trials: tuple[Trial, ...]
    study: Study


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


def fit_network(
    train: Samples,
    validation: Samples,
    settings: TrainingSettings,
    options: Options,
    optimiser: dict[str, float],
    seed: int,
    report: Callable[[float, int], bool] = lambda loss, epoch: False,
) -> tuple[nn.Module, list[float]]:
    """Train one network of given hyper-parameters.

    Returns the network of the best epoch, and the validation losses of all. ``report(loss, epoch)`` is called after
    each epoch, counted from 1, and stops the training by returning True.
    """
    torch.manual_seed(seed)
    network = build_network(settings.network, train.features.shape[-1], **options)
    epochs = _Epochs(validation, report)
    trainer = make_trainer(settings.max_epochs, settings.device, [epochs])
    trainer.fit(Module(network, **optimiser, loss=settings.loss), Batches(train, settings.batch_size, seed))
    network.load_state_dict(epochs.best_state)
    return network.cpu().eval(), epochs.losses


def _arguments(kind: type, given: dict[str, Any]) -> str:
    """JSON of a class and of all its arguments, defaults included."""
    arguments = {
        name: given.get(name, parameter.default)
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    plain = (bool, int, float, str, type(None))
    shown = {n: v if isinstance(v, plain) else getattr(v, "__name__", repr(v)) for n, v in arguments.items()}
    return json.dumps({"class": kind.__name__, "arguments": shown})


def _make_study(settings: TrainingSettings) -> tuple[optuna.Study, Study]:
    """The search of one label, and its description."""
    sampler = {"seed": settings.seed, **SAMPLER_ARGUMENTS}
    pruner = {"min_resource": 1, "max_resource": settings.max_epochs, "reduction_factor": 3}
    study = optuna.create_study(
        study_name="network",
        sampler=optuna.samplers.TPESampler(**sampler),
        pruner=optuna.pruners.HyperbandPruner(**pruner),
    )
    return study, Study(
        objective="lowest weighted cross-entropy on the validation part of train, over epochs",
        direction=study.direction.name,
        n_trials=settings.n_trials,
        seed=settings.seed,
        sampler=_arguments(optuna.samplers.TPESampler, sampler),
        pruner=_arguments(optuna.pruners.HyperbandPruner, pruner),
    )


def _record(trial: optuna.trial.FrozenTrial) -> Trial:
    losses = tuple(trial.intermediate_values.values())
    return Trial(trial.number, trial.state.name, trial.value, len(losses), trial.params, min(losses), losses)


class _Fit(NamedTuple):
    """A network with the hyper-parameters and the validation losses of its training."""

    network: nn.Module
    losses: list[float]
    options: Options
    optimiser: dict[str, float]


def _search(
    train: Samples, validation: Samples, settings: TrainingSettings, progress: Callable[[int], None]
) -> tuple[_Fit, tuple[Trial, ...], Study]:
    """The best trial of a study, all trials, and the description of the study."""
    best: _Fit | None = None
    kind = NETWORKS.find(settings.network)
    study, description = _make_study(settings)
    for _ in range(settings.n_trials):
        trial = study.ask()
        options, optimiser = suggest(trial, kind)
        options = {"window": settings.window, **options} if kind.windowed else options

        def report(loss: float, epoch: int, trial: optuna.Trial = trial) -> bool:
            trial.report(loss, step=epoch)
            progress(1)
            return trial.should_prune()

        seed = settings.seed * 1000 + trial.number
        network, losses = fit_network(train, validation, settings, options, optimiser, seed, report)
        pruned = len(losses) < settings.max_epochs
        progress(settings.max_epochs - len(losses))
        state = optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.COMPLETE
        study.tell(trial, None if pruned else min(losses), state)
        if best is None or min(losses) < min(best.losses):
            best = _Fit(network, losses, options, optimiser)
    if best is None:
        raise ValueError("a network search needs at least one trial")
    return best, tuple(_record(trial) for trial in study.trials), description


def train_network(
    train: Samples,
    validation: Samples,
    settings: TrainingSettings,
    progress: Callable[[int], None] = lambda epochs: None,
) -> Trained:
    """Search hyper-parameters and return the network of lowest validation loss, or an ensemble of such networks.

    The result depends on samples and settings alone: one torch thread, fixed seeds, a fixed study name. ``progress`` is
    called with the number of epochs done, or skipped by a pruned trial, since the last call.

    Raises
    ------
    ValueError
        If the kind of network is unknown, or there are no trials.
    """

    def report(loss: float, epoch: int) -> bool:
        progress(1)
        return False

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with one_thread(), warnings.catch_warnings():
        # Lightning recommends loader workers; batches are slices of memory, which workers would only copy
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        best, trials, study = _search(train, validation, settings, progress)
        network, loss = best.network, min(best.losses)
        if settings.n_seeds > 1:
            # seeds are counted down, so that no trial has them
            seeds = (settings.seed * 1000 + 1000 - k for k in range(1, settings.n_seeds))
            fits = (fit_network(train, validation, settings, best.options, best.optimiser, s, report) for s in seeds)
            network = Ensemble([best.network, *(member for member, _ in fits)]).eval()
            loss = weighted_loss(network, validation)
    return Trained(settings.network, best.options, network, tuple(best.losses), loss, trials, study)
