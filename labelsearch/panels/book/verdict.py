"""Stage: the stitched book over all splits, what it is watched by, and what can be said of it."""

from collections import Counter
from collections.abc import Sequence

from labelsearch.engine.stage import Stage, Work
from labelsearch.panels.book.account import (
    BookVerdictInputs,
    Traded,
    days_of,
    paths_of,
    stitched,
    trade_tier,
    wanted_of,
)
from labelsearch.panels.book.figures import alpha_t, shift_test, strength_rows, watched
from labelsearch.panels.book.null import null_of
from labelsearch.panels.figures import power_of_book, tier_rows
from labelsearch.panels.verdict import equity_frame, market_rows, returns_frame, split_rows
from labelsearch.results.book import Book
from labelsearch.results.panel import CellRow, Panel, compound_pct
from strategies.book.backtest import backtest_book
from strategies.book.simulate import trade_weights
from strategies.book.window import BookWindow
from strategies.luck.panel import pooled_rank
from strategies.luck.panel_timing import CellPath, judge_panel_timing
from strategies.luck.timing import timing_statistic
from strategies.luck.verdict import verdict
from strategies.tiers.metrics import year_of
from strategies.tiers.stitch import Stitched


def _cell_rows(
    inputs: BookVerdictInputs, paths: Sequence[CellPath], book: Stitched, windows: Sequence[BookWindow]
) -> tuple[CellRow, ...]:
    rows = []
    for path in paths:
        split, m = path.split - 1, book.markets.index(path.market)
        of_split = book.split == split
        market = next(x for x in inputs.books[split].inputs.markets if x.market == path.market)
        window = windows[split]
        traded = window.open_time[window.traded[:, inputs.books[split].tiers.value.markets.index(path.market)]]
        first, last = traded[[0, -1]].astype("datetime64[ms]").astype("datetime64[D]")
        rows.append(
            CellRow(
                market=path.market,
                split=path.split,
                first=str(first),
                last=str(last),
                delisted=market.delisted,
                return_pct={n: compound_pct(book.returns[of_split, m, i]) for i, n in enumerate(inputs.sizes)},
                market_pct=compound_pct(book.market_returns[of_split, m]),
                timing={
                    n: timing_statistic(held, path.returns) for n, held in zip(inputs.sizes, path.held.T, strict=True)
                },
                rank=None,
                strategies=0,
            )
        )
    return tuple(rows)


def run(inputs: BookVerdictInputs, work: Work) -> Panel:
    """Trade all tiers through all splits and judge the whole."""
    work.progress(0, 4)
    windows = [book.inputs.window("future") for book in inputs.books]
    tiers = [trade_tier(windows, inputs, wanted_of(inputs, size)) for size in inputs.sizes]
    _check_in_vectorbt(inputs, tiers)
    book, year = stitched(windows, tiers), max(map(year_of, windows))
    paths = paths_of(windows, tiers)
    timing = judge_panel_timing(paths, inputs.sizes)
    cells = _cell_rows(inputs, paths, book, windows)
    rows = tier_rows(book, inputs.sizes, year, inputs.seeds)
    counts = Counter(row.split for row in cells)
    splits = split_rows(inputs.splits, counts, book, timing, inputs.sizes)
    work.progress(1, 4)
    real = {n: alpha_t(windows, days_of(windows, its.accounts)) for n, its in zip(inputs.sizes, tiers, strict=True)}
    past = [its.inputs.problem("past") for its in inputs.books] if inputs.shifts or inputs.null.repeats else []
    shifts = shift_test(inputs, windows, past, real)
    work.progress(2, 4)
    null = null_of(inputs, windows, past, real, work)
    ranks = {("book", book_of.tiers.value.split): rank for book_of in inputs.books
             if (rank := book_of.tiers.value.rank) is not None}  # fmt: skip
    found = Panel(
        splits=splits,
        cells=cells,
        markets=market_rows(cells, book, timing, inputs.sizes, year),
        absent=inputs.absent,
        tiers=rows,
        timing=timing,
        rank=pooled_rank(ranks),
        power=power_of_book(book, [row.markets for row in splits], year),
        seeds=None,
        strategies=sum(book_of.tiers.value.n_strategies for book_of in inputs.books),
        verdict=verdict(
            timing.adjusted, {t.size: t.alpha_adjusted for t in rows if t.size and t.alpha_adjusted is not None}
        ),
        book=Book(
            kind=inputs.books[0].tiers.value.kind,
            beta_bound=inputs.beta_bound,
            tiers=tuple(watched(tier, size, inputs) for tier, size in zip(tiers, inputs.sizes, strict=True)),
            strength=strength_rows(inputs, windows),
            shifts=shifts,
            null=null,
        ),
        equity=equity_frame(book, inputs.sizes),
        returns=returns_frame(book, inputs.sizes),
    )
    work.progress(4, 4)
    return found


def _check_in_vectorbt(inputs: BookVerdictInputs, tiers: Sequence[Traded]) -> None:
    """Trade every tier of every split in vectorbt, which must agree with the simulator, from cash."""
    rules = inputs.books[0].inputs.rules
    for tier in tiers:
        for leg in tier.legs:
            backtest_book(trade_weights(leg.weights, leg.band, leg.window, rules), leg.window, rules)


# the looks at its futures are those of the tiers
VERDICT = Stage("panel", BookVerdictInputs, Panel, run)
