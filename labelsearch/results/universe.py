"""The markets of an experiment: which have enough history, which are unlike each other, which are liquid when."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.labels.spans import DAY_MS, Span
from labelsearch.market.bars import Bars
from labelsearch.market.cross_section import Grid, liquidity, month_starts, side_by_side
from labelsearch.market.resample import resample
from labelsearch.market.rules import BarError
from labelsearch.market.trading_costs import traded_value
from labelsearch.market.unlike import correlations, shared_return, unlike, without_beta
from labelsearch.settings.bars import bars_of, on_grid
from labelsearch.settings.cells import covers_train, day_of, membership, whole
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from strategies.luck.power import effective_markets

KINDS = ("returns", "beta-free")  # by which markets are compared
MONTHS = {"month": 1, "quarter": 3}  # between two dates
Floats = NDArray[np.float64]


class History(NamedTuple):
    """One market in one split; without a reason it is in it."""

    split: int
    market: str
    first_day: str  # of all its bars within the windows of the experiment; empty without any
    last_day: str
    reason: str


class Pick(NamedTuple):
    """One market among those chosen, compared with those chosen before it; NaN for the first."""

    by: str
    market: str
    volatility_pct: float  # of a day
    largest: float  # size of the largest correlation of daily returns
    largest_with: str
    mean: float
    beta_free_largest: float
    beta_free_with: str
    beta_free_mean: float


class Rank(NamedTuple):
    """One market at one date, by the value it traded before."""

    date: str
    market: str
    rank: int | None  # from 1; None if the value traded is not known
    value: float  # of a day, quote currency
    member: bool


class Membership(NamedTuple):
    """The universe at one date, compared with the date before."""

    date: str
    fit: int  # markets with enough history that trade
    members: int
    joins: tuple[str, ...]
    leaves: tuple[str, ...]
    turnover: float | None  # share of the members before that have left; None if there were none


@dataclass(frozen=True)
class Universe:
    """All of it."""

    size: int  # of `[universe]`; 0: all
    split: int  # whose train markets were compared on
    train: tuple[str, str]
    candidates: int  # markets with enough bars of that train
    histories: tuple[History, ...]
    picks: tuple[Pick, ...]
    independent: Mapping[str, float | None]  # markets that the picks count as, by kind; None for a single one
    dates: tuple[Membership, ...]
    ranks: tuple[Rank, ...]
    liquid: bool  # whether the value traded is known

    @property
    def empty(self) -> int:
        """Dates without a member."""
        return sum(not date.members for date in self.dates)

    @property
    def ever(self) -> tuple[str, ...]:
        """Markets that were members at any date, in order of their first."""
        return tuple(dict.fromkeys(rank.market for rank in self.ranks if rank.member))

    def picked(self, by: str) -> tuple[str, ...]:
        """Markets chosen by one kind of return."""
        return tuple(pick.market for pick in self.picks if pick.by == by)


class Asked(NamedTuple):
    """What the user chose: the first pick (empty: the most liquid), how many, in which split, and how often."""

    start: str = ""
    picks: int = 10
    split: int = 1
    every: str = "month"


def survey(experiment: Experiment, store: Path, asked: Asked) -> Universe:
    """Look at all markets of an experiment.

    Raises
    ------
    ExperimentError
        If there is one market alone, none has a bar, or there is no such split or start.
    BarError
        If the value traded is needed and not known.
    """
    if len(experiment.data.markets) < 2:
        raise ExperimentError("a universe needs several markets: name them in [data] symbols")
    splits = experiment.splits
    if not 1 <= asked.split <= len(splits):
        raise ExperimentError(f"there is no split {asked.split}; the experiment has {len(splits)}")
    if asked.start and asked.start not in experiment.data.markets:
        raise ExperimentError(f"start {asked.start!r} is none of the markets")
    bars, histories, liquid = _load(experiment, store)
    if len(bars) < 2:
        raise ExperimentError(f"{len(bars)} of the markets have bars in the windows, and two are needed")
    if not liquid and (experiment.universe.size or not asked.start):
        needed = "[universe] size" if experiment.universe.size else "the first pick: name one with --start"
        raise BarError(f"the value that markets trade is not known, and decides {needed}")
    grid = side_by_side(bars, experiment.universe.terms, value=liquid)
    ranks, dates = _dates(experiment, grid, bars[0].bars_a_day, MONTHS[asked.every], liquid)
    candidates, picks = _picks(experiment, bars, asked)
    return Universe(
        size=experiment.universe.size,
        split=asked.split,
        train=splits[asked.split - 1].train,
        candidates=candidates,
        histories=histories,
        picks=picks,
        independent={by: _independent([pick for pick in picks if pick.by == by]) for by in KINDS},
        dates=dates,
        ranks=ranks,
        liquid=liquid,
    )


def _load(experiment: Experiment, store: Path) -> tuple[list[Bars], tuple[History, ...], bool]:
    """Closes and values traded of every market, its history, and whether all values are known."""
    splits = experiment.splits
    days = splits[0].train[0], splits[-1].future[1]
    bars, histories, liquid = [], [], True
    for market in experiment.data.markets:
        data = whole(experiment, market)
        try:
            found = on_grid(data, bars_of(data, store, *days)).present()
        except BarError as error:
            histories += [History(k, market, "", "", str(error)) for k in range(1, len(splits) + 1)]
            continue
        edges = day_of(int(found.open_time[0])), day_of(int(found.open_time[-1]))
        for number, windows in enumerate(splits, 1):
            try:
                own = membership(experiment, data, found.open_time, windows)
                reason = own if isinstance(own, str) else ""
            except ExperimentError as error:
                reason = str(error)
            histories.append(History(number, market, *edges, reason))
        try:
            value = traded_value(found)
        except BarError:
            value, liquid = np.zeros(len(found)), False
        bars.append(on_grid(data, _slim(found, value)))
    histories.sort(key=lambda history: history.split)
    return bars, tuple(histories), liquid


def _slim(bars: Bars, value: Floats) -> Bars:
    """Bars that hold their close and the value traded alone: those of many markets fit into memory together."""
    rest = dict.fromkeys(("open", "high", "low"), bars.close)
    none = dict.fromkeys(("trades", "taker_buy_volume", "spread"))
    return replace(bars, **rest, **none, volume=value, quote_volume=value)  # type: ignore[arg-type]


def _dates(
    experiment: Experiment, grid: Grid, a_day: int, months: int, liquid: bool
) -> tuple[tuple[Rank, ...], tuple[Membership, ...]]:
    """Ranks and members at the first row of each month, or of every third."""
    terms, ranks, dates = experiment.universe.terms, [], []
    before: list[str] = []
    for row in month_starts(grid.open_time).tolist():
        day = day_of(int(grid.open_time[row]))
        if (int(day[5:7]) - 1) % months:
            continue
        value = liquidity(grid.value, row, terms, a_day) / terms.liquidity_days
        fit = np.flatnonzero(grid.fit[row])
        order = fit[np.argsort(-value[fit], kind="stable")]
        for rank, m in enumerate(order.tolist(), 1):
            member = bool(grid.eligible[row, m])
            ranks.append(Rank(day, grid.markets[m], rank if liquid else None, float(value[m]), member))
        members = [grid.markets[m] for m in order.tolist() if grid.eligible[row, m]]
        joins = tuple(market for market in members if market not in before)
        leaves = tuple(market for market in before if market not in members)
        turnover = len(leaves) / len(before) if before else None
        dates.append(Membership(day, len(fit), len(members), joins, leaves, turnover))
        before = members
    return tuple(ranks), tuple(dates)


def _picks(experiment: Experiment, bars: list[Bars], asked: Asked) -> tuple[int, tuple[Pick, ...]]:
    """How many markets could be chosen, and those chosen by each kind of return, on days of one train alone."""
    train = experiment.splits[asked.split - 1].named["train"]
    known = {its.symbol: its.between(train.start_ms, train.stop_ms) for its in bars}
    if asked.start and asked.start not in known:
        raise ExperimentError(f"start {asked.start} has no bars in the windows")
    there = {symbol: its for symbol, its in known.items() if covers_train(whole(experiment, symbol), its, train)}
    if asked.start and asked.start not in there:
        raise ExperimentError(f"start {asked.start} lacks bars of train {' .. '.join(_days(train))}")
    since = train.stop_ms - experiment.universe.liquidity_days * DAY_MS
    value = {symbol: float(its.between(since).volume.sum()) for symbol, its in there.items()}
    order = sorted(there, key=lambda symbol: -value[symbol])[: experiment.universe.size or None]
    start = asked.start or next(iter(order), "")
    order = [start, *(symbol for symbol in order if symbol != start)]
    if len(order) < 2:
        raise ExperimentError(f"split {asked.split}: fewer than two markets have the bars of train to be compared")
    grid = side_by_side([resample(there[symbol], DAY_MS) for symbol in order], experiment.universe.terms, value=False)
    rest = without_beta(grid.returns, grid.has, shared_return(grid.returns, grid.has))
    rho = dict(zip(KINDS, (correlations(each, grid.has) for each in (grid.returns, rest)), strict=True))
    deviation = np.array([grid.returns[grid.has[:, m], m].std() for m in range(len(order))])
    return len(order), tuple(
        _pick(by, chosen, k, rho, order, float(deviation[chosen[k]]))
        for by in KINDS
        for chosen in [unlike(rho[by], 0, asked.picks)]
        for k in range(len(chosen))
    )


def _pick(by: str, chosen: list[int], k: int, rho: Mapping[str, Floats], names: list[str], deviation: float) -> Pick:
    """The k-th of those chosen, compared with those before it."""
    figures: list[float | str] = []
    for kind in KINDS:
        own = rho[kind][chosen[k], chosen[:k]]
        if not k or not np.isfinite(own).any():
            figures += [float("nan"), "", float("nan")]
            continue
        largest = int(np.nanargmax(np.abs(own)))
        figures += [float(abs(own[largest])), names[chosen[largest]], float(np.nanmean(own))]
    return Pick(by, names[chosen[k]], 100.0 * deviation, *figures)  # type: ignore[arg-type]


def _independent(picks: list[Pick]) -> float | None:
    """How many markets that share nothing the picks count as, by the mean of their correlations; None below two."""
    kind = "mean" if picks and picks[0].by == "returns" else "beta_free_mean"
    if len(picks) < 2:
        return None
    pairs = np.arange(1, len(picks))
    mean = float(np.average([getattr(pick, kind) for pick in picks[1:]], weights=pairs))
    return effective_markets(len(picks), mean)


def _days(span: Span) -> tuple[str, str]:
    return day_of(span.start_ms), day_of(span.stop_ms - 1)
