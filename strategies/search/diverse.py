"""A sampler for unlike strategies: quality-diversity search with pyribs, behind Optuna's interface.

Strategies are compared by behaviour, never by weights: equal behaviour comes from many weights. An archive keeps what
is good or far in behaviour from all that is better (Dominated Novelty Search, Bahlous-Boldi, Faldor, Grillotti et al.
2025). Emitters climb the score by CMA-ES (Hansen & Ostermeier 2001), and what is alike to the end of an earlier climb
is worth less by how alike it is, a form of clearing (Petrowski 1996), so that each climb ends elsewhere. A climb
starts from the best of the archive that is unlike to all ends so far. That climbs are steered so is our design.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from strategies.search.budget import Behaviour
from strategies.search.samplers import SMALLEST_SPREAD, OverBox
from strategies.trade.correlation import unit_rows

N_COMPONENTS = 6  # of the residual returns
TRADES_SCALE, POSITION_SCALE = 0.1, 0.5  # of log(1 + trades a month) and of the mean position, beside unit returns
N_EMITTERS = 2  # climbs side by side: two generations of 16 fill the lanes of the simulator
FEWEST_BLOCKS = 8  # before these, residual returns are too few to say what is alike
NEAR = 0.1  # first standard deviation of a climb from the archive, in widths of the box
PATIENCE = 25  # generations without a better strategy after which a climb ends


def measures_of(behaviour: Behaviour, components: np.ndarray) -> np.ndarray:
    """Coordinates (S, C + 2) in the space of behaviours, from components (C, B)."""
    projected = unit_rows(behaviour.residual) @ components.T
    trades = TRADES_SCALE * np.log1p(behaviour.trades_per_month)
    return np.column_stack([projected, trades, POSITION_SCALE * behaviour.mean_position])


class _Seen(NamedTuple):
    """A trial that was simulated over the whole of what is searched."""

    score: float
    residual: np.ndarray
    trades_per_month: float
    mean_position: float


class _Climb:
    """One emitter on its way up, and the generation that it waits for."""

    def __init__(self, archive: Any, start: np.ndarray, spread: float, population: int, seed: int) -> None:
        from ribs.emitters import EvolutionStrategyEmitter

        from strategies.search.boxed_cma import BoxedCma

        self.emitter = EvolutionStrategyEmitter(
            archive,
            x0=start,
            sigma0=spread,
            ranker="obj",
            es=BoxedCma,
            selection_rule="mu",
            restart_rule="basic",
            lower_bounds=np.zeros(len(start)),
            upper_bounds=np.ones(len(start)),
            batch_size=population,
            seed=seed,
        )
        self.points = np.empty((0, len(start)))  # of the generation that is out
        self.n_asked = 0
        self.told: dict[int, tuple[float, _Seen | None]] = {}  # by place in the generation: objective, and behaviour
        self.best = -np.inf
        self.end: np.ndarray | None = None  # residual returns of the best
        self.idle = 0  # generations since it was found

    def ask(self) -> int | None:
        """Place of the next point in the generation, None if all of them are out."""
        if not len(self.points):
            self.points, self.n_asked, self.told = self.emitter.ask(), 0, {}
        if self.n_asked == len(self.points):
            return None
        self.n_asked += 1
        return self.n_asked - 1

    @property
    def is_over(self) -> bool:
        """Whether nothing better is to be expected."""
        spread = float(np.sqrt(np.var(self.points, axis=0).mean())) if len(self.points) else 1.0
        return self.idle >= PATIENCE or spread < SMALLEST_SPREAD


class _Place(NamedTuple):
    """Where a trial comes from."""

    climb: int | None  # number of the climb; None for one at random
    place: int  # in its generation
    point: np.ndarray  # in the unit cube


class DiverseSampler(OverBox):
    """Quality-diversity over a fixed box; it serves `strategies.search.islands.run_island`, which tells it behaviours.

    The first trials are at random: their residual returns give the components of the space of behaviours. After them
    `N_EMITTERS` climbs run side by side.

    Parameters
    ----------
    distributions : mapping of str to FloatDistribution
        The box, without ``log`` or ``step``.
    seed : int
        The proposals follow from it, from the values told and from the behaviours.
    population : int
        Trials of a generation.
    spread : float
        First standard deviation of a climb from a random point, in widths of the box.
    capacity : int
        Strategies that the archive keeps.
    n_pilot : int
        Trials at random before the first climb.
    most_alike : float
        Correlation of residual returns above which two strategies are alike.
    """

    def __init__(
        self,
        distributions: Mapping[str, BaseDistribution],
        seed: int,
        *,
        population: int,
        spread: float,
        capacity: int,
        n_pilot: int,
        most_alike: float,
    ) -> None:
        super().__init__(distributions, seed)
        self.population, self.spread, self.capacity = population, spread, capacity
        self.n_pilot, self.most_alike = n_pilot, most_alike
        self._places: dict[int, _Place] = {}  # by trial number, until it is told
        self._seen: dict[int, _Seen] = {}
        self._pilot: list[tuple[np.ndarray, _Seen]] = []
        self._pilot_scores: list[float] = []
        self._n_random = 0
        self._archive: Any = None
        self._components = np.empty((0, 0))
        self._climbs: dict[int, _Climb] = {}
        self._n_climbs = 0
        self._best = -np.inf
        self.ends: list[np.ndarray] = []  # residual returns of the best of each climb that is over

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        place = self._next()
        self._places[trial.number] = place
        return dict(self._values(place.point))

    def heat(self, number: int) -> int:
        """Trials of the same heat race against each other: those of a climb, and those at random."""
        climb = self._places[number].climb
        return -1 if climb is None else climb

    def _next(self) -> _Place:
        if self._n_random < self.n_pilot:
            self._n_random += 1
            return self._at_random()
        if self._archive is None:
            if len(self._pilot_scores) < self.n_pilot:
                return self._at_random()  # some of the first trials are still out
            self._open_archive()
        while len(self._climbs) < N_EMITTERS:
            self._start_climb()
        for number, climb in self._climbs.items():
            place = climb.ask()
            if place is not None:
                return _Place(number, place, climb.points[place])
        return self._at_random()  # all generations are out

    def _at_random(self) -> _Place:
        return _Place(None, 0, self._rng.random(len(self._low)))

    def _open_archive(self) -> None:
        from ribs.archives import DNSArchive

        residual = [seen.residual for _, seen in self._pilot]
        n_blocks = len(residual[0]) if residual else 1
        unit = unit_rows(np.array(residual).reshape(len(residual), n_blocks))
        self._components = np.linalg.svd(unit, full_matrices=False)[2][:N_COMPONENTS]
        self._archive = DNSArchive(
            solution_dim=len(self._low),
            measure_dim=len(self._components) + 2,
            capacity=self.capacity,
            k_neighbors=3,
            extra_fields={"residual": ((n_blocks,), np.float64)},
        )
        self._add([point for point, _ in self._pilot], [seen for _, seen in self._pilot])

    def _add(self, points: Sequence[np.ndarray] | np.ndarray, seen: Sequence[_Seen]) -> None:
        if not len(points):
            return
        residual = np.array([one.residual for one in seen])
        trades, position = (np.array([getattr(one, name) for one in seen]) for name in _Seen._fields[2:])
        measures = measures_of(Behaviour(residual, trades, position), self._components)
        self._archive.add(np.array(points), np.array([one.score for one in seen]), measures, residual=residual)

    def _start_climb(self) -> None:
        """From the best of the archive that is unlike to all ends; from a random point if there is none."""
        start, spread = self._rng.random(len(self._low)) / 2 + 0.25, self.spread
        if len(self._archive):
            data = self._archive.data(return_type="dict")
            others = [*self.ends, *(climb.end for climb in self._climbs.values() if climb.end is not None)]
            free = np.flatnonzero(self._alike(data["residual"], others) <= self.most_alike)
            if len(free):
                start, spread = data["solution"][free[np.argmax(data["objective"][free])]], NEAR
        seed = int(self._rng.integers(2**31))
        self._climbs[self._n_climbs] = _Climb(self._archive, start, spread, self.population, seed)
        self._n_climbs += 1

    @staticmethod
    def _alike(residual: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
        """Largest correlation (S,) of residual returns (S, B) with some others over the same blocks; -1 without any."""
        if not others:
            return np.full(len(residual), -1.0)
        unit = unit_rows(np.array([other[: residual.shape[1]] for other in others]))
        return np.asarray((unit_rows(residual) @ unit.T).max(axis=1))

    def objective(
        self, numbers: Sequence[int], score: np.ndarray, behaviour: Behaviour, *, complete: bool
    ) -> np.ndarray:
        """What trials are worth to the search: their score (S,), less for what is alike to the end of a climb.

        At the correlation that counts as alike nothing is taken off; at 1, as much as lies between the best strategy
        and the median one at random.
        """
        if complete:
            for row, number in enumerate(numbers):
                figures = float(behaviour.trades_per_month[row]), float(behaviour.mean_position[row])
                self._seen[number] = _Seen(float(score[row]), behaviour.residual[row].copy(), *figures)
        if not self.ends or behaviour.residual.shape[1] < FEWEST_BLOCKS:
            return score
        excess = np.maximum(self._alike(behaviour.residual, self.ends) - self.most_alike, 0.0)
        height = max(self._best - float(np.median(self._pilot_scores)), 0.0)
        return score - height * excess / (1.0 - self.most_alike)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        found = self._places.pop(trial.number, None)
        if found is None:
            return
        seen = self._seen.pop(trial.number, None)
        reported = trial.intermediate_values
        value = values[0] if values is not None else reported[max(reported)] if reported else -np.inf
        if seen is not None:
            self._best = max(self._best, seen.score)
        if found.climb is None:
            if self._archive is None:
                self._pilot_scores.append(value if np.isfinite(value) else -1e12)
                if seen is not None and np.isfinite(seen.score):
                    self._pilot.append((found.point, seen))
            elif seen is not None and np.isfinite(seen.score):
                self._add([found.point], [seen])
            return
        climb = self._climbs[found.climb]
        climb.told[found.place] = (value, seen)
        if len(climb.told) == len(climb.points):
            self._tell(found.climb, climb)

    def _tell(self, number: int, climb: _Climb) -> None:
        """Give a generation to the archive and to its emitter; the climb may be over then."""
        objective = np.array([climb.told[place][0] for place in range(len(climb.points))])
        objective = np.where(np.isfinite(objective), objective, -1e12)
        seen = [climb.told[place][1] for place in range(len(climb.points))]
        whole = [place for place, one in enumerate(seen) if one is not None and np.isfinite(one.score)]
        self._add(climb.points[whole], [one for one in seen if one is not None and np.isfinite(one.score)])
        climb.idle += 1
        for place in whole:
            one = seen[place]
            if one is not None and objective[place] > climb.best:
                climb.best, climb.end, climb.idle = float(objective[place]), one.residual, 0
        width = self._archive.measure_dim
        climb.emitter.tell(
            climb.points,
            objective,
            np.zeros((len(objective), width)),  # the order depends on the objective alone
            {"status": np.zeros(len(objective), dtype=np.int32)},
            residual=np.zeros((len(objective), self._components.shape[1])),
        )
        if climb.is_over:
            if climb.end is not None:
                self.ends.append(climb.end)
            del self._climbs[number]
        else:
            climb.points = climb.points[:0]
