"""The search: candidates from a Sobol sequence or from Optuna's TPE, of which Hyperband drops the poor ones early.

Candidates are judged in batches of a fixed number, and told in order, so that no result depends on the number of
threads.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.label_space.judge import Budget, Judged, judge
from labelsearch.label_space.market import Parts, SpaceMarket
from labelsearch.label_space.ranges import LabelSpace, Options
from labelsearch.labels.base import LabelError
from labelsearch.labels.kinds import KINDS, Label, build_label

BATCH = 16
REDUCTION = 3
SMALLEST = 600  # rows of a rung


class SpaceSearch(NamedTuple):
    """What is searched, and how.

    ``rows``, ``epochs``: full budget of a candidate. ``objective``: what is made large: the t-value of ``worth``, the
    ``skill`` of the classifiers, or their ``direction``, the AUC of buy against sell.
    """

    space: LabelSpace
    n_candidates: int
    sampler: str
    objective: str
    rows: int
    epochs: int
    most_features: int
    top: float

    def budget(self, rung: int) -> Budget:
        """Budget of a rung, the last one full."""
        share = REDUCTION ** (rung + 1 - self.n_rungs)
        last = rung == self.n_rungs - 1
        return Budget(round(self.rows * share), max(2, round(self.epochs * share)), self.most_features, last)

    @property
    def n_rungs(self) -> int:
        """Rungs from `SMALLEST` rows up."""
        n = 1
        while self.rows / REDUCTION**n >= SMALLEST:
            n += 1
        return n


class Candidate(NamedTuple):
    """A candidate label and the last thing that was learned of it."""

    number: int
    kind: str
    options: Options
    label: Label | None
    rungs: int  # that it was judged at
    judged: Judged | None
    value: float | None  # of the objective, at that rung
    reason: str  # why it was not judged in full; empty where it was


def objective_of(judged: Judged, objective: str) -> float:
    """The figure that is made large; minus infinity where it is not known."""
    found = {"worth": judged.worth.t, "skill": judged.skill.value, "direction": judged.auc_sides.value}[objective]
    return float(found) if found is not None and np.isfinite(found) else -np.inf


def search_space(
    search: SpaceSearch,
    market: SpaceMarket,
    parts: Parts,
    seed: Callable[..., int],
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Candidate]:
    """Judge candidates until as many as wanted were tried; all of them, in order.

    A candidate that equals an earlier one is not judged again, but counts.
    """
    from optuna import create_study, logging, samplers
    from optuna.pruners import HyperbandPruner

    logging.set_verbosity(logging.WARNING)
    sampler = samplers.TPESampler(seed=seed("sampler") % 2**32)
    pruner = HyperbandPruner(1, search.n_rungs, REDUCTION) if search.n_rungs > 1 else None
    study = create_study(direction="maximize", sampler=sampler, pruner=pruner, study_name="labels")
    points = search.space.sobol(search.n_candidates, seed("sobol") % 2**32)
    found: list[Candidate] = []
    names: set[str] = set()
    with ThreadPoolExecutor(threads) as pool:
        while len(found) < search.n_candidates:
            size = min(BATCH, search.n_candidates - len(found))
            trials = [study.ask() for _ in range(size)]
            drawn = [next(points) if search.sampler == "sobol" else search.space.suggest(trial) for trial in trials]
            batch = [_candidate(search.space, point, len(found) + i, names) for i, point in enumerate(drawn)]
            for rung in range(search.n_rungs):
                active = [i for i, its in enumerate(batch) if its.rungs == rung and not its.reason]

                def one(i: int, rung: int = rung, batch: list[Candidate] = batch) -> Candidate:
                    return _judged(search, batch[i], rung, market, parts, seed)

                for i, candidate in zip(active, pool.map(one, active), strict=True):
                    batch[i] = candidate
                _tell_rung(search, batch, active, trials, rung)
            for candidate, trial in zip(batch, trials, strict=True):
                value = candidate.value
                study.tell(trial, value if value is not None and np.isfinite(value) else -1e9)
            found += batch
            progress(len(found), search.n_candidates)
    return found


def _candidate(
    space: LabelSpace, point: Sequence[float] | NDArray[np.float64], number: int, names: set[str]
) -> Candidate:
    kind, options = space.at(point)
    try:
        label = build_label(KINDS.find(kind), options)
    except LabelError as error:
        return Candidate(number, kind, options, None, 0, None, None, str(error))
    if label.name in names:
        return Candidate(number, kind, options, None, 0, None, None, "the same as an earlier one")
    names.add(label.name)
    return Candidate(number, kind, options, label, 0, None, None, "")


def _judged(
    search: SpaceSearch, candidate: Candidate, rung: int, market: SpaceMarket, parts: Parts, seed: Callable[..., int]
) -> Candidate:
    assert candidate.label is not None

    def own(name: str) -> int:
        return seed(name, candidate.number)

    judged = judge(candidate.label, market, parts, search.budget(rung), search.top, own)
    if isinstance(judged, str):
        return candidate._replace(reason=judged)
    return candidate._replace(rungs=rung + 1, judged=judged, value=objective_of(judged, search.objective))


def _tell_rung(search: SpaceSearch, batch: list[Candidate], active: list[int], trials: list[Any], rung: int) -> None:
    """Report a rung, and mark those that Hyperband drops."""
    last = rung == search.n_rungs - 1
    for i in active:
        value = batch[i].value
        if batch[i].reason or value is None:
            continue
        trials[i].report(max(value, -1e9), rung + 1)
        if not last and trials[i].should_prune():
            batch[i] = batch[i]._replace(reason=f"dropped at {search.budget(rung).rows:,} rows")
