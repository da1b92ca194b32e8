"""The account of each tier of a book through all splits, and what the verdict makes of it day by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelsearch.engine.stage import Stored
from labelsearch.panels.book.split import BookSearchInputs
from labelsearch.results.book import BookTiers
from labelsearch.results.search import Strategies
from labelsearch.settings.cells import Absent
from labelsearch.settings.roll import abut
from labelsearch.settings.sections import Null, Windows
from labelsearch.stages.seeds import Seeds
from strategies.book.simulate import Account
from strategies.book.stitch import BookLeg, trade_splits
from strategies.book.watch import Before, held_at_open, market_gains
from strategies.book.window import BookWindow
from strategies.luck.panel_timing import CellPath
from strategies.luck.timing import that_count
from strategies.tiers.stitch import Stitched, returns_of_days


@dataclass(frozen=True)
class BookOfSplit:
    """One split, as far as the verdict knows it."""

    inputs: BookSearchInputs
    search: Stored[Strategies]
    tiers: Stored[BookTiers]


@dataclass(frozen=True)
class BookVerdictInputs:
    """All that the stage may know."""

    splits: tuple[Windows, ...]
    books: tuple[BookOfSplit, ...]
    absent: tuple[Absent, ...]
    sizes: tuple[int, ...]  # the largest first
    beta_bound: float
    capital: float | None  # that impact is computed for; None where it is not counted
    shifts: int
    null: Null
    seeds: Seeds


@dataclass(frozen=True)
class Traded:
    """One tier traded through all splits."""

    legs: tuple[BookLeg, ...]
    accounts: tuple[Account, ...]

    def before(self, split: int) -> Before | None:
        """Where it stood before a split, counted from 0, in the order of its markets."""
        if split == 0:
            return None
        leg, last, account = self.legs[split], self.legs[split - 1], self.accounts[split - 1]
        units, close = np.zeros(len(leg.markets)), leg.window.open[0].copy()
        for m, market in enumerate(last.markets):
            if market in leg.markets and leg.follows:
                at = leg.markets.index(market)
                units[at], close[at] = account.held[0, m], last.window.close[-1, m]
        return Before(units, close)


class Wanted(NamedTuple):
    """What a tier wants in one split."""

    weights: NDArray[np.float64]  # (T, M)
    band: tuple[float, float]


def wanted_of(inputs: BookVerdictInputs, size: int) -> list[Wanted]:
    """What a tier wants in each split, as it was found there."""
    found = [book.tiers.value for book in inputs.books]
    return [Wanted(tiers.weights[tiers.sizes.index(size)], tiers.band[size]) for tiers in found]


def trade_tier(windows: Sequence[BookWindow], inputs: BookVerdictInputs, wanted: Sequence[Wanted]) -> Traded:
    """Trade one tier through all splits."""
    follows = [False, *(abut(a, b) for a, b in pairwise(inputs.splits))]
    legs = [
        BookLeg(tuple(market.market for market in book.inputs.markets), window, wish.weights, wish.band, follow)
        for window, book, wish, follow in zip(windows, inputs.books, wanted, follows, strict=True)
    ]
    return Traded(tuple(legs), tuple(trade_splits(legs, inputs.books[0].inputs.rules)))


def days_of(windows: Sequence[BookWindow], accounts: Sequence[Account]) -> NDArray[np.float64]:
    """Daily returns (D,) of an account through all splits."""
    equity = np.concatenate([a.equity[w.day_edges[1:] - 1] for a, w in zip(accounts, windows, strict=True)])
    return returns_of_days(equity[:, None])[:, 0]


def stitched(windows: Sequence[BookWindow], tiers: Sequence[Traded]) -> Stitched:
    """All tiers by day."""
    markets = tuple(dict.fromkeys(m for leg in tiers[0].legs for m in leg.markets))
    days, split_of, equity, basket, own, prices = [], [], [], [], [], []
    for k, window in enumerate(windows):
        edges, its_days = window.day_edges, window.days
        ends = edges[1:] - 1
        days.append(its_days)
        split_of.append(np.full(len(its_days), k))
        equity.append(np.column_stack([tier.accounts[k].equity[ends] for tier in tiers]))
        basket.append(window.basket_days)
        columns = [markets.index(m) for m in tiers[0].legs[k].markets]
        parts = np.full((len(its_days), len(markets), len(tiers)), np.nan)
        for i, tier in enumerate(tiers):
            earned = np.add.reduceat(market_gains(tier.accounts[k], window, tier.before(k)), edges[:-1], axis=0)
            start = tier.accounts[k - 1].equity[-1] if k else 1.0
            base = np.r_[start, tier.accounts[k].equity[ends[:-1]]][:, None]
            parts[:, columns, i] = np.divide(earned, base, out=np.zeros_like(earned), where=base > 0)
        own.append(parts)
        moved = np.full((len(its_days), len(markets)), np.nan)
        closes = np.vstack([window.open[0], window.close[ends]])
        moved[:, columns] = closes[1:] / closes[:-1] - 1.0
        prices.append(moved)
    growth = np.cumprod(1.0 + np.concatenate(basket))
    return Stitched(
        np.concatenate(days), np.concatenate(split_of), markets, np.concatenate(equity), growth,
        np.concatenate(own), np.concatenate(prices),
    )  # fmt: skip


def paths_of(windows: Sequence[BookWindow], tiers: Sequence[Traded]) -> list[CellPath]:
    """What tiers held of each market in each split, at the bars that it has."""
    found = []
    for k, window in enumerate(windows):
        held = np.stack([held_at_open(tier.accounts[k], window) for tier in tiers], axis=-1)  # (T, M, n)
        for m, market in enumerate(tiers[0].legs[k].markets):
            rows = np.flatnonzero(window.traded[:, m])
            if len(rows) < 4:
                continue
            its, returns = that_count(held[rows, m], window.open[rows, m])
            found.append(CellPath(market, k + 1, window.open_time[rows][1:-1], its, returns))
    return found
