"""The search: Optuna proposes, Hyperband drops, in islands that are pure functions of their seed.

Bayesian optimisation with HyperBand over 20,000 strategies is Balcerak & Schmelzer 2020; the islands are
ours. Samplers and Hyperband cost time that grows with the trials they have seen (a Parzen sampler tens of times
more at 20,000 trials than at 1,000), so the population is grown on islands that do not see each other, and in
parallel if the caller maps `run_island` over processes. A share of the trials is at random, on islands of its
own: the full range from bad to good is kept.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from strategies import StrategyError
from strategies.search.budget import BUDGETS, Spent, rungs, spending

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

SAMPLERS = ("cmaes", "diverse", "tpe", "qmc", "random")


@dataclass(frozen=True)
class SearchSettings:
    """How to search. All of the sampler's arguments are here, because Optuna's defaults change.

    Parameters
    ----------
    n_strategies : int
        Trials in all, pruned ones among them.
    island_size : int
        Trials of one island; the last island takes what is left.
    sampler : {"cmaes", "diverse", "tpe", "qmc", "random"}
        Sampler of the islands that are not random.
    random_share : float
        Share of the trials at random, in [0, 1].
    batch : int
        Trials asked for at once and simulated side by side.
    eta, n_blocks, min_blocks : int
        Hyperband: reduction factor, blocks of the whole window, blocks of the first rung.
    budget : {"blocks", "prefix"}
        Which blocks come first, see `strategies.search.budget.block_order`.
    population, spread
        Arguments of `strategies.search.samplers.RestartedCma` and `strategies.search.diverse.DiverseSampler`.
    capacity, n_pilot, most_alike
        Arguments of `strategies.search.diverse.DiverseSampler`.
    n_startup_trials, n_ei_candidates, multivariate, constant_liar
        Arguments of Optuna's TPESampler; group is off.
    halved : bool
        Whether the search sees half A of past alone, and strategies are selected on half B, see
        `strategies.search.halves`.
    seed : int
        Everything follows from it.

    Raises
    ------
    StrategyError
        If a name is unknown or a number out of range.
    """

    n_strategies: int = 20_000
    island_size: int = 2_000
    sampler: str = "cmaes"
    random_share: float = 0.2
    batch: int = 32
    eta: int = 3
    n_blocks: int = 27
    min_blocks: int = 3
    budget: str = "blocks"
    population: int = 16
    spread: float = 0.25
    capacity: int = 200
    n_pilot: int = 128
    most_alike: float = 0.7
    n_startup_trials: int = 32
    n_ei_candidates: int = 24
    multivariate: bool = False  # better on a weak planted edge, at four times the time
    constant_liar: bool = True
    halved: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise StrategyError(f"sampler {self.sampler!r} is unknown, choose from {', '.join(SAMPLERS)}")
        if self.budget not in BUDGETS:
            raise StrategyError(f"budget {self.budget!r} is unknown, choose from {', '.join(BUDGETS)}")
        if not 0 <= self.random_share <= 1:
            raise StrategyError(f"random_share must be in [0, 1], not {self.random_share}")
        if min(self.n_strategies, self.island_size, self.batch, self.min_blocks) < 1 or self.eta < 2:
            raise StrategyError("n_strategies, island_size, batch and min_blocks must be at least 1, eta at least 2")
        if self.n_blocks < self.min_blocks or self.seed < 0:
            raise StrategyError("n_blocks must be at least min_blocks, and seed not negative")
        if self.population < 2 or not 0 < self.spread <= 1:
            raise StrategyError("population must be at least 2, and spread in (0, 1]")
        if min(self.capacity, self.n_pilot) < 1 or not 0 <= self.most_alike < 1:
            raise StrategyError("capacity and n_pilot must be at least 1, and most_alike in [0, 1)")

    def sampler_arguments(self, sampler: str) -> dict[str, Any]:
        """Arguments of a sampler besides its seed."""
        if sampler == "cmaes":
            return {"population": self.population, "spread": self.spread}
        if sampler == "diverse":
            return {name: getattr(self, name) for name in ("population", "spread", "capacity", "n_pilot", "most_alike")}
        if sampler == "tpe":
            names = ("n_startup_trials", "n_ei_candidates", "multivariate", "constant_liar")
            return {**{name: getattr(self, name) for name in names}, "group": False}
        if sampler == "qmc":
            quiet = {"warn_asynchronous_seeding": False, "warn_independent_sampling": False}
            return {"qmc_type": "sobol", "scramble": True, **quiet}
        return {}


@dataclass(frozen=True)
class IslandTask:
    """One island: all that `run_island` needs besides the problem."""

    index: int
    n_trials: int
    sampler: str
    sampler_seed: int
    study_name: str  # Hyperband draws each trial's bracket from the name and the trial's number
    settings: SearchSettings


class Space(Protocol):
    """A box of parameters."""

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names in column order."""

    @property
    def n_params(self) -> int:
        """P, the number of parameters."""

    def distributions(self) -> "dict[str, BaseDistribution]":
        """The box for Optuna, by parameter name."""

    def from_optuna(self, params: Mapping[str, float]) -> np.ndarray:
        """Parameter row (P,) of a trial."""


