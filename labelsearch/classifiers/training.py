"""Search the hyper-parameters of a network with Optuna and Hyperband, epochs as the budget."""

import inspect
import json
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np
import optuna
from torch import nn

from labelsearch.classifiers.dataset import Samples, thinned
from labelsearch.classifiers.draws import Options, suggest
from labelsearch.classifiers.figures import Study, Trial
from labelsearch.classifiers.fitting import Fit, TrainingSettings, weighted_loss
from labelsearch.classifiers.hyperband import brackets
from labelsearch.classifiers.kinds import NETWORKS
from labelsearch.classifiers.networks import averaged
from labelsearch.classifiers.threads import one_thread

SMALLEST_BATCH = 512  # of trials; smaller ones take longer than they save
SAMPLER_ARGUMENTS: dict[str, Any] = {"n_startup_trials": 4, "n_ei_candidates": 24, "multivariate": True}


class Fold(NamedTuple):
    """Samples that a network is trained on, and those that it is compared by."""

    train: Samples
    validation: Samples


@dataclass
class Trained:
    """The best network of a search, or an ensemble of networks of its hyper-parameters.

    ``losses`` are the validation losses by epoch of the first network of the best hyper-parameters, whose weights are
    those of the lowest. Without a search there are no trials and no study.
    ``validation_loss`` is that of ``network``, so for an ensemble not the lowest of ``losses``.
    """

    kind: str
    options: Options
    network: nn.Module
    losses: tuple[float, ...]
    validation_loss: float
    trials: tuple[Trial, ...]
    study: Study | None


def _of_trials(settings: TrainingSettings, n_samples: int) -> TrainingSettings:
    """Settings of a trial, whose batches are as much smaller as its samples are fewer: it takes as many steps."""
    share = min(1.0, settings.search_rows / n_samples)
    batch = max(round(settings.batch_size * share), min(SMALLEST_BATCH, settings.batch_size))
    return replace(settings, batch_size=batch)


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


def _make_study(settings: TrainingSettings, n_folds: int) -> tuple[optuna.Study, Study]:
    """The search of one label, and its description."""
    sampler = {"seed": settings.seed, **SAMPLER_ARGUMENTS}
    study = optuna.create_study(
        study_name="network",
        sampler=optuna.samplers.TPESampler(**sampler),
        pruner=optuna.pruners.NopPruner(),  # whole brackets are compared below
    )
    loss = settings.magnitude.name if settings.magnitude else "cross-entropy"
    shown = [{"trials": n, "epochs": epochs} for n, epochs in brackets(settings.n_trials, settings.max_epochs)]
    where = f"mean of {n_folds} folds of train" if n_folds > 1 else "validation part of train"
    return study, Study(
        objective=f"lowest weighted {loss} on the {where}, over epochs",
        direction=study.direction.name,
        n_trials=settings.n_trials,
        seed=settings.seed,
        sampler=_arguments(optuna.samplers.TPESampler, sampler),
        pruner=json.dumps({"class": "Hyperband", "arguments": {"reduction_factor": 3, "brackets": shown}}),
    )


def _record(trial: optuna.trial.FrozenTrial) -> Trial:
    losses = tuple(trial.intermediate_values.values())
    return Trial(trial.number, trial.state.name, trial.value, len(losses), trial.params, min(losses), losses)


class _Winner(NamedTuple):
    """The best hyper-parameters, the seed of their network, and its training if it has been in full."""

    options: Options
    optimiser: dict[str, float]
    seed: int
    fit: Fit | None


class _Candidate(NamedTuple):
    """A trial, its hyper-parameters and its training on each fold, the last part of train first."""

    trial: optuna.Trial
    options: Options
    optimiser: dict[str, float]
    seed: int
    fits: list[Fit]

    @property
    def losses(self) -> list[float]:
        """Means over the folds, by epoch."""
        return [sum(losses) / len(losses) for losses in zip(*(fit.losses for fit in self.fits), strict=True)]

    @property
    def loss(self) -> float:
        """The lowest so far."""
        return min(self.losses)


