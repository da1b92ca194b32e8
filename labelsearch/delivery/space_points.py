"""Candidates of a search over labels as points of its pictures."""

from typing import NamedTuple

from labelsearch.results.space import Space


class SpacePoint(NamedTuple):
    """One candidate that was judged, at whatever budget."""

    label: str
    kind: str
    horizon: float  # bars
    theta: float | None  # of a threshold label
    action_share: float  # of the bars that it was fitted on
    skill: float
    direction: float | None  # AUC of buy against sell
    t: float | None  # of worth
    is_chosen: bool


def points_of(found: Space) -> list[SpacePoint]:
    """All candidates that have figures."""
    chosen = {its.label for its in found.chosen}
    return [
        SpacePoint(
            label=its.label,
            kind=its.kind,
            horizon=max(its.figures.horizon, 1.0),
            theta=float(its.options["theta"]) if its.kind == "threshold" else None,
            action_share=1.0 - its.figures.counts[1] / max(sum(its.figures.counts), 1),
            skill=its.figures.skill.value or 0.0,
            direction=its.figures.auc_sides.value,
            t=its.figures.worth.t,
            is_chosen=its.label in chosen,
        )
        for its in found.trials
        if its.figures
    ]


def front(points: list[SpacePoint]) -> list[SpacePoint]:
    """Those that no other exceeds in both skill and worth, by rising skill."""
    best: list[SpacePoint] = []
    for its in sorted((p for p in points if p.t is not None), key=lambda p: (-p.skill, -(p.t or 0.0))):
        if not best or (its.t or 0.0) > (best[-1].t or 0.0):
            best.append(its)
    return best[::-1]
