"""What a book is watched by, how its wishes foretell, and where its alpha stands among those of shifted outputs."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from labelsearch.market.times import interval_name
from labelsearch.panels.book.account import BookOfSplit, BookVerdictInputs, Traded, Wanted, days_of, trade_tier
from labelsearch.panels.book.split import wanted
from labelsearch.results.book import LegYear, ShiftTest, StrengthRow, Watched
from labelsearch.results.ensembles import tier_name
from strategies.book.problem import BookProblem
from strategies.book.simulate import mean_weights
from strategies.book.watch import Gains, capacity, gains, neutrality, strength_correlation
from strategies.book.window import BookWindow
from strategies.luck.panel import hac_fit
from strategies.tiers.metrics import recovery_days
from strategies.tiers.null import draw_shifts, p_value

HOUR_MS = 3_600_000
STRENGTH_HOURS = (0, 24, 72)  # 0: the next row


def watched(tier: Traded, size: int, inputs: BookVerdictInputs) -> Watched:
    """What one tier is watched by, over all splits."""
    windows = [leg.window for leg in tier.legs]
    returns = days_of(windows, tier.accounts)
    basket = np.concatenate([window.basket_days for window in windows])
    found = neutrality(returns, basket, inputs.beta_bound)
    weights = [account.weight for account in tier.accounts]
    net, gross = (
        np.concatenate(x) for x in ([w.sum(axis=1) for w in weights], [np.abs(w).sum(axis=1) for w in weights])
    )
    parts = [gains(account, window, tier.before(k))
             for k, (account, window) in enumerate(zip(tier.accounts, windows, strict=True))]  # fmt: skip
    whole = Gains(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))
    equity = np.concatenate([account.equity for account in tier.accounts])
    times = np.concatenate([window.open_time for window in windows])
    turnover = float(np.divide(whole.traded, equity, out=np.zeros_like(equity), where=equity > 0).sum())
    can_hold = None
    if inputs.capital is not None:
        can_hold = capacity(float(whole.net.sum()), float(whole.impact.sum()), inputs.capital)
    return Watched(
        name=tier_name(size),
        size=size,
        neutrality=found,
        is_neutral=found.holds(inputs.beta_bound),
        net_pct=100.0 * float(net.mean()),
        net_worst_pct=100.0 * float(net[np.argmax(np.abs(net))]),
        gross_pct=100.0 * float(gross.mean()),
        gross_most_pct=100.0 * float(gross.max()),
        turnover_a_day=turnover / max(len(returns), 1),
        capacity=can_hold,
        recovery_days=recovery_days(equity, times),
        years=_years(tier_name(size), whole, equity, times),
    )


def _years(name: str, whole: Gains, equity: NDArray[np.float64], times: NDArray[np.int64]) -> tuple[LegYear, ...]:
    year = times.astype("datetime64[ms]").astype("datetime64[Y]").astype(np.int64) + 1970
    rows = []
    for number in np.unique(year).tolist():
        own = np.flatnonzero(year == number)
        first, stop = own[0], own[-1] + 1
        start = float(equity[first - 1]) if first else 1.0
        sums = {
            f"{field}_pct": 100.0 * float(values[first:stop].sum())
            for field, values in whole._asdict().items()
            if field != "traded"
        }
        net = 100.0 * float(whole.net[first:stop].sum())
        rows.append(LegYear(name, number, **sums, net_pct=net, return_pct=net / start if start > 0 else 0.0))
    return tuple(rows)


def strength_rows(inputs: BookVerdictInputs, windows: Sequence[BookWindow]) -> tuple[StrengthRow, ...]:
    """How well the wishes of each tier ranked what followed, and those of each of several intervals alone."""
    step_ms = int(min(np.diff(window.open_time).min() for window in windows))
    lengths = inputs.books[0].inputs.intervals_ms
    wished = {"": [list(book.tiers.value.weights) for book in inputs.books]}
    for i, length in enumerate(lengths if len(lengths) > 1 else ()):
        wished[interval_name(length)] = [
            list(_alone(book, window, inputs.sizes, i)) for book, window in zip(inputs.books, windows, strict=True)
        ]
    rows = []
    for k, size in enumerate(inputs.sizes):
        for interval, of_split in wished.items():
            for n in dict.fromkeys(max(hours * HOUR_MS // step_ms, 1) for hours in STRENGTH_HOURS):
                parts = (strength_correlation(its[k], w, n) for its, w in zip(of_split, windows, strict=True))
                values = np.concatenate(list(parts))
                if len(values) > 1:
                    mean, error = float(values.mean()), float(values.std(ddof=1)) / len(values) ** 0.5
                    rows.append(StrengthRow(tier_name(size), interval, n * step_ms / HOUR_MS, mean, error, len(values)))
    return tuple(rows)


def _alone(book: BookOfSplit, window: BookWindow, sizes: tuple[int, ...], interval: int) -> NDArray[np.float64]:
    """Weights (n, T, M) that tiers want by the outputs of one of several intervals alone."""
    past, rules = book.inputs.window("past"), book.inputs.rules
    own, own_past = (w._replace(outputs=np.ascontiguousarray(w.outputs[:, [interval]])) for w in (window, past))
    members = book.tiers.value.members[max(sizes)]
    params = book.search.value.params[list(members), : -len(book.inputs.intervals_ms)]
    return wanted(params, own_past, own, rules, sizes)[1]


def alpha_t(windows: Sequence[BookWindow], returns: NDArray[np.float64]) -> float:
    """t-value of the alpha of daily returns against the basket; 0 where it cannot be told."""
    fit = hac_fit(returns, np.concatenate([window.basket_days for window in windows]))
    return fit.alpha_t if fit else 0.0


def alpha_of_wanted(inputs: BookVerdictInputs, windows: Sequence[BookWindow], wanted: Sequence[Wanted]) -> float:
    """t-value of the alpha of a tier that wants so much in each split."""
    return alpha_t(windows, days_of(windows, trade_tier(windows, inputs, wanted).accounts))


def shift_test(
    inputs: BookVerdictInputs,
    windows: Sequence[BookWindow],
    past: Sequence[BookProblem],
    real: Mapping[int, float],
) -> ShiftTest | None:
    """Trade the same strategies on shifted outputs; None without shifts.

    A split's outputs of all markets are shifted by the same number of rows, so that what markets have in common stays.
    ``past`` is that of each split, and ``real`` the t-values of alpha of the tiers.
    """
    if not inputs.shifts:
        return None
    sizes = inputs.sizes
    drawn = [draw_shifts(len(w.close), inputs.shifts, inputs.seeds("book shifts", k)) for k, w in enumerate(windows)]
    best, states = [], []
    for book, problem in zip(inputs.books, past, strict=True):
        members = book.tiers.value.members[max(sizes)]
        params = book.search.value.params[list(members)]
        best.append(params)
        states.append(mean_weights(params, problem.window, problem.rules, sizes)[1])
    found: dict[int, list[float]] = {n: [] for n in sizes}
    for shift in range(inputs.shifts):
        weights = [
            mean_weights(params, window.shifted(int(its[shift])), book.inputs.rules, sizes, state)[0]
            for params, window, its, book, state in zip(best, windows, drawn, inputs.books, states, strict=True)
        ]
        for i, size in enumerate(sizes):
            bands = [book.tiers.value.band[size] for book in inputs.books]
            wanted = [Wanted(of_split[i], band) for of_split, band in zip(weights, bands, strict=True)]
            found[size].append(alpha_of_wanted(inputs, windows, wanted))
    return ShiftTest(
        inputs.shifts,
        {n: p_value(real[n], np.array(found[n])) for n in sizes},
        {n: float(np.mean(found[n])) for n in sizes},
        {n: float(np.quantile(found[n], 0.95)) for n in sizes},
    )
