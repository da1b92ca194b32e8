"""The bundle of a book: all its markets, verified before use. Only JSON and numbers are read."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_space.feature_set import FeatureSet
from labelsearch.classifiers.classifier import Predictor
from labelsearch.live.bundle_files import (
    OwnFile,
    Thresholds,
    calendar_of,
    check_costs,
    check_outputs,
    columns_read,
    load_classifier,
    load_features,
    load_own,
    parameters_of,
    window_of,
)
from labelsearch.live.verify import (
    BOOK,
    BOOK_STRATEGIES,
    MANIFEST,
    BundleError,
    LabelEntry,
    interval_places,
    is_book,
    market_place,
    read,
    verify_bundle,
)
from labelsearch.market.calendars import ALWAYS
from labelsearch.market.cross_section import UniverseTerms
from labelsearch.market.times import DAY_MS, interval_name
from labelsearch.market.trading_costs import CostTerms
from strategies import StrategyError
from strategies.book.rules import BookRules
from strategies.trade.rules import SIGNAL_MAPS


class BookMarket(NamedTuple):
    """One market of a book."""

    symbol: str
    quote_volume: bool  # whether its bars had this column in the run
    trades: bool  # likewise
    funding: bool  # whether features read the funding that it pays
    half_spread: float | None = None  # of its own, estimated once; None for that of the book


class BookInterval(NamedTuple):
    """Where outputs come from, on bars of one length: by market and label."""

    interval_ms: int
    feature_sets: tuple[tuple[FeatureSet, ...], ...]
    classifiers: tuple[tuple[Predictor, ...], ...]


@dataclass(frozen=True)
class BookBundle:
    """Everything needed to follow S strategies over K outputs of each of M markets, in I intervals."""

    digest: str  # SHA-256 of the manifest, which identifies the whole bundle
    markets: tuple[BookMarket, ...]
    interval_ms: int  # of the bars that come in
    intervals: tuple[BookInterval, ...]  # the first that of the book
    calendar: str  # whose bars make up the grid
    universe: UniverseTerms
    labels: tuple[str, ...]
    outputs: tuple[str, ...]
    warm_up: int  # bars of the book before outputs and universe are known
    follow: int  # bars for which strategies are followed then, before accounts begin by themselves
    past: tuple[int, int]  # start and end of the window that strategies were chosen on, ms since the epoch
    future: tuple[int, int]  # of the one they were judged on
    rules: BookRules
    half_spread: float
    terms: CostTerms  # costs that differ from bar to bar
    params: NDArray[np.float64]  # (S, P), best strategy first
    strategies: NDArray[np.int64]  # (S,) rows in the run
    sizes: tuple[int, ...]  # of the tiers, the largest first

    @property
    def symbols(self) -> tuple[str, ...]:
        """Of the markets, in the order of all weights."""
        return tuple(market.symbol for market in self.markets)

    @property
    def first_outputs(self) -> int:
        """Bars of the book before those at which outputs are needed: a longer bar that opens then may count later."""
        longest = max(its.interval_ms for its in self.intervals)
        return max(self.warm_up - 2 * -(-longest // self.intervals[0].interval_ms) - 2, 0)

    @property
    def optional_columns(self) -> tuple[tuple[str, ...], ...]:
        """Optional columns of the bars that features or costs read, by market."""
        return tuple(columns_read(self.terms, quote_volume=m.quote_volume, trades=m.trades) for m in self.markets)


@dataclass(frozen=True)
class _Book:
    """``book.json``."""

    kind: str
    gross: float
    cap: float
    drift: float
    signal_map: str
    fee_share: float
    half_spread: float
    costs: CostTerms
    universe: UniverseTerms
    interval_ms: int
    intervals_ms: tuple[int, ...]
    shared_classifiers: bool
    warm_up: int
    follow: int
    windows: dict[str, tuple[str, str]]
    own_files: tuple[OwnFile, ...]
    markets: tuple[BookMarket, ...]
    calendar: str = ALWAYS


@dataclass(frozen=True)
class _Strategy:
    strategy: int
    weights: dict[str, float]
    thresholds: Thresholds
    band: float
    doubt: float
    span: float
    intervals: tuple[float, ...]


@dataclass(frozen=True)
class _Strategies:
    """``book_strategies.json``."""

    outputs: tuple[str, ...]
    tiers: tuple[int, ...]
    strategies: tuple[_Strategy, ...]


def load_book(folder: Path, own: Sequence[Path] = ()) -> BookBundle:
    """Read the bundle of a book after `labelsearch.live.verify.verify_bundle`.

    Parameters
    ----------
    folder : Path
    own : sequence of Path
        As `labelsearch.live.bundle.load_bundle`.

    Raises
    ------
    BundleError
        As `labelsearch.live.bundle.load_bundle`.
    """
    manifest = verify_bundle(folder)
    if not is_book(folder):
        raise BundleError(f"{folder} is the bundle of one market")
    book, found = read(folder, BOOK, _Book), read(folder, BOOK_STRATEGIES, _Strategies)
    names = tuple(label.name for label in read(folder, "labels.json", tuple[LabelEntry, ...]))
    _check_markets(folder, book, names)
    check_costs(folder, BOOK, book.costs)
    load_own(folder, book.own_files, own)
    intervals = tuple(
        _interval(folder, book, length, place, names, found.outputs)
        for length, place in zip(book.intervals_ms, interval_places(book.intervals_ms), strict=True)
    )
    if not max(found.tiers) == len(found.strategies) == manifest.tier:
        raise BundleError(
            f"{folder}: {BOOK_STRATEGIES}: the largest tier, the strategies and the manifest do not match"
        )
    return BookBundle(
        digest=hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        markets=book.markets,
        interval_ms=book.interval_ms,
        intervals=intervals,
        calendar=calendar_of(folder, BOOK, book.calendar),
        universe=book.universe,
        labels=names,
        outputs=found.outputs,
        warm_up=book.warm_up,
        follow=book.follow,
        past=window_of(folder, BOOK, book.windows, "past"),
        future=window_of(folder, BOOK, book.windows, "future"),
        rules=_rules(folder, book),
        half_spread=book.half_spread,
        terms=book.costs,
        params=np.array([_parameters(folder, one, found.outputs, book) for one in found.strategies], dtype=np.float64),
        strategies=np.array([one.strategy for one in found.strategies], dtype=np.int64),
        sizes=tuple(sorted(found.tiers, reverse=True)),
    )


def _check_markets(folder: Path, book: _Book, labels: Sequence[str]) -> None:
    symbols = [market.symbol for market in book.markets]
    if len(set(symbols)) < len(symbols):
        raise BundleError(f"{folder}: {BOOK}: a market occurs twice")
    if len(set(labels)) < len(labels):
        raise BundleError(f"{folder}: labels.json: a label occurs twice")
    if len(set(book.intervals_ms)) < len(book.intervals_ms):
        raise BundleError(f"{folder}: {BOOK}: an interval occurs twice")
    for length in (book.interval_ms, *book.intervals_ms):
        if DAY_MS % length or length % book.interval_ms:
            raise BundleError(
                f"{folder}: {BOOK}: an interval of {length} ms does not divide a day, or is not made of bars of "
                f"{interval_name(book.interval_ms)}"
            )
    if book.calendar != ALWAYS and book.intervals_ms != (book.interval_ms,):
        raise BundleError(
            f"{folder}: {BOOK}: bars of several intervals are not made of those of calendar {book.calendar}"
        )


def _interval(
    folder: Path, book: _Book, length: int, place: str, labels: Sequence[str], outputs: Sequence[str]
) -> BookInterval:
    """Features and classifiers on bars of one length."""
    sets, classifiers = [], []
    shared: dict[str, Predictor] = {}
    for market in book.markets:
        own = market_place(place, market.symbol)
        features = tuple(load_features(folder, name, own) for name in labels)
        counts = {name: len(its.features) for name, its in zip(labels, features, strict=True)}
        if not (book.shared_classifiers and shared):
            where = place if book.shared_classifiers else own
            shared = {name: load_classifier(folder, name, counts[name], where) for name in labels}
            check_outputs(folder, BOOK_STRATEGIES, outputs, shared)
        sets.append(features)
        classifiers.append(tuple(shared.values()))
    kinds = {its.normalisation for of_market in sets for its in of_market}
    if len(kinds) > 1:
        raise BundleError(f"{folder}: {place}markets: normalisations differ")
    parts = [[(f.name, f.parameters) for f in its.features] for of_market in sets for its in of_market]
    if next(iter(kinds)).kind == "rank" and parts != parts[: len(labels)] * len(sets):
        raise BundleError(f"{folder}: {place}markets: features that are ranked must be the same in all markets")
    return BookInterval(length, tuple(sets), tuple(classifiers))


def _rules(folder: Path, book: _Book) -> BookRules:
    try:
        return BookRules.of(
            book.kind,
            gross=book.gross,
            cap=book.cap,
            fee_share=book.fee_share,
            signal_map=SIGNAL_MAPS[book.signal_map],
            drift=book.drift,
        )
    except StrategyError as error:
        raise BundleError(f"{folder}: {BOOK}: {error}") from None


def _parameters(folder: Path, one: _Strategy, outputs: Sequence[str], book: _Book) -> list[float]:
    if len(one.intervals) != (len(book.intervals_ms) if len(book.intervals_ms) > 1 else 0):
        raise BundleError(f"{folder}: {BOOK_STRATEGIES}: strategy {one.strategy} needs a weight of each interval")
    own = parameters_of(folder, BOOK_STRATEGIES, one, outputs)
    return [*own, one.band, one.doubt, one.span, *one.intervals]
