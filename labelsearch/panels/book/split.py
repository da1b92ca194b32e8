"""Stages of one split of a book: the search over its past, and the tiers that its future is traded by."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelsearch.engine.looks import Stretch
from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.labels.base import pairs_of
from labelsearch.labels.spans import Span
from labelsearch.market.cross_section import CrossSection
from labelsearch.results.book import BookTierRow, BookTiers, UniverseFacts
from labelsearch.results.costs import TradingCosts
from labelsearch.results.cross_section import MarketsOfSplit
from labelsearch.results.outputs import WINDOWS, Outputs
from labelsearch.results.search import Strategies
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.search import search_islands
from strategies.book import kernels
from strategies.book.problem import BookProblem, BookScore, evaluate_books
from strategies.book.rules import KINDS, BookRules, BookSpace
from strategies.book.simulate import band_of, mean_weights, trade_weights
from strategies.book.watch import neutrality
from strategies.book.weights import LEAST_MEMBERS, is_singular
from strategies.book.window import BookWindow, MarketWindow, Universe, book_window, last_closed
from strategies.luck.resample import rank_correlation
from strategies.search.islands import SearchSettings
from strategies.tiers.ensemble import tiers
from strategies.tiers.metrics import daily_returns, max_drawdown, sharpe, year_of
from strategies.trade.window import TradingWindow


@dataclass(frozen=True)
class BookMarket:
    """One market of a split."""

    market: str
    asset: str  # what is traded, by which looks are counted
    outputs: tuple[Stored[Outputs], ...]  # by interval, the first that of the book
    costs: Stored[TradingCosts]
    delisted: bool  # its bars end within the future


@dataclass(frozen=True)
class BookInputs:
    """What books trade on, and by which rules."""

    markets: tuple[BookMarket, ...]
    section: Stored[MarketsOfSplit]
    past: Span
    future: Span
    rules: BookRules
    half_spread: float  # where costs do not say it bar by bar
    intervals_ms: tuple[int, ...]

    def _span(self, name: str) -> Span:
        return {"past": self.past, "future": self.future}[name]

    def _place(self, name: str) -> tuple[CrossSection, slice, list[int]]:
        """The cross-section, and the rows of a window and the columns of the markets in it."""
        section: CrossSection = self.section.value.section
        return section, self._span(name).rows(section.open_time), [section.column(its.market) for its in self.markets]

    def window(self, name: str) -> BookWindow:
        """All markets in a window, on their common grid.

        Raises
        ------
        ExperimentError
            If the universe has no market in all of it.
        """
        section, rows, columns = self._place(name)
        grid = section.open_time[rows]
        universe = Universe(
            section.member[rows][:, columns],
            section.sigma[rows][:, columns],
            section.beta[rows][:, columns],
            section.basket[rows],
        )
        if not universe.member.any():
            raise ExperimentError(
                f"the universe is empty in all of {name}: no market has [universe] history_days, and beta and "
                "volatility of their days, before it ends"
            )
        before = section.close[rows.start - 1, columns] if rows.start else np.full(len(columns), np.nan)
        markets = [self._market(market, name, grid, float(b)) for market, b in zip(self.markets, before, strict=True)]
        pairs = pairs_of(self.markets[0].outputs[0].value.columns)
        year = max(market.outputs[0].value.window(name).days_a_year for market in self.markets)
        found = book_window(markets, universe, grid, self._span(name).months, self.rules, year, pairs)
        for market in self.markets:
            market.costs.forget()
            for stored in market.outputs:
                stored.forget()
        return found

    def _market(self, market: BookMarket, name: str, grid: NDArray[np.int64], before: float) -> MarketWindow:
        traded = market.outputs[0].value.window(name)
        row = np.searchsorted(grid, traded.open_time)
        outputs = np.full((len(grid), traded.outputs.shape[1]), np.nan)
        outputs[row] = traded.outputs
        others = [
            outputs_then(grid, self.intervals_ms[0], stored.value.window(name), length)
            for stored, length in zip(market.outputs[1:], self.intervals_ms[1:], strict=True)
        ]
        return MarketWindow(
            outputs=[outputs, *others],
            row=row,
            open=traded.open,
            close=traded.close,
            costs=market.costs.value.window(name),
            half_spread=self.half_spread,
            close_before=before,
            goes_on=not (market.delisted and name == "future"),
        )

    def facts(self, name: str, window: BookWindow) -> UniverseFacts:
        """What the universe of a window was."""
        section, rows, columns = self._place(name)
        left_out = (section.eligible[rows] & ~section.member[rows])[:, columns]
        count = window.member.sum(axis=1)
        same = is_singular(count, window.beta.sum(axis=1), (window.beta**2).sum(axis=1))  # which is 0 of no members
        return UniverseFacts(
            rows=len(count),
            members=float(count.mean()),
            without_members=int((count < LEAST_MEMBERS).sum()),
            singular=int((same & (count >= LEAST_MEMBERS)).sum()),
            unmeasured=int(left_out.sum()),
        )

    @property
    def looked_at(self) -> tuple[Stretch, ...]:
        """The future of every market."""
        return tuple(Stretch(market.asset, self.future.start_ms, self.future.stop_ms) for market in self.markets)


def outputs_then(grid: NDArray[np.int64], step_ms: int, window: TradingWindow, length_ms: int) -> NDArray[np.float64]:
    """Outputs (T, K) of the last bar of another interval that has closed when each row of a grid closes, else NaN."""
    at, known = last_closed(grid, step_ms, window.open_time, length_ms)
    return np.where(known[:, None], window.outputs[at], np.nan)


@dataclass(frozen=True)
class BookSearchInputs(BookInputs):
    """All that the search may know."""

    space: BookSpace
    score: BookScore
    search_settings: SearchSettings

    def problem(self, window: str) -> BookProblem:
        """All of it in one window."""
        return BookProblem(self.window(window), self.space, self.rules, self.score)


def run_search(inputs: BookSearchInputs, work: Work) -> Strategies:
    """Search strategies of a book on past, and evaluate all of them on the whole of it."""
    return search_islands(inputs.problem("past"), inputs.search_settings, work, evaluate_books)


SEARCH = Stage("book search", BookSearchInputs, Strategies, run_search)


@dataclass(frozen=True)
class BookTierInputs(BookSearchInputs):
    """All that the tiers may know."""

    split: int
    sizes: tuple[int, ...]  # the largest first
    search: Stored[Strategies]


def wanted(
    params: NDArray[np.float64], past: BookWindow, future: BookWindow, rules: BookRules, sizes: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean weights (n, T, M) of tiers on past and on future.

    Strategies are followed over past first, so that they have wishes at the first close of future.
    """
    on_past, state = mean_weights(params, past, rules, sizes)
    on_future, _ = mean_weights(params, future, rules, sizes, state)
    return on_past, on_future


