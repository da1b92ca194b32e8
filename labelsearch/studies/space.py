"""Study: which labels are worth asking of a market, on train alone.

Candidates are judged on the last part of train before validation; the best of them, on folds of that time, choose the
labels that add to each other; validation, which chose nothing, says what the chosen ones are worth.
"""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from feature_space.indicators import Indicator
from feature_space.normalise import Normalisation
from labelsearch.engine.stage import Stage, Work
from labelsearch.label_space.choice import Chosen, choose_labels, effective_dimension, logits, return_classes
from labelsearch.label_space.judge import Budget, Judged, judge
from labelsearch.label_space.market import Parts, SpaceMarket, cut, shared_features
from labelsearch.label_space.ranges import LabelRange, LabelSpace, default_ranges
from labelsearch.label_space.search import Candidate, SpaceSearch, search_space
from labelsearch.label_space.worth import later_returns
from labelsearch.labels.base import Label, is_across, is_magnitude
from labelsearch.labels.spans import DAY_MS
from labelsearch.market.bars import Bars
from labelsearch.results.space import LabelFigures, Space, SpaceLabel, SpaceTrial
from labelsearch.settings.label_space import LabelSpaceSettings
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.features import idle_bars, inputs_of, usable_bars
from labelsearch.stages.labels import price_of
from labelsearch.stages.seeds import Seeds

LEAST_ROWS = 500  # of train before validation, past the warm-up
FOLDS_FROM = 0.4  # share of that time before the first fold
HORIZON_SHARES = (0.2, 0.5, 0.8)  # quantiles of the finalists' horizons over which later returns are foretold


@dataclass(frozen=True)
class SpaceInputs:
    """All that the study may know."""

    label_space: LabelSpaceSettings
    label_ranges: tuple[LabelRange, ...]
    label_kinds: tuple[Label, ...]
    label_price: str
    train_bars: Bars  # on the grid
    boundary: int  # first validation row
    candidates: tuple[Indicator, ...]
    normalisation: Normalisation
    warm_up: int
    fill_costs: float
    seeds: Seeds


