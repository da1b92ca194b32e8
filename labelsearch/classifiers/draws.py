"""Hyper-parameters of networks, drawn by the trials of Optuna. Importing this loads no torch."""

from typing import Any, cast

from optuna import Trial
from optuna.distributions import BaseDistribution
from optuna.trial import FixedTrial

from labelsearch.classifiers.kinds import NETWORKS, Choice, NetworkKind, Options, Step


def suggest_options(trial: Trial, kind: NetworkKind) -> Options:
    """Hyper-parameters of a network, drawn in the order of the ranges of its kind."""
    options: Options = {}
    for one in kind.ranges:
        if isinstance(one, Choice):
            chosen: Any = trial.suggest_categorical(one.name, one.values)
            options[one.name] = chosen
        elif isinstance(one, Step):
            options[one.name] = trial.suggest_float(one.name, one.low, one.high, step=one.step)
        else:
            options[one.name] = trial.suggest_int(one.name, one.low, one.high)
    return options


def suggest(trial: Trial, kind: NetworkKind) -> tuple[Options, dict[str, float]]:
    """Hyper-parameters of a network and of its optimiser."""
    return suggest_options(trial, kind), {
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
    }


def distributions(network: str, parameters: Options) -> dict[str, BaseDistribution]:
    """Optuna distributions, by name, that the hyper-parameters of a trial were drawn from."""
    trial = FixedTrial(parameters)
    suggest(cast(Trial, trial), NETWORKS.find(network))
    return trial.distributions
