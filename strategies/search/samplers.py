"""Optuna samplers by name, all of their arguments written down, because Optuna's defaults change.

``cmaes`` is ours behind Optuna's interface: Optuna's own rebuilds its state from the storage at every trial and has
no restarts. The strategy of Hansen and Ostermeier (2001) comes from the package ``cmaes``.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

SMALLEST_SPREAD = 0.01  # of a generation, in widths of the box: below it the search has come to its end


class RestartedCma(BaseSampler):
    """CMA-ES over a fixed box, a new start from a random point whenever it has come to rest.

    Trials may be asked for in any number before the first is told; a generation ends when ``population`` of them are.
    A pruned trial counts with the last value it reported.

    Parameters
    ----------
    distributions : mapping of str to FloatDistribution
        The box; every trial is asked for all of it.
    seed : int
        The proposals follow from it and from the values told.
    population : int
        Trials a generation.
    spread : float
        First standard deviation, in widths of the box.
    """

    def __init__(
        self,
        distributions: Mapping[str, BaseDistribution],
        seed: int,
        population: int,
        spread: float,
    ) -> None:
        self.distributions = dict(distributions)
        self.population = population
        self.spread = spread
        bounds = [(d.low, d.high) for d in self.distributions.values() if isinstance(d, FloatDistribution)]
        if len(bounds) < len(self.distributions):
            raise ValueError("CMA-ES searches float parameters only")
        self._low, self._high = np.array(bounds).T
        self._rng = np.random.default_rng(seed)
        self._waiting: dict[int, tuple[int, np.ndarray]] = {}  # by trial number: start it belongs to, and point
        self._told: list[tuple[np.ndarray, float]] = []
        self.n_starts = 0
        self._start()

    def _start(self) -> None:
        from cmaes import CMA

        n = len(self.distributions)
        self.n_starts += 1
        self._told = []
        self._cma = CMA(
            mean=self._rng.uniform(0.25, 0.75, n),
            sigma=self.spread,
            bounds=np.tile([0.0, 1.0], (n, 1)),
            population_size=self.population,
            n_max_resampling=1,  # then at the edge of the box, where good strategies often lie
            seed=int(self._rng.integers(2**31)),
        )

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.distributions

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        point = self._cma.ask()
        self._waiting[trial.number] = (self.n_starts, point)
        values = self._low + (self._high - self._low) * point
        return dict(zip(self.distributions, np.clip(values, self._low, self._high).tolist(), strict=True))

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        raise ValueError(f"CMA-ES was not told of parameter {param_name!r}")

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        start, point = self._waiting.pop(trial.number)
        if values is None and trial.intermediate_values:
            values = [trial.intermediate_values[max(trial.intermediate_values)]]
        if start != self.n_starts or values is None or not np.isfinite(values[0]):
            return
        sign = -1.0 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1.0
        self._told.append((point, sign * values[0]))
        if len(self._told) == self.population:
            self._cma.tell(self._told)
            spread = float(np.sqrt(np.var([point for point, _ in self._told], axis=0).mean()))
            self._told = []
            if self._cma.should_stop() or spread < SMALLEST_SPREAD:
                self._start()


def make_sampler(
    name: str, seed: int, distributions: Mapping[str, BaseDistribution], arguments: Mapping[str, Any]
) -> BaseSampler:
    """Sampler of a name in `strategies.search.islands.SAMPLERS`, with its arguments besides the seed."""
    if name == "cmaes":
        return RestartedCma(distributions, seed, **arguments)
    if name == "tpe":
        return TPESampler(seed=seed, **arguments)
    at_random = RandomSampler(seed=seed)
    if name == "random":
        return at_random
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return QMCSampler(seed=seed, independent_sampler=at_random, **arguments)