class Problem(Protocol):
    """What is searched; `strategies.search.budget.spending` knows how it is spent."""

    @property
    def space(self) -> Space:
        """The box that is searched."""


class IslandResult(NamedTuple):
    """Trials of an island in the order asked for, n of them."""

    island: int
    sampler: str
    params: np.ndarray  # (n, P)
    rung_score: np.ndarray  # (n,) score over the blocks reached
    blocks: np.ndarray  # (n,) int64, blocks reached
    complete: np.ndarray  # (n,) bool, False for pruned
    trial: np.ndarray  # (n,) int64, the trial's number on its island


class Population(NamedTuple):
    """All islands together, in order of island and trial; fields as in `IslandResult`, (S, ...) each."""

    params: np.ndarray
    rung_score: np.ndarray
    blocks: np.ndarray
    complete: np.ndarray
    trial: np.ndarray
    island: np.ndarray  # (S,) int64
    random: np.ndarray  # (S,) bool, from an island that samples at random

    @property
    def n_pruned(self) -> int:
        """Trials that Hyperband dropped; they count as trials."""
        return int((~self.complete).sum())


def islands(settings: SearchSettings) -> tuple[IslandTask, ...]:
    """Tasks of all islands; each one's seed depends on the settings' seed, its kind and its number among its kind."""
    n_random = round(settings.n_strategies * settings.random_share)
    kinds = ((settings.sampler, settings.n_strategies - n_random), ("random", n_random))
    tasks: list[IslandTask] = []
    for kind, (sampler, n_trials) in enumerate(kinds):
        for number, start in enumerate(range(0, n_trials, settings.island_size)):
            seed = np.random.SeedSequence(settings.seed, spawn_key=(kind, number)).generate_state(1)[0]
            tasks.append(
                IslandTask(
                    index=len(tasks),
                    n_trials=min(settings.island_size, n_trials - start),
                    sampler=sampler,
                    sampler_seed=int(seed),
                    study_name=f"seed-{settings.seed}-{sampler}-{kind}-{number}",
                    settings=settings,
                )
            )
    return tuple(tasks)


def run_island(task: IslandTask, problem: Problem, told: Callable[[int], None] = lambda trials: None) -> IslandResult:
    """Search one island; the result follows from the arguments, bit by bit, in any process and order.

    Parameters
    ----------
    task : IslandTask
        From `islands`.
    problem : Problem
        The window to search on, of one market, of several, or of a book.
    told : callable
        Called with the number of trials of each batch when it is done.

    Returns
    -------
    IslandResult
        Every trial, pruned ones too.
    """
    settings = task.settings
    distributions = problem.space.distributions()
    params = np.empty((task.n_trials, problem.space.n_params))
    rung_score = np.empty(task.n_trials)
    blocks = np.empty(task.n_trials, dtype=np.int64)
    with _quiet():
        study = _study(task, distributions)
        for start in range(0, task.n_trials, settings.batch):
            rows = slice(start, min(start + settings.batch, task.n_trials))
            asked = [_ask(study, distributions) for _ in range(rows.start, rows.stop)]
            trials = [trial for trial, _ in asked]
            params[rows] = [problem.space.from_optuna(proposed) for _, proposed in asked]
            spent = spending(problem, params[rows], settings.n_blocks, settings.eta, settings.budget)
            rung_score[rows], blocks[rows] = _race(study, trials, spent, settings)
            told(rows.stop - rows.start)
    complete = blocks == settings.n_blocks
    return IslandResult(task.index, task.sampler, params, rung_score, blocks, complete, np.arange(task.n_trials))


