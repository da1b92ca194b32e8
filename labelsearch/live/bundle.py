"""A bundle: the best strategies of a run as files, verified before use. Only JSON and numbers are read."""

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
from labelsearch.live.verify import MANIFEST, BundleError, LabelEntry, is_book, read, verify_bundle
from labelsearch.market.calendars import ALWAYS
from labelsearch.market.times import DAY_MS
from labelsearch.market.trading_costs import NO_TERMS, CostTerms
from strategies.trade.capital import CAPITAL_RULES
from strategies.trade.rules import TradingRules


class Tier(NamedTuple):
    """Some strategies of a bundle, best first, and how capital is divided among them."""

    members: NDArray[np.int64]  # (n,) positions among the strategies
    shares: NDArray[np.float64]  # (n,) of the capital at the start
    rate: float  # learning rate of the universal rule


@dataclass(frozen=True)
class Bundle:
    """Everything needed to follow S strategies over K outputs of the classifiers of all labels."""

    digest: str  # SHA-256 of the manifest, which identifies the whole bundle
    symbol: str
    interval_ms: int
    quote_volume: bool  # whether features read this column of the bars
    trades: bool  # likewise
    warm_up: int  # bars before the first decision
    chosen_until: int  # end of past, ms since the epoch: strategies were chosen on the bars before it
    labels: tuple[str, ...]
    outputs: tuple[str, ...]  # as `labelsearch.labels.base.output_names`, in the order of the labels
    feature_sets: tuple[FeatureSet, ...]  # by label
    classifiers: tuple[Predictor, ...]  # by label
    params: NDArray[np.float64]  # (S, K + 3), best strategy first
    strategies: NDArray[np.int64]  # (S,) rows in the run
    rules: TradingRules
    learns: bool  # whether tiers reallocate capital every day
    capital: str  # rule by which tiers divide capital
    tiers: dict[int, Tier]  # by size, the largest first
    calendar: str = ALWAYS  # whose bars make up the grid
    terms: CostTerms = NO_TERMS  # costs that differ from bar to bar

    @property
    def optional_columns(self) -> tuple[str, ...]:
        """Optional columns of the bars that features or costs read."""
        return columns_read(self.terms, quote_volume=self.quote_volume, trades=self.trades)


@dataclass(frozen=True)
class _Market:
    """``market.json``."""

    symbol: str
    interval_ms: int
    quote_volume: bool
    trades: bool
    warm_up: int
    windows: dict[str, tuple[str, str]]
    own_files: tuple[OwnFile, ...]
    calendar: str = ALWAYS


@dataclass(frozen=True)
class _Strategy:
    strategy: int
    weights: dict[str, float]
    thresholds: Thresholds


@dataclass(frozen=True)
class _Tier:
    members: tuple[int, ...]
    shares: tuple[float, ...]
    rate: float


@dataclass(frozen=True)
class _Strategies:
    """``strategies.json``."""

    signal_map: str
    side: str
    fee_share: float
    half_spread: float
    costs: CostTerms
    outputs: tuple[str, ...]
    capital: str
    tiers: dict[str, _Tier]
    strategies: tuple[_Strategy, ...]


def load_bundle(folder: Path, own: Sequence[Path] = ()) -> Bundle:
    """Read a bundle after `labelsearch.live.verify.verify_bundle`.

    Parameters
    ----------
    folder : Path
    own : sequence of Path
        The user's own files that the bundle needs. Only files named here are executed, and only if their checksums are
        those recorded by the run.

    Raises
    ------
    BundleError
        As `verify_bundle`; also if own files are missing or differ, or if parts of the bundle do not fit together.
    """
    manifest = verify_bundle(folder)
    if is_book(folder):
        raise BundleError(f"{folder} holds a book of many markets, which is loaded by `load_book`")
    market, book = read(folder, "market.json", _Market), read(folder, "strategies.json", _Strategies)
    names = tuple(label.name for label in read(folder, "labels.json", tuple[LabelEntry, ...]))
    if DAY_MS % market.interval_ms:
        raise BundleError(f"{folder}: market.json: interval_ms: {market.interval_ms} does not divide a day")
    check_costs(folder, "strategies.json", book.costs)
    load_own(folder, market.own_files, own)
    if len(set(names)) < len(names):
        raise BundleError(f"{folder}: labels.json: a label occurs twice")
    sets = tuple(load_features(folder, name) for name in names)
    known = {name: load_classifier(folder, name, len(its.features)) for name, its in zip(names, sets, strict=True)}
    classifiers = tuple(known.values())
    check_outputs(folder, "strategies.json", book.outputs, known)
    _check_features(folder, market, sets, classifiers)
    return Bundle(
        digest=hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        symbol=market.symbol,
        interval_ms=market.interval_ms,
        quote_volume=market.quote_volume,
        trades=market.trades,
        warm_up=market.warm_up,
        chosen_until=window_of(folder, "market.json", market.windows, "past")[1],
        labels=names,
        outputs=book.outputs,
        feature_sets=sets,
        classifiers=classifiers,
        params=np.array(
            [parameters_of(folder, "strategies.json", one, book.outputs) for one in book.strategies], dtype=np.float64
        ),
        strategies=np.array([one.strategy for one in book.strategies], dtype=np.int64),
        rules=TradingRules.of(
            fee_share=book.fee_share,
            half_spread=book.half_spread,
            short=book.side == "both",
            signal_map=book.signal_map,
        ),
        learns=book.capital in CAPITAL_RULES and CAPITAL_RULES[book.capital].learns,
        capital=book.capital,
        tiers=_tiers(folder, book, manifest.tier),
        calendar=calendar_of(folder, "market.json", market.calendar),
        terms=book.costs,
    )


def _check_features(
    folder: Path, market: _Market, sets: Sequence[FeatureSet], classifiers: Sequence[Predictor]
) -> None:
    if len({s.normalisation for s in sets}) > 1:
        raise BundleError(f"{folder}: feature_sets: normalisations differ")
    if sets[0].normalisation.kind == "rank":
        raise BundleError(f"{folder}: feature_sets: normalisation rank is of a book of many markets")
    needed = max(s.warm_up + c.window - 1 for s, c in zip(sets, classifiers, strict=True))
    if market.warm_up < needed:
        raise BundleError(
            f"{folder}: market.json: warm_up: {market.warm_up} is less than the {needed} bars that the features need"
        )


def _tiers(folder: Path, book: _Strategies, largest: int) -> dict[int, Tier]:
    """Tiers by size, the largest first."""
    tiers = {int(n): _tier(folder, n, tier, len(book.strategies)) for n, tier in book.tiers.items()}
    if not max(tiers) == len(book.strategies) == largest:
        raise BundleError(f"{folder}: strategies.json: the largest tier, the strategies and the manifest do not match")
    return dict(sorted(tiers.items(), reverse=True))


def _tier(folder: Path, name: str, tier: _Tier, n_strategies: int) -> Tier:
    members, shares = tier.members, tier.shares
    fits = len(members) == len(set(members)) == len(shares) == int(name) and max(members) < n_strategies
    if not fits:
        raise BundleError(f"{folder}: strategies.json: tier {name} does not match the strategies")
    if abs(sum(shares) - 1.0) > 1e-9:
        raise BundleError(f"{folder}: strategies.json: tier {name}: shares do not sum to 1")
    return Tier(np.array(members, dtype=np.int64), np.array(shares, dtype=np.float64), tier.rate)