def run_tiers(inputs: BookTierInputs, work: Work) -> BookTiers:
    """Form the tiers, and what they want on future."""
    work.progress(0, 3)
    past, future = (inputs.problem(window) for window in WINDOWS)
    strategies = inputs.search.value
    members = tiers(strategies.score, inputs.sizes)
    best = strategies.params[members[max(inputs.sizes)]]
    on_past, on_future = wanted(best, past.window, future.window, inputs.rules, inputs.sizes)
    work.progress(1, 3)
    later = evaluate_books(future, strategies.params)
    work.progress(2, 3)
    bands = {size: band_of(best[:size], inputs.space.n_outputs) for size in inputs.sizes}
    varies = np.ptp(strategies.score) > 0 and np.ptp(later["sharpe"]) > 0
    found = BookTiers(
        kind=next(name for name, code in KINDS.items() if code == inputs.rules.kind),
        split=inputs.split,
        markets=tuple(market.market for market in inputs.markets),
        members={size: tuple(index.tolist()) for size, index in members.items()},
        band=bands,
        past=tuple(
            _past_row(size, weights, bands[size], past) for size, weights in zip(inputs.sizes, on_past, strict=True)
        ),
        universe={name: inputs.facts(name, p.window) for name, p in zip(WINDOWS, (past, future), strict=True)},
        n_strategies=len(strategies.frame),
        rank=rank_correlation(strategies.score, later["sharpe"]) if varies else None,
        future=pd.DataFrame(later),
        weights=on_future,
    )
    work.progress(3, 3)
    return found


def _past_row(size: int, weights: NDArray[np.float64], band: tuple[float, float], past: BookProblem) -> BookTierRow:
    account = trade_weights(weights, band, past.window, past.rules)
    returns = daily_returns(account.equity, past.window.open_time)
    totals, n_days = account.totals, max(len(returns), 1)
    return BookTierRow(
        size=size,
        sharpe=sharpe(returns, year_of(past.window)),
        return_pct=100.0 * (float(account.equity[-1]) - 1.0),
        max_drawdown_pct=100.0 * max_drawdown(account.equity),
        beta=neutrality(returns, past.window.basket_days, 1.0).beta,
        mean_gross_pct=100.0 * float(totals[kernels.GROSS_SUM] / max(totals[kernels.ROWS], 1.0)),
        turnover_a_day=float(totals[kernels.TRADED]) / n_days,
    )


TIERS = Stage("book tiers", BookTierInputs, BookTiers, run_tiers, looks_at=lambda inputs: inputs.looked_at)
