"""The trials of a run as Optuna studies in memory, for tools that read Optuna's storages."""

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from labelsearch.results.classifiers import LabelFigures
from labelsearch.results.run import Results

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

Direction = Literal["minimize", "maximize"]
SHOWN_FIGURES = ("score", "monthly_return_pct", "trades_per_month", "mean_position_pct")


def studies(results: Results, n_strategies: int | None = None, seed: int = 0) -> "BaseStorage":
    """All trials of a run: a study for the network of each label, and one for each island of strategies.

    Parameters
    ----------
    results : Results
        A run whose search is done.
    n_strategies : int, optional
        Keep this many strategies, half of them the best by score and the rest at random; by default all.
    seed : int
        Of the random ones.

    Returns
    -------
    optuna.storages.BaseStorage
        In memory: changes there do not change the run. A strategy's trial has its row of ``strategies.parquet`` as the
        user attribute ``strategy``; its value is the score over all blocks of Hyperband, its one intermediate value
        that over the blocks it reached. The run keeps no times of trials.
    """
    import optuna

    strategies, settings = results.strategies, results.experiment.search
    storage = optuna.storages.InMemoryStorage()
    for figures in results.classifiers.figures:
        if figures.study is None:  # hyper-parameters of another split
            continue
        note = f"Networks of label {figures.label}. Objective: {figures.study.objective}."
        _add(storage, f"network {figures.label}", "minimize", _network_trials(figures), note)
    frame = chosen(strategies.frame, n_strategies, seed)
    space = settings.space(results.experiment.output_names).distributions()
    for island, part in frame.groupby("island"):
        kind = "at random" if part["random"].iloc[0] else f"by {settings.sampler}"
        note = f"{len(part):,} strategies of island {island}, sampled {kind}. Objective: score on past."
        _add(storage, f"strategies, island {island:03d}", "maximize", _strategy_trials(part, space), note)
    return storage


def chosen(frame: pd.DataFrame, n: int | None, seed: int) -> pd.DataFrame:
    """All strategies, or ``n`` of them: half the best by score, the rest at random; in the order of the search."""
    if n is None or n >= len(frame):
        return frame
    order = np.argsort(-frame["score"].to_numpy(), kind="stable")
    n_best = n - n // 2
    rest = np.random.default_rng(seed).choice(order[n_best:], n - n_best, replace=False)
    return frame.iloc[np.sort(np.concatenate([order[:n_best], rest]))]


def _add(storage: "BaseStorage", name: str, direction: Direction, trials: "list[FrozenTrial]", note: str) -> None:
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction=direction)
    finally:
        optuna.logging.set_verbosity(verbosity)
    study.set_user_attr("what", note)
    study.add_trials(trials)


def _network_trials(figures: LabelFigures) -> "list[FrozenTrial]":
    from optuna.trial import TrialState, create_trial

    from labelsearch.classifiers.draws import distributions

    return [
        create_trial(
            state=TrialState[trial.state],
            value=trial.value,
            params=trial.parameters,
            distributions=distributions(figures.network, trial.parameters),
            intermediate_values=dict(enumerate(trial.losses, 1)),
        )
        for trial in figures.trials
    ]


def _strategy_trials(frame: pd.DataFrame, space: "dict[str, BaseDistribution]") -> "list[FrozenTrial]":
    from optuna.trial import TrialState, create_trial

    trials = []
    for row, strategy in zip(frame.to_dict("records"), frame.index, strict=True):
        shown = {name: row[name] for name in SHOWN_FIGURES}
        trials.append(
            create_trial(
                state=TrialState.COMPLETE if row["complete"] else TrialState.PRUNED,
                value=row["rung_score"] if row["complete"] else None,
                params={name: row[name] for name in space},
                distributions=space,
                user_attrs={"strategy": int(strategy), "trial": row["trial"], **shown},
                intermediate_values={row["blocks"]: row["rung_score"]},
            )
        )
    return trials
