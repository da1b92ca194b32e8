"""Stage: the markets of a split side by side, and the labels that compare them."""

from dataclasses import dataclass

import numpy as np

from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.labels.base import Label, LabelValues, MarketsBeside, values_across
from labelsearch.labels.spans import Span
from labelsearch.market.bars import Bars
from labelsearch.market.cross_section import CrossSection, UniverseTerms, cross_section
from labelsearch.market.funding import Funding, rates_within
from labelsearch.results.cross_section import MarketsOfSplit


@dataclass(frozen=True)
class CrossSectionInputs:
    """All that the stage may know. Labels are made of the bars before the future alone."""

    market_bars: tuple[Bars, ...]  # of each market, on its grid
    market_funding: tuple[Funding | None, ...]
    universe: UniverseTerms
    across_labels: tuple[Label, ...]
    future: Span


@dataclass(frozen=True)
class Beside:
    """What a cell of a panel knows of the other markets of its split."""

    split: Stored[MarketsOfSplit]
    boundary_ms: int  # validation begins here in all markets


def beside_of(section: CrossSection, stop: int) -> MarketsBeside:
    """The rows before ``stop`` as labels take them."""
    return MarketsBeside(
        section.close[:stop],
        section.traded[:stop],
        section.member[:stop],
        section.basket[:stop],
        section.beta[:stop],
        section.sigma[:stop],
    )


def run(inputs: CrossSectionInputs, work: Work) -> MarketsOfSplit:
    """Put the markets side by side, and label them."""
    steps = 1 + len(inputs.across_labels)
    work.progress(0, steps)
    section = cross_section(inputs.market_bars, inputs.universe)
    funding = np.zeros_like(section.beta)
    for m, its in enumerate(inputs.market_funding):
        if its is not None:
            funding[:, m] = rates_within(its, section.open_time, inputs.market_bars[m].interval_ms)
    markets = beside_of(section, inputs.future.rows(section.open_time).start)
    values = {}
    for done, label in enumerate(inputs.across_labels, 1):
        work.progress(done, steps)
        found = values_across(label, markets)
        value, classes, last_used = (np.column_stack(columns) for columns in zip(*found, strict=True))
        values[label.name] = LabelValues(value, classes, last_used)
    work.progress(steps, steps)
    share = (section.member & section.traded).sum(axis=0) / section.traded.sum(axis=0)
    return MarketsOfSplit(section.markets, tuple(share.tolist()), tuple(values), section, funding, values)


STAGE = Stage("cross-section", CrossSectionInputs, MarketsOfSplit, run)
