"""Markets side by side, at once and row by row."""

from dataclasses import fields

import numpy as np
import pytest

from labelsearch.market.bars import Bars
from labelsearch.market.cross_section import CrossSection, UniverseTerms, cross_section
from labelsearch.market.cross_section_stream import CrossSectionStream
from labelsearch.market.funding import Funding, rates_within
from labelsearch.market.rules import BarError
from labelsearch.market.trading_costs import traded_value
from labelsearch.results.cross_section import MarketsOfSplit

STEP = 21_600_000  # four bars a day
TERMS = UniverseTerms(size=0, history_days=4, liquidity_days=6, beta_days=5, volatility_days=3)
COLUMNS = tuple(f.name for f in fields(CrossSection) if f.name not in ("markets", "open_time"))


def market(name: str, first: int, stop: int, seed: int, missing: float = 0.02, stops: slice | None = None) -> Bars:
    """Bars of some rows; a share of them is missing, and a stretch if asked for."""
    rng = np.random.default_rng(seed)
    rows = np.arange(first, stop)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.02, rows.size)))
    kept = rng.random(rows.size) >= missing
    kept[0] = True
    if stops:
        kept[stops] = False
    columns = (np.int64(1_577_836_800_000) + rows * STEP, *([close] * 4), rng.lognormal(seed % 3, 1.0, rows.size))
    return Bars(name, STEP, *(column[kept] for column in columns))


def markets(stop: int = 260) -> list[Bars]:
    """Five markets: one begins late, one ends early, one falls silent for some days."""
    spans = [(0, stop), (0, stop), (90, stop), (0, 150), (0, stop)]
    return [
        market(f"M{i}", first, min(end, stop), i, stops=slice(120, 140) if i == 4 else None)
        for i, (first, end) in enumerate(spans)
        if first < stop
    ]


def without(bars: Bars, rows: slice) -> Bars:
    """The bars on their grid, some of its rows missing."""
    kept = np.delete(np.arange(len(bars)), rows)
    columns = (getattr(bars, name)[kept] for name in ("open_time", "open", "high", "low", "close", "volume"))
    return Bars(bars.symbol, STEP, *columns).on_grid()


@pytest.fixture(scope="module", params=[0, 3], ids=["all", "the largest three"])
def terms(request):
    return TERMS._replace(size=request.param)


@pytest.mark.parametrize("bars", [markets(), [without(its, slice(170, 174)) for its in markets()]], ids=["", "outage"])
def test_row_by_row_has_the_same_bits_in_bounded_memory(terms, bars):
    whole = cross_section(bars, terms)
    stream = CrossSectionStream(len(bars), terms, 4)
    close, value = np.full(whole.close.shape, np.nan), np.zeros(whole.close.shape)
    for m, its in enumerate(bars):
        here = its.present()
        rows = np.searchsorted(whole.open_time, here.open_time)
        close[rows, m], value[rows, m] = here.close, traded_value(here)
    sizes = set()
    for t, time in enumerate(whole.open_time.tolist()):
        row = stream.update(time, close[t], value[t])
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(row, name), getattr(whole, name)[t], err_msg=f"{name} of row {t}")
        sizes.add(sum(a.nbytes for a in vars(stream).values() if isinstance(a, np.ndarray)))
    assert len(sizes) == 1


def test_a_bar_that_no_market_has_is_a_row_of_the_grid():
    bars = [without(market(f"M{i}", 0, 60, i, missing=0.0), slice(20, 23)) for i in range(3)]
    found = cross_section(bars, TERMS)
    np.testing.assert_array_equal(found.open_time, bars[0].open_time)
    view = MarketsOfSplit(found.markets, (1.0,) * 3, (), found, np.zeros_like(found.beta), {}).view(
        "M1", bars[1].open_time
    )
    assert len(view.basket) == len(bars[1]) == 60
    assert not view.basket[20:23].any()
    assert view.basket[24:].all()


def test_a_later_start_has_the_same_bits_once_windows_are_full():
    bars = [market(f"M{i}", 0, 200, i, missing=0.0) for i in range(3)]
    whole, late = (cross_section([its.rows(start, None) for its in bars], TERMS) for start in (0, 60))
    full = 4 * 4 + 1 + 5 * 4  # eligible, then a window of the basket
    for name in ("member", "basket", "beta", "sigma"):
        np.testing.assert_array_equal(getattr(late, name)[full:], getattr(whole, name)[60 + full :])


@pytest.mark.parametrize(
    ("bars", "words"),
    [
        ([market("A", 0, 9, 1)], "two markets or more"),
        ([market("A", 0, 9, 1), market("A", 0, 9, 2)], "none twice"),
        ([market("A", 0, 9, 1), Bars("B", STEP // 2, *([np.array([0])] + [np.ones(1)] * 5))], "one interval"),
    ],
)
def test_refused_in_one_line(bars, words):
    with pytest.raises(BarError, match=words):
        cross_section(bars, TERMS)


def test_rates_count_with_the_bar_that_they_are_paid_in():
    times = np.array([-1, 0, 5, 9, 10, 25, 29, 30, 39, 99])
    funding = Funding("A", times, np.arange(1.0, 11.0) / 100, np.full(10, np.nan))
    # bars of 10 at 0, 20 and 30: what is paid at 10, when none is open, counts with the next one
    got = rates_within(funding, np.array([0, 20, 30]), 10)
    np.testing.assert_allclose(got, [0.02 + 0.03 + 0.04, 0.05 + 0.06 + 0.07, 0.08 + 0.09])
    assert not rates_within(funding.between(500, 600), np.array([0, 20]), 10).any()
