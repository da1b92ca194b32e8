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


class AtRandom(RandomSampler):
    """Optuna's RandomSampler over a fixed box, whose trials have the same values as ``relative_params`` at once.

    Parameters
    ----------
    distributions : mapping of str to FloatDistribution
        The box, without ``log`` or ``step``.
    seed : int
    """

    def __init__(self, distributions: Mapping[str, BaseDistribution], seed: int) -> None:
        super().__init__(seed)
        self.distributions = dict(distributions)
        self._low, self._high = bounds_of(self.distributions)
        self._values = np.random.RandomState(seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return dict(self.distributions)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        values = self._values.uniform(self._low, self._high)
        drawn = np.minimum(values, np.nextafter(self._high, self._low))  # the upper end is not drawn
        return dict(zip(self.distributions, drawn.tolist(), strict=True))

    def reseed_rng(self) -> None:
        super().reseed_rng()
        self._values = np.random.RandomState()


def bounds_of(distributions: Mapping[str, BaseDistribution]) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of a box, (P,) each.

    Raises
    ------
    ValueError
        If a parameter is not a plain float.
    """
    plain = [d for d in distributions.values() if isinstance(d, FloatDistribution) and not d.log and d.step is None]
    if len(plain) < len(distributions):
        raise ValueError("only float parameters without log or step are proposed all at once")
    low, high = np.array([(d.low, d.high) for d in plain]).T
    return low, high


class OverBox(BaseSampler):
    """What our samplers over a fixed box share; they propose all parameters of a trial at once.

    Parameters
    ----------
    distributions : mapping of str to FloatDistribution
        The box, without ``log`` or ``step``.
    seed : int

    Raises
    ------
    ValueError
        If a parameter is not a plain float.
    """

    def __init__(self, distributions: Mapping[str, BaseDistribution], seed: int) -> None:
        self.distributions = dict(distributions)
        self._low, self._high = bounds_of(self.distributions)
        self._rng = np.random.default_rng(seed)
        self._others = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return dict(self.distributions)  # callers take fixed parameters out of it

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def _values(self, point: np.ndarray) -> dict[str, float]:
        """Parameters at a point of the unit cube."""
        values = self._low + (self._high - self._low) * point
        return dict(zip(self.distributions, np.clip(values, self._low, self._high).tolist(), strict=True))


class RestartedCma(OverBox):
    """CMA-ES over a fixed box, a new start from a random point whenever it has come to rest.

    Trials may be asked for in any number before the first is told; a generation ends when ``population`` of them are.
    A pruned trial counts with the last value it reported; a failed one, or one that was not proposed here, does not.
    A parameter that is fixed by others counts with the value it was given; one outside of the box is drawn at random.
    A trial none of whose parameters was suggested counts as proposed, by its ``relative_params``.

    Parameters
    ----------
    distributions : mapping of str to FloatDistribution
        The box, without ``log`` or ``step``.
    seed : int
        The proposals follow from it and from the values told.
    population : int
        Trials a generation.
    spread : float
        First standard deviation, in widths of the box.

    Raises
    ------
    ValueError
        If a parameter is not a plain float.
    """

    def __init__(
        self,
        distributions: Mapping[str, BaseDistribution],
        seed: int,
        population: int,
        spread: float,
    ) -> None:
        super().__init__(distributions, seed)
        self.population = population
        self.spread = spread
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

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if len(study.directions) > 1:
            raise ValueError("CMA-ES searches for one objective only")
        point = self._cma.ask()
        self._waiting[trial.number] = (self.n_starts, point)
        values = self._values(point)
        return {
            name: values[name] if name in values else self.sample_independent(study, trial, name, distribution)
            for name, distribution in search_space.items()
        }

    def _point(self, proposed: np.ndarray, params: Mapping[str, Any]) -> np.ndarray | None:
        """Where a trial was evaluated in the unit cube; None if some of its parameters are missing."""
        if not params:
            return proposed
        if not params.keys() >= self.distributions.keys():
            return None
        point = proposed.copy()
        for i, (name, value) in enumerate(self._values(proposed).items()):
            if params[name] != value:  # fixed or enqueued by others
                width = self._high[i] - self._low[i]
                point[i] = np.clip((params[name] - self._low[i]) / width, 0.0, 1.0) if width else 0.0
        return point

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if len(study.directions) > 1:
            raise ValueError("CMA-ES searches for one objective only")
        return super().sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        self._rng = np.random.default_rng()
        self._cma.reseed_rng(int(self._rng.integers(2**31)))
        self._others.reseed_rng()

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        start, proposed = self._waiting.pop(trial.number, (0, np.empty(0)))
        if values is None and state == TrialState.PRUNED and trial.intermediate_values:
            values = [trial.intermediate_values[max(trial.intermediate_values)]]
        if start != self.n_starts or values is None or not np.isfinite(values[0]):
            return
        point = self._point(proposed, trial.params)
        if point is None:
            return
        sign = -1.0 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1.0
        self._told.append((point, sign * values[0]))
        if len(self._told) >= self.population:  # several threads may have told
            told, self._told = self._told[: self.population], self._told[self.population :]
            self._cma.tell(told)
            spread = float(np.sqrt(np.var([point for point, _ in told], axis=0).mean()))
            if self._cma.should_stop() or spread < SMALLEST_SPREAD:
                self._start()


def make_sampler(
    name: str, seed: int, distributions: Mapping[str, BaseDistribution], arguments: Mapping[str, Any]
) -> BaseSampler:
    """Sampler of a name in `strategies.search.islands.SAMPLERS`, with its arguments besides the seed."""
    if name == "cmaes":
        return RestartedCma(distributions, seed, **arguments)
    if name == "diverse":
        from strategies.search.diverse import DiverseSampler  # loads pyribs

        return DiverseSampler(distributions, seed, **arguments)
    if name == "tpe":
        return TPESampler(seed=seed, **arguments)
    if name == "random":
        return AtRandom(distributions, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return QMCSampler(seed=seed, independent_sampler=RandomSampler(seed=seed), **arguments)
