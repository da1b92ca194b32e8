"""Funding payments: what is refused, what is missing, and that what goes into the store comes out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelsearch.market.bars import Bars
from labelsearch.market.checks import Gap
from labelsearch.market.funding import (
    Funding,
    FundingExtent,
    funding_gaps,
    payments_missing,
    uncovered,
    usual_steps,
    with_marks,
)
from labelsearch.market.funding_store import join_funding
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store

START = 1_577_836_800_000  # 2020-01-01 00:00 UTC
HOUR = 3_600_000
STEP = 8 * HOUR


def funding(n: int = 12, first: int = 0, symbol: str = "TEST") -> Funding:
    """Payments every 8 hours, all rates and mark prices different."""
    i = np.arange(first, first + n)
    return Funding(symbol, START + STEP * i, 1e-4 * (i - 3), 100.0 + i)


def frame(n: int = 6) -> pd.DataFrame:
    return funding(n).to_frame()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def names(store: Store) -> list[str]:
    files = [path for path in store.root.rglob("*") if path.is_file() and path.name != ".lock"]
    return sorted(str(path.relative_to(store.root)) for path in files)


def test_a_table_becomes_funding_and_comes_back() -> None:
    held = Funding.from_frame(frame(), "TEST")
    assert held.digest() == funding(6).digest()
    assert len(held) == 6
    assert repr(held) == "<Funding TEST: 6 payments 2020-01-01 00:00 .. 2020-01-02 16:00>"
    assert all(array.flags.writeable and array.flags.c_contiguous for array in (held.time, held.rate, held.mark))
    plain = Funding.from_frame(frame().drop(columns="mark_price"), "TEST")
    assert np.isnan(plain.mark).all()
    assert plain.digest() != held.digest()


def test_part_of_a_range() -> None:
    held = funding()
    assert held.between(START + 1, START + 2 * STEP + 1).time.tolist() == [START + STEP, START + 2 * STEP]
    assert held.between().digest() == held.digest()
    assert len(held.between(START + 5, START)) == 0


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"rate": np.array([0.0, np.nan])}, "2020-01-01 08:00: the funding rate is not a finite number"),
        ({"rate": np.array([0.0, np.inf])}, "2020-01-01 08:00: the funding rate is not a finite number"),
        ({"rate": np.array([-1.0, 0.0])}, "2020-01-01 00:00: the funding rate is not a fraction between -1 and 1"),
        ({"mark": np.array([1.0, 0.0])}, "2020-01-01 08:00: the mark price is not positive"),
        ({"mark": np.array([1.0, np.inf])}, "2020-01-01 08:00: the mark price is not a finite number"),
        ({"mark": np.array([1.0, 1e19])}, r"2020-01-01 08:00: the mark price is out of range, 1e-18 to 1e\+18"),
        ({"time": np.array([START, START])}, "times of funding payments are not strictly increasing"),
        ({"rate": np.array([0.0])}, r"rate has shape \(1,\), not \(2,\)"),
    ],
)
def test_what_is_no_funding(change: dict, rule: str) -> None:
    with pytest.raises(BarError, match=f"^{rule}$"):
        replace(funding(2), **change)


@pytest.mark.parametrize(
    ("row", "column", "value", "rule"),
    [
        (2, "funding_rate", "x", "row 3: the funding rate is not a finite number"),
        (0, "funding_rate", 5, "row 1: the funding rate is not a fraction between -1 and 1"),
        (1, "mark_price", -5, "row 2: the mark price is not positive"),
        (4, "mark_price", "?", "row 5: the mark price is not a finite number"),
        (3, "funding_time", START, "row 4: time 2020-01-01 00:00 is earlier than the row before it"),
        (1, "funding_time", START + 12, "row 2: duplicate time 2020-01-01 00:00"),
        (
            5,
            "funding_time",
            4_000_000_000_000,
            "row 6: time 4000000000000 is outside 1973-03-03..tomorrow in seconds and in every smaller unit",
        ),
    ],
)
def test_a_fault_of_a_table_names_its_row(row: int, column: str, value: object, rule: str) -> None:
    table = frame().assign(funding_time=funding(6).time.astype(np.int64)).astype({column: object})
    table.loc[row, column] = value
    with pytest.raises(BarError) as error:
        Funding.from_frame(table.assign(**{column: table[column].infer_objects()}), "TEST", "f.csv")
    assert str(error.value) == f"f.csv: {rule}"


def test_no_rows() -> None:
    with pytest.raises(BarError, match=r"^f\.csv: no rows$"):
        Funding.from_frame(frame().iloc[:0], "TEST", "f.csv")


def test_times_just_after_the_hour_are_set_to_it() -> None:
    late = np.array([6, 0, 59_999, 60_000, 30 * 60_000, -1])
    table = frame().assign(funding_time=funding(6).time + late)
    assert (Funding.from_frame(table, "TEST").time - funding(6).time).tolist() == [0, 0, 0, 60_000, 30 * 60_000, -1]


def test_an_unknown_mark_price_has_one_digest() -> None:
    quiet = np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf8\x7f")
    held = replace(funding(1), mark=np.array([np.nan]))
    assert replace(held, mark=quiet).digest() == held.digest()
    assert replace(held, rate=np.array([0.0])).digest() == replace(held, rate=np.array([-0.0])).digest()
    assert replace(held, symbol="OTHER").digest() != held.digest()


def test_uncovered_stretches() -> None:
    held = funding()
    stop = START + 12 * STEP
    assert uncovered(held, START, stop, STEP) == []
    assert uncovered(held, START - STEP, stop + STEP, STEP) == [(stop - STEP, stop + STEP)]
    lost = held.take(np.isin(np.arange(12), [0, 1, 4, 5, 6, 7, 8, 9]))
    assert uncovered(lost, START, stop, STEP) == [(START + STEP, START + 4 * STEP), (START + 9 * STEP, stop)]
    assert payments_missing(lost, START, stop, STEP) == 4
    assert payments_missing(held.between(0, 0), START, START + 3 * STEP, STEP) == 2
    assert payments_missing(held.between(0, 0), START, START + STEP, STEP) == 0


@given(st.lists(st.booleans(), min_size=8, max_size=60), st.sampled_from([1, 4, 8]))
@settings(max_examples=60, deadline=None)
def test_each_payment_that_goes_is_missing(kept: list[bool], hours: int) -> None:
    """On a regular schedule, within a window that starts and ends with a payment."""
    kept = [True, *kept, True]
    time = START + hours * HOUR * np.arange(len(kept))
    ones = np.ones(len(kept))
    held = Funding("TEST", time, 1e-4 * ones, ones).take(np.array(kept))
    interval = hours * HOUR
    assert payments_missing(held, int(time[0]), int(time[-1]), interval) == kept.count(False)
    for start, stop in uncovered(held, int(time[0]), int(time[-1]), interval):
        assert not len(held.between(start + 1, stop))


def test_a_contract_may_change_its_schedule() -> None:
    hours = np.r_[np.arange(0, 80, 8), np.arange(80, 120, 4), np.arange(120, 200, 8)]
    time = START + HOUR * hours
    assert funding_gaps(time) == ()
    assert set(usual_steps(time) // HOUR) == {4, 8}
    gap = Gap(START + 100 * HOUR, START + 104 * HOUR, 2)
    assert funding_gaps(time[~np.isin(hours, [100, 104])]) == (gap,)
    held = Funding("TEST", time, np.zeros(len(time)), np.ones(len(time)))
    assert FundingExtent.of(held) == (len(time), START, int(time[-1]), 0, len(time))


def test_missing_payments_of_a_window() -> None:
    time = funding().time
    before, after = Gap(START - STEP, START - STEP, 1), Gap(START + 12 * STEP, START + 14 * STEP, 3)
    assert funding_gaps(time, START - 2 * STEP, START + 15 * STEP) == (before, after)
    assert funding_gaps(time[:1], START, START + 2 * STEP) == (Gap(START + STEP, START + STEP, 1),)
    assert funding_gaps(time[:0], START, START + 3 * STEP) == (Gap(START + STEP, START + 2 * STEP, 2),)
    assert funding_gaps(time[:0]) == funding_gaps(time[:0], START) == funding_gaps(time[:1]) == ()


def test_mark_prices_of_bars() -> None:
    held = replace(funding(4), mark=np.array([np.nan, 7.0, np.nan, np.nan]))
    ones = np.ones(2)
    bars = Bars("TEST", STEP, START + STEP * np.arange(2), 5 * ones, 9 * ones, ones, ones, ones)
    np.testing.assert_array_equal(with_marks(held, bars).mark, [5.0, 7.0, np.nan, np.nan])
    np.testing.assert_array_equal(with_marks(held, bars.rows(0, 0)).mark, held.mark)


def test_the_store_keeps_funding_beside_bars(store: Store, bars: Bars) -> None:
    with pytest.raises(BarError, match="no funding of TEST; the store holds none"):
        store.load_funding("TEST")
    store.add_funding(funding())
    assert (store.symbols(), store.contents(), store.with_funding()) == ([], [], ["TEST"])
    store.save(bars)
    assert (store.symbols(), store.contents(), store.with_funding()) == (["TEST"], [("TEST", "1m")], ["TEST"])
    assert store.load_funding("TEST").digest() == funding().digest()
    assert store.load_funding("TEST", START + 1, START + 2 * STEP).digest() == funding(1, 1).digest()
    assert names(store) == ["TEST/1m.parquet", "TEST/funding.parquet"]
    with pytest.raises(BarError, match=r"no funding of ETH; the store holds that of TEST$"):
        store.load_funding("ETH")
    with pytest.raises(BarError, match=r"no funding payments in that range; stored are 2020-01-01 00:00 \.\. 2020-01"):
        store.load_funding("TEST", START + 99 * STEP)
    with pytest.raises(BarError, match=r"no 1m bars of ETH; the store holds TEST 1m$"):
        store.load("ETH")


def test_add_counts_what_it_did(store: Store) -> None:
    added = store.add_funding(funding(4, 2))
    assert (added.new, added.same, added.replaced, added.completed) == (4, 0, 0, 0)
    added = store.add_funding(funding(6))
    assert (added.new, added.same, added.replaced, added.completed) == (2, 4, 0, 0)
    assert store.load_funding("TEST").digest() == funding(6).digest()
    path = store.funding_path("TEST")
    before = path.stat().st_mtime_ns
    assert store.add_funding(funding(6)).same == 6
    assert path.stat().st_mtime_ns == before
    with pytest.raises(BarError, match="no funding payments to store"):
        store.add_funding(funding(0))


@pytest.mark.parametrize(("column", "name"), [("rate", "funding rate"), ("mark", "mark price")])
def test_a_conflict_is_refused_unless_replaced(store: Store, column: str, name: str) -> None:
    store.add_funding(funding(6))
    before = store.funding_path("TEST").read_bytes()
    changed = funding(6, 3)
    values = getattr(changed, column).copy()
    values[[1, 2]] += 0.5
    changed = replace(changed, **{column: values})
    with pytest.raises(BarError, match=rf"row 2: 2020-01-02 08:00: {name} .* conflicts with .* in .*funding\.parquet$"):
        store.add_funding(changed)
    assert store.funding_path("TEST").read_bytes() == before
    assert store.preview_funding(changed, replace=True).replaced == 2
    added = store.add_funding(changed, replace=True)
    assert (added.new, added.same, added.replaced) == (3, 1, 2)
    assert store.load_funding("TEST", START + 3 * STEP).digest() == changed.digest()


def test_mark_prices_are_added_and_kept(store: Store) -> None:
    unknown = replace(funding(6), mark=np.full(6, np.nan))
    store.add_funding(unknown)
    added = store.add_funding(funding(2))
    assert (added.new, added.same, added.replaced, added.completed) == (0, 2, 0, 2)
    assert store.add_funding(unknown, replace=True).same == 6
    np.testing.assert_array_equal(store.load_funding("TEST").mark[:3], [100.0, 101.0, np.nan])


def test_a_damaged_file_is_one_line(store: Store) -> None:
    store.add_funding(funding())
    path = store.funding_path("TEST")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BarError, match=r"funding\.parquet: not a readable Parquet file"):
        store.load_funding("TEST")


def test_funding_of_two_symbols_is_not_joined() -> None:
    with pytest.raises(BarError, match="funding of OTHER cannot be joined with funding of TEST"):
        join_funding([funding(), funding(symbol="OTHER")])


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_parts_in_any_order_make_the_same(parts: list[tuple[int, int]]) -> None:
    pieces = [funding(n, first) for first, n in parts]
    joined = join_funding(pieces)
    assert joined[1:] == (0, 0)
    assert joined.funding.digest() == join_funding(pieces[::-1]).funding.digest()
    rows = sorted({i for first, n in parts for i in range(first, first + n)})
    assert joined.funding.digest() == funding(45).take(np.array(rows)).digest()
