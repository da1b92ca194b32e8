"""Stages: the feature set of each label, chosen in each market or once for all of them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_space.across import basket_column_nb
from feature_space.feature_set import warm_up_of
from feature_space.indicators import Indicator, Inputs, make_inputs
from feature_space.normalise import Normalisation
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.market.bars import Bars
from labelsearch.results.cross_section import MarketView
from labelsearch.results.features import FeatureSets, PooledFeatures
from labelsearch.results.labels import LabelSeries
from labelsearch.settings.sections import Separation
from labelsearch.stages.feature_choice import choose_sets
from labelsearch.stages.feature_rows import TrainPart
from labelsearch.stages.seeds import Seeds


@dataclass(frozen=True)
class FeatureInputs:
    """All that the stage may know."""

    separation: Separation
    normalisation: Normalisation
    candidates: tuple[Indicator, ...]
    train_bars: Bars  # on the grid
    train_view: MarketView | None
    boundary: int  # first validation row
    labels: Stored[LabelSeries]
    seeds: Seeds


def inputs_of(bars: Bars, view: MarketView | None = None) -> Inputs:
    """Columns that indicators read; with a view those of other markets too."""
    columns = (bars.vwap, bars.high, bars.low, bars.close, bars.volume, bars.trades)
    if view is None:
        return make_inputs(*columns)
    return make_inputs(*columns, basket_column_nb(view.basket), view.funding)


def idle_bars(bars: Bars, view: MarketView | None = None) -> NDArray[np.bool_]:
    """True for bars (T,) that were filled in, or at which the market is not a member of its universe."""
    return bars.filled if view is None else bars.filled | ~view.member


def usable_bars(idle: NDArray[np.bool_], warm_up: int) -> NDArray[np.bool_]:
    """True for bars (T,) that are not idle and lie past the warm-up of every candidate feature."""
    usable = ~idle
    usable[:warm_up] = False
    return usable


def train_part(
    inputs: "FeatureInputs | MarketFeatures",
    candidates: tuple[Indicator, ...],
    normalisation: Normalisation,
    settings: Separation,
    seeds: Seeds,
) -> TrainPart:
    """What a market's sets are chosen on."""
    bars, view = inputs.train_bars, inputs.train_view
    idle = idle_bars(bars, view)
    usable = usable_bars(idle, warm_up_of(candidates, normalisation))
    ranked = ~idle if normalisation.kind == "rank" else None
    columns = inputs_of(bars, view)
    return TrainPart(columns, usable, inputs.boundary, candidates, normalisation, settings, seeds, ranked, bars.number)


def run(inputs: FeatureInputs, work: Work) -> FeatureSets:
    """Choose the feature sets of all labels."""
    return _choose_all([inputs], inputs, work)[0]


def _choose_all(
    markets: "Sequence[FeatureInputs | MarketFeatures]", shared: "FeatureInputs | PooledFeatureInputs", work: Work
) -> list[FeatureSets]:
    names = markets[0].labels.value.names
    count = itertools.count(1)
    work.progress(0, len(names))
    terms = (shared.candidates, shared.normalisation, shared.separation, shared.seeds)
    return choose_sets(
        [train_part(market, *terms) for market in markets],
        [dict(market.labels.value.values) for market in markets],
        threads=work.threads,
        done=lambda: work.progress(next(count), len(names)),
    )


STAGE = Stage("features", FeatureInputs, FeatureSets, run)


@dataclass(frozen=True)
class MarketFeatures:
    """What one of several markets adds."""

    market: str
    train_bars: Bars  # on the grid
    train_view: MarketView | None
    boundary: int  # first validation row
    labels: Stored[LabelSeries]


@dataclass(frozen=True)
class PooledFeatureInputs:
    """All that the stage may know where one set is chosen for all markets."""

    separation: Separation
    normalisation: Normalisation
    candidates: tuple[Indicator, ...]
    seeds: Seeds
    markets: tuple[MarketFeatures, ...]


def run_pooled(inputs: PooledFeatureInputs, work: Work) -> PooledFeatures:
    """Choose the feature sets of all labels for all markets."""
    found = _choose_all(inputs.markets, inputs, work)
    return PooledFeatures({market.market: sets for market, sets in zip(inputs.markets, found, strict=True)})


POOLED = Stage("pooled features", PooledFeatureInputs, PooledFeatures, run_pooled)


@dataclass(frozen=True)
class ShareInputs:
    """All that the stage may know where the sets were chosen for all markets together."""

    pooled: Stored[PooledFeatures]
    market: str


def run_share(inputs: ShareInputs, work: Work) -> FeatureSets:
    """A market's own of the sets of all."""
    return inputs.pooled.value.markets[inputs.market]


SHARE = Stage("features", ShareInputs, FeatureSets, run_share)
