"""Hyperband as Optuna decides it (Li et al. 2018, Optuna's asynchronous form), without its walk through all trials."""

import math
from binascii import crc32
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable

import optuna
from optuna.trial import FrozenTrial


class Hyperband(optuna.pruners.BasePruner):
    """The same decisions as ``optuna.pruners.HyperbandPruner``, which looks through the whole study for each.

    It remembers what each rung has seen, so it serves one study in one process, from its first trial on. Optuna shows
    a sampler only the trials of the bracket of the next trial if the pruner is its own; with this one a sampler that
    reads the study (``tpe``) sees the trials of all brackets, as without a pruner.

    Parameters
    ----------
    min_resource, max_resource : int
        Steps of the first rung and of a whole trial.
    reduction_factor : int
        One in so many goes on from a rung.
    heat : callable
        Gives the heat of a trial by its number: only trials of the same heat race against each other. One by default.
    """

    def __init__(
        self,
        min_resource: int,
        max_resource: int,
        reduction_factor: int,
        heat: Callable[[int], int] = lambda number: 0,
    ) -> None:
        self.heat = heat
        self.min_resource = min_resource
        self.reduction_factor = reduction_factor
        n_brackets = math.floor(math.log(max_resource / min_resource, reduction_factor)) + 1
        # trials of each bracket, as shares of their sum
        self._shares = [math.ceil(n_brackets * reduction_factor**s / (s + 1)) for s in reversed(range(n_brackets))]
        self._rung: dict[int, int] = defaultdict(int)  # by trial number: the rung it comes to next
        self._seen: dict[tuple[int, int, int], list[float]] = defaultdict(list)  # by heat, bracket and rung, sorted

    def _bracket(self, study: optuna.Study, number: int) -> int:
        n = crc32(f"{study.study_name}_{number}".encode()) % sum(self._shares)
        for bracket, share in enumerate(self._shares):
            n -= share
            if n < 0:
                return bracket
        raise AssertionError("the shares add up to more than the remainder")

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial should stop after the step it reported last."""
        step = trial.last_step
        if step is None:
            return False
        value = trial.intermediate_values[step]
        bracket = self._bracket(study, trial.number)
        while step >= self.min_resource * self.reduction_factor ** (bracket + self._rung[trial.number]):
            if math.isnan(value):
                return True
            loss = -value if study.direction == optuna.study.StudyDirection.MAXIMIZE else value
            seen = self._seen[self.heat(trial.number), bracket, self._rung[trial.number]]
            insort(seen, loss)
            if bisect_left(seen, loss) >= max(len(seen) // self.reduction_factor, 1):
                return True
            self._rung[trial.number] += 1
        return False
