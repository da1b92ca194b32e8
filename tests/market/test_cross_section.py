"""Markets side by side: against the naive twin, without knowledge of the future, and by hand."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import get_num_threads, set_num_threads

from labelsearch.market.bars import Bars
from labelsearch.market.cross_section import UniverseTerms, cross_section
from labelsearch.market.rules import BarError
from tests.naive.cross_section import NaiveCrossSection

DAY_MS = 86_400_000
START = 18_262 * DAY_MS  # 2020-01-01
A_DAY = 4
TERMS = UniverseTerms(size=2, history_days=5, liquidity_days=4, beta_days=6, volatility_days=3)
ARRAYS = ("close", "returns", "basket", "beta", "sigma")
MASKS = ("traded", "has", "eligible", "member")


def market(name: str, rows: np.ndarray, seed: int, value: float = 1.0, a_day: int = A_DAY) -> Bars:
    """Bars of a random walk at some rows of the common grid, of about a value traded in each."""
    rng = np.random.default_rng(seed)
    step = rng.normal(0, 0.02, rows[-1] + 1) + np.random.default_rng(99).normal(0, 0.02, 2000)[: rows[-1] + 1]
    close = 100.0 * np.exp(np.cumsum(step))[rows]
    interval = DAY_MS // a_day
    volume = value * rng.uniform(0.5, 1.5, len(rows)) / close
    return Bars(name, interval, START + rows * interval, close, close, close, close, volume, volume * close)


def markets(n: int = 45 * A_DAY) -> list[Bars]:
    """One with all bars; one that joins; one that is delisted; one with a long gap, and one with short ones."""
    rows = np.arange(n)
    short = rows[np.random.default_rng(4).random(n) > 0.3]
    return [
        market("ALL", rows, 1, 3.0),
        market("JOINS", rows[60:], 2, 5.0),
        market("LEAVES", rows[: n - 50], 3, 4.0),
        market("GAP", np.delete(rows, slice(90, 120)), 4, 6.0),
        market("SHORT", short, 5, 2.0),
    ]


def naive(bars: list[Bars], terms: UniverseTerms, a_day: int = A_DAY) -> NaiveCrossSection:
    plain = [
        dict(zip(b.open_time.tolist(), zip(b.close.tolist(), b.quote_volume.tolist(), strict=True), strict=True))
        for b in bars
    ]
    return NaiveCrossSection(plain, terms, a_day)


def assert_same(found, twin) -> None:
    for name in MASKS:
        np.testing.assert_array_equal(getattr(found, name), getattr(twin, name), name)
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(found, name), getattr(twin, name), rtol=1e-9, atol=1e-15, err_msg=name)


@pytest.mark.parametrize("size", [0, 1, 2, 9])
def test_as_the_naive_twin(size):
    terms = TERMS._replace(size=size)
    found = cross_section(markets(), terms)
    assert_same(found, naive(markets(), terms))
    assert 0 < found.member.sum() < found.eligible.sum() < found.member.size


@given(st.integers(0, 10_000), st.integers(0, 3), st.integers(1, 8), st.integers(1, 6))
@settings(max_examples=15, deadline=None)
def test_as_the_naive_twin_whatever_is_missing(seed, size, history, beta):
    rng = np.random.default_rng(seed)
    terms = UniverseTerms(size, history, int(rng.integers(1, 5)), beta + 1, int(rng.integers(2, 5)))
    bars = []
    for m in range(3):
        here = rng.random(70) > 0.2 * m
        first = int(rng.integers(0, 40))
        here[first : first + int(rng.integers(0, 20))] = False
        bars.append(market(f"M{m}", np.flatnonzero(here), seed + m, a_day=2))
    assert_same(cross_section(bars, terms), naive(bars, terms, 2))


@pytest.mark.parametrize("size", [0, 2])
def test_nothing_later_changes_a_bit(size):
    terms = TERMS._replace(size=size)
    whole = cross_section(markets(), terms)
    for stop in (1, 61, 100, 121, 150):
        until = int(whole.open_time[stop])
        part = cross_section([b.between(None, until) for b in markets()], terms)
        for name in ("open_time", *MASKS, *ARRAYS):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[:stop], name)


def test_an_earlier_start_changes_no_bit_once_windows_are_full():
    whole, since = cross_section(markets(), TERMS), 8 * A_DAY
    late = cross_section([b.between(START + since * DAY_MS // A_DAY) for b in markets()], TERMS)
    full = 31 * A_DAY - since + 2 * 6 * A_DAY  # a month's choice, the basket of it, and a window of beta
    for name in (*MASKS, *ARRAYS):
        np.testing.assert_array_equal(getattr(late, name)[full:], getattr(whole, name)[since + full :], name)
    assert late.member[full:].any()


def test_the_same_bits_for_any_number_of_threads():
    before, found = get_num_threads(), []
    try:
        for n in {1, before}:
            set_num_threads(n)
            found.append(cross_section(markets(), TERMS))
    finally:
        set_num_threads(before)
    for name in (*MASKS, *ARRAYS):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(found[-1], name))


def test_filled_bars_do_not_count():
    dense = [b.on_grid() for b in markets()]
    assert any(b.filled.any() for b in dense)
    for name in (*MASKS, *ARRAYS):
        np.testing.assert_array_equal(
            getattr(cross_section(dense, TERMS), name), getattr(cross_section(markets(), TERMS), name)
        )


def test_a_market_joins_after_its_history_and_leaves_a_day_after_its_last_bar():
    found = cross_section(markets(), TERMS._replace(size=0))
    joins, leaves = found.column("JOINS"), found.column("LEAVES")
    (rows,) = np.nonzero(found.eligible[:, joins])
    assert rows[0] == 60 + 5 * A_DAY
    (rows,) = np.nonzero(found.eligible[:, leaves])
    assert rows[-1] == 45 * A_DAY - 50 - 1 + A_DAY
    assert not found.has[45 * A_DAY - 50 :, leaves].any()
    assert (found.returns[45 * A_DAY - 50 :, leaves] == 0.0).all()
    with pytest.raises(BarError, match="OTHER is none of the markets ALL, JOINS"):
        found.column("OTHER")


def test_no_return_bridges_a_gap_of_more_than_a_day():
    rows = np.arange(30)
    other = market("OTHER", rows, 1, a_day=1)
    for missing, bridged in ((1, True), (2, False)):
        kept = np.delete(rows, slice(15, 15 + missing))
        spliced = market("SPLICED", kept, 2, a_day=1)
        spliced = dataclasses.replace(spliced, close=np.where(kept > 15, 1000.0, 1.0) * spliced.close)  # other units
        found = cross_section([other, spliced], TERMS._replace(size=0))
        back = 15 + missing
        assert found.traded[back, 1]
        assert found.has[back, 1] == bridged
        assert (abs(found.returns[back, 1]) > 100) == bridged
        assert found.eligible[back, 1] == bridged
        if not bridged:
            assert not found.eligible[back : back + 5, 1].any()
            assert found.eligible[back + 5, 1]
            assert np.nanmax(np.abs(found.beta)) < 10
            assert np.abs(found.basket).max() < 0.5


def test_the_choice_of_a_month_is_made_from_the_days_before_it():
    rows = np.arange(70)
    steady, risen = market("STEADY", rows, 1, 2.0, 1), market("RISEN", rows, 2, 1.0, 1)
    value = np.where(rows >= 31, 100.0, 1.0) * risen.quote_volume  # from 2020-02-01 on
    risen = dataclasses.replace(risen, quote_volume=value)
    found = cross_section([steady, risen], UniverseTerms(1, 1, 10, 5, 5))
    np.testing.assert_array_equal(found.eligible[31:60], [[True, False]] * 29)
    np.testing.assert_array_equal(found.eligible[60:], [[False, True]] * 10)
    assert not found.eligible[:31].any()  # no days before the first row
    np.testing.assert_array_equal(found.basket[32:61], found.returns[32:61, 0])


def test_a_market_that_does_not_move_is_no_member():
    still = dataclasses.replace(market("STILL", np.arange(100), 1), close=np.ones(100))
    found = cross_section([still, market("MOVES", np.arange(100), 2)], TERMS._replace(size=0))
    assert found.eligible[50:].all()
    assert not found.member[:, 0].any()
    assert found.member[50:, 1].all()
    flat = cross_section([still, dataclasses.replace(still, symbol="OTHER")], TERMS._replace(size=0))
    assert np.isnan(flat.beta).all()


def test_bad_input_is_refused():
    one, other = market("ONE", np.arange(20), 1), market("OTHER", np.arange(20), 2)
    for bars, words in (
        ([one], "two markets or more, and none twice, not ONE"),
        ([], "not none"),
        ([one, one], "none twice"),
        ([one, market("DAILY", np.arange(9), 3, a_day=1)], "bars of one interval"),
        ([one, dataclasses.replace(other, calendar="FX")], "one calendar"),
        ([one.rows(0, 0), other.rows(0, 0)], "have no bars"),
        ([one, dataclasses.replace(other, quote_volume=None, volume=np.ones(20))], "all bars have a volume of 1"),
    ):
        with pytest.raises(BarError, match=words):
            cross_section(bars, TERMS)