class _Study(NamedTuple):
    """What all steps share."""

    market: SpaceMarket
    search: SpaceSearch
    settings: LabelSpaceSettings
    first: int
    boundary: int
    seeds: Seeds

    def seed(self, *names: object) -> int:
        return self.seeds("space", *names)

    @property
    def full(self) -> Budget:
        return self.search.budget(self.search.n_rungs - 1)

    @property
    def folds(self) -> list[Parts]:
        """Parts of the time before validation, each judged by what was fitted on all before it."""
        start = self.first + int(FOLDS_FROM * (self.boundary - self.first))
        edges = np.linspace(start, self.boundary, self.settings.folds + 1).astype(np.int64).tolist()
        return [
            Parts(self.first, judge - (judge - self.first) // 10, judge, stop)
            for judge, stop in itertools.pairwise(edges)
        ]

    @property
    def later(self) -> Parts:
        """Validation, judged by what was fitted on all before it."""
        first, stop = self.first, len(self.market.price)
        return Parts(first, self.boundary - (self.boundary - first) // 10, self.boundary, stop)


def run(inputs: SpaceInputs, work: Work) -> Space:
    """Search the labels.

    Raises
    ------
    ExperimentError
        If train is too short, or no candidate can be judged.
    """
    study = _study(inputs, work.threads)
    settings = inputs.label_space
    total = settings.n_candidates * (1 + settings.nulls)
    work.progress(0, total)

    def search(market: SpaceMarket, before: int, name: object) -> list[Candidate]:
        return search_space(
            study.search,
            market,
            cut(study.first, study.boundary, settings.judged),
            lambda *names: study.seed(name, *names),
            threads=work.threads,
            progress=lambda done, _: work.progress(before + done, total),
        )

    found = search(study.market, 0, "search")
    finalists = _finalists(found, settings.finalists)
    if not finalists:
        reasons = {its.reason for its in found if its.reason}
        raise ExperimentError(f"no candidate label can be judged; one: {min(reasons, default='unknown')}")
    chosen = _choose(study, finalists, work.threads)
    later, dimension = _later(study, [(label, its) for label, its in chosen], work.threads)
    labels = [(label, None) for label in inputs.label_kinds if not is_across(label) and not is_magnitude(label)]
    own, dimension_own = _later(study, labels, work.threads)
    null_best = tuple(
        _best_t(search(study.market.shifted(_shift(study, n)), (n + 1) * settings.n_candidates, f"null {n}"))
        for n in range(settings.nulls)
    )
    result = Space(
        objective=settings.objective,
        n_rungs=study.search.n_rungs,
        trials=tuple(_trial(its, study) for its in found),
        chosen=tuple(later),
        own=tuple(own),
        dimension=dimension,
        dimension_own=dimension_own,
        null_best=null_best,
        p_value=None,
    )
    best = result.best_t
    if null_best and best is not None:
        as_good = sum(t is not None and t >= best for t in null_best)
        result = replace(result, p_value=(1 + as_good) / (1 + len(null_best)))
    return result


def _study(inputs: SpaceInputs, threads: int) -> _Study:
    bars, settings = inputs.train_bars, inputs.label_space
    if inputs.boundary - inputs.warm_up < LEAST_ROWS:
        raise ExperimentError(
            f"train has {max(inputs.boundary - inputs.warm_up, 0):,} bars before validation and past the warm-up of "
            f"features; a search over labels needs {LEAST_ROWS}"
        )
    price = price_of(bars, inputs.label_price)
    usable = usable_bars(idle_bars(bars), inputs.warm_up)
    features = shared_features(
        inputs.candidates,
        inputs_of(bars),
        inputs.normalisation,
        n_values=settings.n_values,
        fit_stop=inputs.boundary,
        first=inputs.warm_up,
        threads=threads,
    )
    day = bars.open_time // DAY_MS
    market = SpaceMarket(features, price, bars.open, day, usable, bars.bars_a_day, inputs.fill_costs)
    returns = np.diff(np.log(price[: inputs.boundary]))
    deviation = float(returns[~bars.filled[1 : inputs.boundary]].std())
    if not deviation > 0:
        raise ExperimentError("the price does not move in train")
    space = LabelSpace(inputs.label_ranges or default_ranges(bars.bars_a_day), deviation)
    search = SpaceSearch(
        space,
        settings.n_candidates,
        settings.sampler,
        settings.objective,
        settings.rows,
        settings.epochs,
        settings.most_features,
        settings.top,
    )
    return _Study(market, search, settings, inputs.warm_up, inputs.boundary, inputs.seeds)


def _finalists(found: Sequence[Candidate], n: int) -> list[Candidate]:
    """The best of those judged in full, or with the largest budget that any had."""
    judged = [its for its in found if its.judged is not None and its.value is not None and np.isfinite(its.value)]
    return sorted(judged, key=lambda its: (-its.rungs, -float(its.value or 0.0), its.number))[:n]


def _in_threads(threads: int, job: Callable[[int], Judged | str], n: int) -> list[Judged | str]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(job, range(n)))


def _choose(study: _Study, finalists: Sequence[Candidate], threads: int) -> list[tuple[Label, Chosen]]:
    """The labels that add to each other."""
    budget, folds = study.full._replace(intervals=False), study.folds
    jobs = [(its, f) for its in finalists for f in range(len(folds))]

    def job(n: int) -> Judged | str:
        candidate, f = jobs[n]
        assert candidate.label is not None
        return judge(
            candidate.label, study.market, folds[f], budget, study.settings.top,
            lambda *names: study.seed("fold", f, candidate.number, *names),
        )  # fmt: skip

    made = _in_threads(threads, job, len(jobs))
    by_label = [made[i : i + len(folds)] for i in range(0, len(made), len(folds))]
    kept = [
        (its, [logits(part.outputs) for part in parts if not isinstance(part, str)])
        for its, parts in zip(finalists, by_label, strict=True)
        if not any(isinstance(part, str) for part in parts)
    ]
    if not kept:
        return [(its.label, Chosen(i, np.zeros(0))) for i, its in enumerate(finalists[:1]) if its.label]
    grids = [study.market.grid(part.judge, part.stop) for part in folds]
    reach = [its.judged.horizon for its, _ in kept if its.judged]
    horizons = sorted({max(1, round(float(h))) for h in np.quantile(reach, HORIZON_SHARES)})
    targets = [
        return_classes(
            np.concatenate(
                [later_returns(study.market.open, g, h, part.stop) for g, part in zip(grids, folds, strict=True)]
            )
        )
        for h in horizons
    ]
    number = np.repeat(np.arange(len(folds)), [len(g) for g in grids])
    chosen = choose_labels([np.concatenate(parts) for _, parts in kept], targets, number, study.settings.choose)
    return [(kept[its.number][0].label, its) for its in chosen]  # type: ignore[misc]


def _later(
    study: _Study, labels: Sequence[tuple[Label, Chosen | None]], threads: int
) -> tuple[list[SpaceLabel], float | None]:
    """Figures of labels on validation, and the effective dimension of their outputs there."""

    def job(n: int) -> Judged | str:
        label = labels[n][0]
        return judge(
            label, study.market, study.later, study.full._replace(intervals=True), study.settings.top,
            lambda *names: study.seed("later", label.name, *names),
        )  # fmt: skip

    made = _in_threads(threads, job, len(labels))
    rows = []
    for (label, its), found in zip(labels, made, strict=True):
        rows.append(
            SpaceLabel(
                label=label.name,
                kind=label.kind,
                options=_options(label),
                gains=() if its is None else tuple(its.gains.tolist()),
                reason=found if isinstance(found, str) else "",
                later=None if isinstance(found, str) else _figures(found, study),
            )
        )
    there = [its for its in made if not isinstance(its, str)]
    return rows, effective_dimension(np.column_stack([logits(its.outputs) for its in there])) if there else None


def _options(label: Label) -> dict[str, int | float | str]:
    from dataclasses import fields

    return {f.name: getattr(label, f.name) for f in fields(label)}  # type: ignore[arg-type]


def _figures(judged: Judged, study: _Study) -> LabelFigures:
    features = tuple(study.market.features.features[row].title for row in judged.columns)
    kept = {
        name: getattr(judged, name) for name in LabelFigures.__dataclass_fields__ if name not in ("features", "error")
    }
    return LabelFigures(features=features, error=judged.error, **kept)


def _trial(its: Candidate, study: _Study) -> SpaceTrial:
    return SpaceTrial(
        number=its.number,
        kind=its.kind,
        label=its.label.name if its.label else "",
        options=its.options,
        rungs=its.rungs,
        value=None if its.value is None or not np.isfinite(its.value) else its.value,
        reason=its.reason,
        figures=None if its.judged is None else _figures(its.judged, study),
    )


def _shift(study: _Study, n: int) -> int:
    size = len(study.market.price) - study.first
    return int(np.random.default_rng(study.seed("shift", n)).integers(1, size))


def _best_t(found: Sequence[Candidate]) -> float | None:
    values = [its.judged.worth.t_before_costs for its in found if its.judged is not None and not its.reason]
    return max((t for t in values if t is not None), default=None)


STAGE = Stage("space", SpaceInputs, Space, run, study=True)