def merge(results: Sequence[IslandResult]) -> Population:
    """Put islands together by index, whatever the order they finished in.

    StrategyError if there is none or an index comes twice.
    """
    results = sorted(results, key=lambda r: r.island)
    index = [r.island for r in results]
    if not results or len(set(index)) < len(index):
        raise StrategyError(f"islands must be there and differ, not {index}")
    size = [len(r.trial) for r in results]
    return Population(
        params=np.concatenate([r.params for r in results]),
        rung_score=np.concatenate([r.rung_score for r in results]),
        blocks=np.concatenate([r.blocks for r in results]),
        complete=np.concatenate([r.complete for r in results]),
        trial=np.concatenate([r.trial for r in results]),
        island=np.repeat(index, size),
        random=np.repeat([r.sampler == "random" for r in results], size),
    )


def _ask(
    study: "optuna.Study", distributions: "dict[str, BaseDistribution]"
) -> tuple["optuna.Trial", Mapping[str, float]]:
    """A trial and its parameters.

    Our samplers propose all of them at once, and do not read the record of trials; to enter each parameter there would
    take longer than the simulation.
    """
    from strategies.search.samplers import AtRandom, OverBox

    if isinstance(study.sampler, AtRandom | OverBox):
        trial = study.ask()
        return trial, trial.relative_params
    trial = study.ask(distributions)
    return trial, trial.params


def _race(
    study: "optuna.Study", trials: list[Any], spent: Spent, settings: SearchSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Run a batch through the rungs; (last score, blocks reached), (n,) each. All trials are told."""
    from optuna.trial import TrialState

    from strategies.search.diverse import DiverseSampler

    sampler = study.sampler
    reached = np.zeros(len(trials), dtype=np.int64)
    last = np.full(len(trials), np.nan)
    alive = np.arange(len(trials))
    for n_blocks in rungs(settings.n_blocks, settings.min_blocks, settings.eta):
        values = spent.up_to(n_blocks)
        last[alive], reached[alive] = values, n_blocks
        if isinstance(sampler, DiverseSampler):
            numbers = [trials[i].number for i in alive]
            values = sampler.objective(numbers, values, spent.behaviour(), complete=n_blocks == settings.n_blocks)
        for i, value in zip(alive, values, strict=True):
            trials[i].report(float(value), n_blocks)
        if n_blocks == settings.n_blocks:
            break
        kept = np.array([not trials[i].should_prune() for i in alive])
        for i in alive[~kept]:
            study.tell(trials[i], state=TrialState.PRUNED)
        alive = alive[kept]
        if not len(alive):
            return last, reached
        spent.keep(np.flatnonzero(kept))
    for i, value in zip(alive, values, strict=True):
        study.tell(trials[i], float(value))
    return last, reached


def _study(task: IslandTask, distributions: "dict[str, BaseDistribution]") -> "optuna.Study":
    import optuna

    from strategies.search.diverse import DiverseSampler
    from strategies.search.pruners import Hyperband
    from strategies.search.samplers import make_sampler

    settings = task.settings
    sampler = make_sampler(task.sampler, task.sampler_seed, distributions, settings.sampler_arguments(task.sampler))
    heats = (sampler.heat,) if isinstance(sampler, DiverseSampler) else ()
    return optuna.create_study(
        storage=optuna.storages.InMemoryStorage(),
        sampler=sampler,
        pruner=Hyperband(settings.min_blocks, settings.n_blocks, settings.eta, *heats),
        study_name=task.study_name,
        direction="maximize",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's own messages off, and back to what they were after."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