def _search(
    folds: Sequence[Fold], settings: TrainingSettings, n_samples: Sequence[int], progress: Callable[[int], None]
) -> tuple[_Candidate, tuple[Trial, ...], Study]:
    """The best trial of a study, all trials, and the description of the study.

    ``n_samples`` are the samples that those of each fold were drawn from.
    """
    study, description = _make_study(settings, len(folds))
    of_folds = [_of_trials(settings, n) for n in n_samples]
    best: _Candidate | None = None

    def ask() -> _Candidate:
        trial = study.ask()
        options, optimiser = _drawn(trial, settings)
        seed = settings.seed * 1000 + trial.number
        fits = [
            Fit(*fold, of_fold, options, optimiser, seed, lambda: progress(1))
            for fold, of_fold in zip(folds, of_folds, strict=True)
        ]
        return _Candidate(trial, options, optimiser, seed, fits)

    for n, rungs in brackets(settings.n_trials, settings.max_epochs):
        at_work = [ask() for _ in range(n)]
        for epochs in rungs:
            for fit in (fit for candidate in at_work for fit in candidate.fits):
                fit.advance(epochs)
            at_work.sort(key=lambda candidate: candidate.loss)  # stable: the earlier of equals stays
            stay = len(at_work) if epochs == settings.max_epochs else max(1, len(at_work) // 3)
            best = min([*([best] if best else []), at_work[0]], key=lambda candidate: candidate.loss)
            for candidate in at_work[stay:]:
                _tell(study, candidate, optuna.trial.TrialState.PRUNED)
                progress((settings.max_epochs - epochs) * len(folds))
            at_work = at_work[:stay]
        for candidate in at_work:
            _tell(study, candidate, optuna.trial.TrialState.COMPLETE)
    if best is None:
        raise ValueError("a network search needs at least one trial")
    return best, tuple(_record(trial) for trial in study.trials), description


def _drawn(trial: optuna.Trial, settings: TrainingSettings) -> tuple[Options, dict[str, float]]:
    """Hyper-parameters of a network, with its window, and of its optimiser."""
    kind = NETWORKS.find(settings.network)
    options, optimiser = suggest(trial, kind)
    return {"window": settings.window, **options} if kind.windowed else options, optimiser


def _tell(study: optuna.Study, candidate: _Candidate, state: optuna.trial.TrialState) -> None:
    for epoch, loss in enumerate(candidate.losses, 1):
        candidate.trial.report(loss, step=epoch)
    is_complete = state == optuna.trial.TrialState.COMPLETE
    study.tell(candidate.trial, candidate.loss if is_complete else None, state)


def _found(
    folds: Sequence[Fold], settings: TrainingSettings, progress: Callable[[int], None]
) -> tuple[_Winner, tuple[Trial, ...], Study]:
    """Search on a few of the samples of each fold."""
    rng = np.random.default_rng(settings.seed)
    few = [Fold(*(thinned(samples, settings.search_rows, rng) for samples in fold)) for fold in folds]
    best, trials, study = _search(few, settings, [len(fold.train.target) for fold in folds], progress)
    is_all = all(thin is samples for thin, samples in zip(few[0], folds[0], strict=True))
    is_whole = is_all and len(best.fits[0].losses) == settings.max_epochs
    winner = _Winner(best.options, best.optimiser, best.seed, best.fits[0] if is_whole else None)
    return winner, trials, study


def train_network(
    train: Samples,
    validation: Samples,
    settings: TrainingSettings,
    progress: Callable[[int], None] = lambda epochs: None,
    known: Options | None = None,
    folds: Sequence[Fold] = (),
    bag: Callable[[int], Samples] | None = None,
) -> Trained:
    """Search hyper-parameters and return the network of lowest validation loss, or an ensemble of such networks.

    The result depends on samples and settings alone: one torch thread, fixed seeds, a fixed study name.

    Parameters
    ----------
    train, validation : Samples
    settings : TrainingSettings
    progress : callable
        Called with the number of epochs done, or skipped by a pruned trial, since the last call.
    known : dict, optional
        The hyper-parameters, as a trial has them; none are searched then.
    folds : sequence of Fold
        Further folds of train: the loss of a trial is the mean over these and the first two arguments, epoch by epoch.
    bag : callable, optional
        ``bag(k)``: the samples that the k-th of the averaged networks is trained on, in place of ``train``.

    Raises
    ------
    ValueError
        If the kind of network is unknown, or there are no trials.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with one_thread(), warnings.catch_warnings():
        # Lightning recommends loader workers; batches are slices of memory, which workers would only copy
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        trials: tuple[Trial, ...] = ()
        study: Study | None = None
        if known is None:
            best, trials, study = _found([Fold(train, validation), *folds], settings, progress)
        else:
            trial = cast(optuna.Trial, optuna.trial.FixedTrial(known))
            best = _Winner(*_drawn(trial, settings), settings.seed * 1000, None)
        # seeds are counted down, so that no trial has them
        seeds = [best.seed, *(settings.seed * 1000 + 1000 - k for k in range(1, settings.n_seeds))]
        fits = [] if best.fit is None or bag is not None else [best.fit]
        for k, seed in enumerate(seeds[len(fits) :], len(fits)):
            of_member = train if bag is None else bag(k)
            fit = Fit(of_member, validation, settings, best.options, best.optimiser, seed, lambda: progress(1))
            fit.advance(settings.max_epochs)
            fits.append(fit)
        network, losses = fits[0].best(), fits[0].losses
        loss = min(losses)
        if len(fits) > 1:
            network = averaged([network, *(fit.best() for fit in fits[1:])], settings.head)
            loss = weighted_loss(network, validation, settings.row_losses)
    return Trained(settings.network, best.options, network, tuple(losses), loss, trials, study)
