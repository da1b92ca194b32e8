"""Train one network, and search its hyper-parameters with Optuna and Hyperband, epochs as the budget."""

import copy
import inspect
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import optuna
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from labelsearch.classifiers.dataset import Batches, Samples
from labelsearch.classifiers.losses import LOSSES
from labelsearch.classifiers.networks import Ensemble, build_network, network_kind, window_of
from labelsearch.classifiers.prediction import chunk_rows
from labelsearch.classifiers.threads import one_thread

SAMPLER_ARGUMENTS: dict[str, Any] = {"n_startup_trials": 4, "n_ei_candidates": 24, "multivariate": True}


class Module(pl.LightningModule):
    """A network with its loss and its optimiser."""

    def __init__(
        self, network: nn.Module, learning_rate: float, weight_decay: float, loss: str = "cross_entropy"
    ) -> None:
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
    """Validate after each epoch, keep the best weights, report, and stop where told to."""

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
    """Budget and ranges of the hyper-parameter search.

    ``window`` counts for networks that see windows only; ``n_seeds`` networks of the best hyper-parameters are
    averaged.
    """

    network: str = "mlp"
    n_trials: int = 9
    max_epochs: int = 9
    batch_size: int = 4096
    seed: int = 0
    device: str = "cpu"
    window: int = 32
    loss: str = "cross_entropy"
    n_seeds: int = 1


@dataclass
class Trained:
    """The best network of a search, or the ensemble made from it.

    ``losses`` are the validation losses by epoch of the best trial; the weights are those of the lowest.
    ``validation_loss`` is that of the whole, so for an ensemble not the lowest of them. ``trials`` lists every trial
    with parameters, state, value and losses by epoch; ``study`` tells how they were drawn and pruned.
    """

    kind: str
    options: dict[str, Any]
    network: nn.Module
    losses: list[float]
    validation_loss: float
    trials: list[dict[str, Any]] = field(default_factory=list)
    study: dict[str, Any] = field(default_factory=dict)


def make_trainer(max_epochs: int, device: str, callbacks: list[pl.Callback]) -> pl.Trainer:
    """A Lightning trainer that writes, prints and checks nothing."""
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
    options: dict[str, Any],
    optimiser: dict[str, float],
    seed: int,
    report: Callable[[float, int], bool] = lambda loss, epoch: False,
) -> tuple[nn.Module, list[float]]:
    """Train one network of given hyper-parameters; returns its best epoch, and the validation losses of all."""
    torch.manual_seed(seed)
    network = build_network(settings.network, train.features.shape[-1], **options)
    epochs = _Epochs(validation, report)
    trainer = make_trainer(settings.max_epochs, settings.device, [epochs])
    trainer.fit(Module(network, **optimiser, loss=settings.loss), Batches(train, settings.batch_size, seed))
    network.load_state_dict(epochs.best_state)
    return network.cpu().eval(), epochs.losses


def _ask(trial: optuna.Trial, settings: TrainingSettings) -> tuple[dict[str, Any], dict[str, float]]:
    """Hyper-parameters of the network and of its optimiser."""
    kind = network_kind(settings.network)
    options = kind.suggest(trial)
    optimiser = {
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
    }
    return ({"window": settings.window, **options} if kind.windowed else options), optimiser


def distributions(network: str, parameters: dict[str, Any]) -> dict[str, optuna.distributions.BaseDistribution]:
    """Ranges that a trial's hyper-parameters were drawn from, by name."""
    trial = optuna.trial.FixedTrial(parameters)
    _ask(cast(optuna.Trial, trial), TrainingSettings(network=network))
    return trial.distributions


def _arguments(kind: type, given: dict[str, Any]) -> dict[str, Any]:
    """Class and every argument, defaults included, as JSON can hold them."""
    arguments = {
        name: given.get(name, parameter.default)
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    plain = (bool, int, float, str, type(None))
    shown = {n: v if isinstance(v, plain) else getattr(v, "__name__", repr(v)) for n, v in arguments.items()}
    return {"class": kind.__name__, "arguments": shown}


def _make_study(settings: TrainingSettings) -> tuple[optuna.Study, dict[str, Any]]:
    """The search of one label, and its description."""
    sampler = {"seed": settings.seed, **SAMPLER_ARGUMENTS}
    pruner = {"min_resource": 1, "max_resource": settings.max_epochs, "reduction_factor": 3}
    study = optuna.create_study(
        study_name="network",
        sampler=optuna.samplers.TPESampler(**sampler),
        pruner=optuna.pruners.HyperbandPruner(**pruner),
    )
    return study, {
        "name": study.study_name,
        "direction": study.direction.name,
        "objective": "lowest weighted cross-entropy on the validation part of train, over epochs",
        "n_trials": settings.n_trials,
        "seed": settings.seed,
        "sampler": _arguments(optuna.samplers.TPESampler, sampler),
        "pruner": _arguments(optuna.pruners.HyperbandPruner, pruner),
    }


def _search(
    train: Samples, validation: Samples, settings: TrainingSettings, told: Callable[[int], None]
) -> tuple[Trained, dict[str, float]]:
    """The best trial of a study, and its optimiser's hyper-parameters."""
    best: Trained | None = None
    best_optimiser: dict[str, float] = {}
    study, description = _make_study(settings)
    for _ in range(settings.n_trials):
        trial = study.ask()
        options, optimiser = _ask(trial, settings)

        def report(loss: float, epoch: int, trial: optuna.Trial = trial) -> bool:
            trial.report(loss, step=epoch)
            told(1)
            return trial.should_prune()

        seed = settings.seed * 1000 + trial.number
        network, losses = fit_network(train, validation, settings, options, optimiser, seed, report)
        pruned = len(losses) < settings.max_epochs
        told(settings.max_epochs - len(losses))
        state = optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.COMPLETE
        study.tell(trial, None if pruned else min(losses), state)
        if best is None or min(losses) < best.validation_loss:
            best = Trained(settings.network, options, network, losses, min(losses))
            best_optimiser = optimiser
    if best is None:
        raise ValueError("a network search needs at least one trial")
    best.study = description
    best.trials = [
        {"number": t.number, "state": t.state.name, "value": t.value, "epochs": len(t.intermediate_values),
         "parameters": t.params, "best": min(t.intermediate_values.values()),
         "losses": list(t.intermediate_values.values())}
        for t in study.trials
    ]  # fmt: skip
    return best, best_optimiser


def train_network(
    train: Samples, validation: Samples, settings: TrainingSettings, told: Callable[[int], None] = lambda epochs: None
) -> Trained:
    """Search hyper-parameters and return the network of lowest validation loss, or an ensemble of its like.

    The result depends on samples and settings alone: one torch thread, fixed seeds, a fixed study name. ``told`` is
    called with the epochs that are done or, of a trial that was pruned, will not be.
    """

    def trained(loss: float, epoch: int) -> bool:
        told(1)
        return False

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with one_thread(), warnings.catch_warnings():
        # Lightning asks for loader workers; batches are slices of memory, workers would only copy them.
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        best, optimiser = _search(train, validation, settings, told)
        members = [best.network]
        for k in range(1, settings.n_seeds):
            seed = settings.seed * 1000 + 1000 - k  # counted down, so that no trial has it
            members.append(fit_network(train, validation, settings, best.options, optimiser, seed, trained)[0])
        if len(members) > 1:
            best.network = Ensemble(members).eval()
            best.validation_loss = weighted_loss(best.network, validation)
    return best
