"""Bundles of books: a replay is the run, at once or row by row, and whatever happens in between."""

import dataclasses
import functools
import json
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from labelsearch.commands import live_book, main
from labelsearch.delivery.export_book import export_book
from labelsearch.engine.run import RunError
from labelsearch.live import sources
from labelsearch.live.book.bundle import load_book
from labelsearch.live.book.engine import BookEngine
from labelsearch.live.book.history import rows_of, take_history
from labelsearch.live.book.rows import Row, RowFeed
from labelsearch.live.book.session import BookSession
from labelsearch.live.feed import Bar, FeedError
from labelsearch.live.journal import SNAPSHOT, Journal
from labelsearch.live.verify import BundleError
from labelsearch.market.calendars import Calendar
from labelsearch.market.funding import no_funding
from labelsearch.market.store import Store
from tests.panels.test_book import book, run
from tests.panels.test_relative import DAY, HOUR, MARKETS, day, planted

ONE = {"roll": {"splits": 1}, "book": {"shifts": 0}, "null": {"repeats": 0},
       "search": {"n_strategies": 200, "island_size": 100}}  # fmt: skip
FUTURE = day("2020-04-22")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return planted(tmp_path_factory.mktemp("planted") / "store")


@pytest.fixture(scope="module")
def done(store, tmp_path_factory):
    """A book on bars of one hour and of three."""
    settings = book(**ONE, data={"intervals": ["1h", "3h"]})
    return run(settings, tmp_path_factory.mktemp("books") / "runs", store)


@pytest.fixture(scope="module")
def folder(done, tmp_path_factory) -> Path:
    return export_book(done, None, tmp_path_factory.mktemp("bundles") / "book")


@pytest.fixture(scope="module")
def bundle(folder):
    return load_book(folder)


@pytest.fixture(scope="module")
def bars(store):
    known = Store(store)
    return {m: known.load(m, "1h").between(day("2020-01-01"), day("2020-05-02")) for m in MARKETS}


@pytest.fixture(scope="module")
def payments(store):
    known = {m: Store(store).load_funding(m) for m in MARKETS[1:]}
    return {m: (lambda start, stop, its=its: its.between(start, stop)) for m, its in known.items()}


def until(bars, stop):
    return {m: its.between(None, stop) for m, its in bars.items()}


def replayed(engine, bars, feed=None):
    """Steps of the rows after those that an engine has taken."""
    feed = feed or RowFeed(engine.bundle)
    feed.last = engine.last
    rows = (each for row in rows_of(engine.bundle, bars, feed.last and feed.last.open_time) for each in feed.take(row))
    return [step for step in map(engine.take, rows) if step is not None]


def assert_is_the_run(results, steps):
    tiers = results.book_split(1).tiers
    for size, weights in zip(tiers.sizes, tiers.weights, strict=True):
        got = np.array([step.tiers[size].wanted for step in steps])
        assert got.tobytes() == weights.tobytes()
        assert weights.any()
        equity = results.panel.equity[f"Top-{size}"].to_numpy()
        ends = [step.tiers[size].equity for step in steps if step.open_time % DAY == DAY - HOUR]
        assert ends == equity.tolist()


def test_a_replay_of_the_future_is_the_run(done, bundle, bars, payments):
    """Weights wanted at every close, and equity every day, bit for bit, of outputs of two intervals."""
    engine = BookEngine(bundle, FUTURE, payments)
    take_history(engine, until(bars, FUTURE))
    steps = replayed(engine, bars)
    assert len(steps) == 10 * 24
    assert_is_the_run(done, steps)
    orders = [order for step in steps for order in step.orders[20]]
    assert {order.side for order in orders} == {"buy", "sell"}
    assert all(order.fee == pytest.approx(order.price * order.quantity * bundle.rules.fee_share) for order in orders)
    last = steps[-1].tiers[20]
    assert abs(last.net) < 0.4
    assert last.gross == pytest.approx(np.abs(last.held).sum())
    assert last.orders == (last.target != last.held).sum()
    assert not steps[-1].silent
    assert steps[0].warming == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"book": {"kind": "neutral"}},
        {"book": {"kind": "long"}, "data": {"intervals": ["1h", "90m", "2h"]},
         "universe": {"size": 4, "liquidity_days": 4}},
        {"book": {"kind": "best"}, "pool": {"classifiers": False}, "feature_space": {
            "normalisation": "train", "indicators": ["momentum_short", "volatility_level"]},
         "label": [{"kind": "threshold", "theta": 0.004, "horizon": "6h"}, {"kind": "magnitude", "horizon": 6}]},
    ],
    ids=["one interval", "three intervals", "classifiers of its own"],
)  # fmt: skip
def test_other_books_are_those_of_the_run(store, bars, payments, tmp_path, changes):
    given = {k: {**ONE.get(k, {}), **its} if isinstance(its, dict) else its for k, its in changes.items()}
    merged = {**ONE, **given}
    if "90m" in str(changes):
        store, bars = halves(store, tmp_path / "halves")
    results = run(book(**merged), tmp_path / "runs", store)
    bundle = load_book(export_book(results, 5, tmp_path / "book"))
    engine = BookEngine(bundle, FUTURE, payments)
    take_history(engine, until(bars, FUTURE))
    steps = replayed(engine, bars)
    tiers = results.book_split(1).tiers
    got = np.array([step.tiers[5].wanted for step in steps])
    assert got.tobytes() == tiers.weights[tiers.sizes.index(5)].tobytes()


def halves(store, folder):
    """The same markets in bars of half an hour."""
    made = Store(folder)
    found = {}
    for m in MARKETS:
        whole = Store(store).load(m, "1h")
        time = np.stack([whole.open_time, whole.open_time + HOUR // 2], axis=1).ravel()
        middle = np.sqrt(whole.close * np.r_[whole.close[0], whole.close[:-1]])
        close = np.stack([middle, whole.close], axis=1).ravel()
        prices = dict.fromkeys(("open", "high", "low", "close"), close)
        its = dataclasses.replace(whole, interval_ms=HOUR // 2, open_time=time, volume=np.repeat(whole.volume, 2) / 2,
                                  filled=np.zeros(time.size, dtype=bool), **prices)  # fmt: skip
        made.add(its)
        if m != MARKETS[0]:
            made.add_funding(Store(store).load_funding(m))
        found[m] = its.between(day("2020-01-01"), day("2020-05-02"))
    return folder, found


def same(a, b) -> bool:
    return all(np.array_equal(x, y, equal_nan=np.asarray(x).dtype.kind == "f") for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("stop", ["2020-04-18T05:00", "2020-04-24T07:00"])
def test_many_rows_at_once_have_the_bits_of_row_by_row(bundle, bars, payments, stop):
    """From any row on, also within a longer bar; a market that has not begun yet, and one that has no bars at all."""
    since, middle, end = (day(text) for text in ("2020-01-10", stop, "2020-04-27"))
    few = {m: its.between(since, end) for m, its in bars.items() if m != "M3"}
    whole, parts = (BookEngine(bundle, day("2020-03-25"), payments) for _ in range(2))
    take_history(whole, until(few, end))
    take_history(parts, until(few, middle))
    steps = replayed(parts, few)
    assert_same_state(whole, parts)
    assert steps[-1].tiers.keys() == whole.standings().keys()
    assert all(same(steps[-1].tiers[n], its) for n, its in whole.standings().items())


def assert_same_state(one, other):
    one, other = one.snapshot(), other.snapshot()
    assert set(one) == set(other)
    for name in one:
        if not name.endswith("kept"):  # of which more are kept than are needed, as many as there is room for
            assert same([one[name]], [other[name]]), name


def outage(bars, first, hours, ending=None):
    """Some hours are missing in all markets; cut at a time."""
    gone = (first, first + hours * HOUR)
    cut = {m: its._take((its.open_time < gone[0]) | (its.open_time >= gone[1])) for m, its in bars.items()}
    return until(cut, ending) if ending else cut


def of_one_interval(bundle, **changes):
    first = dataclasses.replace(bundle, intervals=bundle.intervals[:1], params=bundle.params[:, :-2])
    return dataclasses.replace(first, **changes)


def closed_at_night(bundle, bars):
    """Bars of a calendar, and one of each market in the evening, as of an auction, which it does not expect."""
    its = of_one_interval(bundle, calendar="XNYS")
    pytest.importorskip("exchange_calendars")
    times = Calendar("XNYS").opens(day("2020-01-01"), day("2020-05-01"), HOUR)
    evening = [day("2020-04-20T22:00"), day("2020-04-24T21:00"), day("2020-04-27T22:00")]
    kept = {m: bars[m]._take(np.isin(bars[m].open_time, [*times, evening[k % 3]])) for k, m in enumerate(MARKETS)}
    return dataclasses.replace(its, warm_up=20), until(kept, day("2020-04-28"))


HISTORIES = {
    "an outage over a whole longer bar": lambda bundle, bars: (
        dataclasses.replace(bundle, warm_up=120), outage(bars, day("2020-04-23T05:00"), 4, day("2020-04-23T10:00"))),
    "strategies that begin with the warm-up": lambda bundle, bars: (
        dataclasses.replace(bundle, warm_up=101), until(bars, day("2020-04-22"))),
    "a first bar that is not whole": lambda bundle, bars: (
        bundle, {m: b.between(day("2020-04-20T03:00"), day("2020-04-22")) for m, b in bars.items()}),
    "bars that a calendar does not expect": closed_at_night,
    "a market with two bars, without volume": lambda bundle, bars: (
        dataclasses.replace(bundle, warm_up=120),
        {m: b if m != "LATE" else dataclasses.replace(b.rows(-2, None), volume=np.zeros(2))
         for m, b in until(bars, day("2020-04-24")).items()}),
}  # fmt: skip


@pytest.mark.parametrize("name", HISTORIES)
def test_odd_histories_at_once_have_the_bits_of_row_by_row(bundle, bars, payments, name):
    since = day("2020-04-01T02:00" if "calendar" in name else "2020-04-14T02:00")
    its, given = HISTORIES[name](bundle, {m: b.between(since, None) for m, b in bars.items()})
    start = day("2020-04-15") if "warm-up" in name else FUTURE
    whole, parts = (BookEngine(its, start, payments) for _ in range(2))
    take_history(whole, given)
    replayed(parts, given)
    assert_same_state(whole, parts)
    assert whole.n_bars


def test_bars_of_the_book_are_told_though_their_last_row_is_missing(bundle, bars, payments):
    """Rows of half an hour, of which one, or some, are missing: every bar of the book that has one has a line."""
    its = dataclasses.replace(bundle, interval_ms=HOUR // 2)
    times = [FUTURE + k * HOUR // 2 for k in range(12)]
    rows = [Row(time, (Bar(time, 100.0, 101.0, 99.0, 100.0, 3.0),) * len(MARKETS)) for time in times]
    for gone, hours in (([5], [0, 1, 2, 3, 4, 5]), ([5, 6], [0, 1, 2, 3, 4, 5]), ([4, 5, 6, 7], [0, 1, 4, 5])):
        followed = BookSession(its, FUTURE, None, 1.0, payments)
        lines = list(followed.run([row for k, row in enumerate(rows) if k not in gone]))
        assert [line["time"][11:13] for line in lines] == [f"{hour:02d}" for hour in hours]


def test_stopped_inside_a_row_of_which_a_bar_is_refused(bundle, bars, payments, tmp_path, monkeypatch):
    """The row is told again, with the same bits, and what was refused with it."""

    def rows():
        for row in islice(rows_of(bundle, bars, FUTURE - 1), 6):
            known = {m: bar and {k: v for k, v in bar._asdict().items() if v == v} for m, bar in
                     zip(MARKETS, row.bars, strict=True)}  # fmt: skip
            yield {"open_time": row.open_time, "bars": {**known, "OTHER\n": {}}}

    whole = list(session(bundle, bars, payments).run(rows()))
    assert all(line["refused"] == ["refused: OTHER : unknown market"] for line in whole)
    its = session(bundle, bars, payments, tmp_path)
    told, take = [], its.engine.take

    def stopped(row):
        if len(told) == 3:
            raise KeyboardInterrupt
        return take(row)

    monkeypatch.setattr(its.engine, "take", stopped)

    def tell():
        for line in its.run(rows()):
            told.append(line)
            its.delivered()

    with pytest.raises(KeyboardInterrupt):
        tell()
    its.close()
    again = session(bundle, bars, payments, tmp_path)
    (line,) = again.untold  # of the recorded row, which is whole
    assert {**line, "feed": 0} == {k: 0 if k == "feed" else v for k, v in whole[3].items() if k != "refused"}
    assert [line["time"] for line in again.run(list(rows())[4:])] == [line["time"] for line in whole[4:]]
    again.close()


def test_snapshots_of_another_shape_are_refused(bundle, bars, payments, tmp_path):
    its = session(bundle, bars, payments, tmp_path)
    its.close()
    with np.load(tmp_path / SNAPSHOT) as file:
        saved = {name: file[name] for name in file.files}
    for name in ("wish", "strength", "close", "silent", "tier.5.held", "stream.0.rows.0.0", "stream.0.outputs", "beta"):
        np.savez(tmp_path / SNAPSHOT, **{**saved, name: np.zeros((2, 2))})
        with pytest.raises(BundleError, match="not a snapshot of this version"):
            session(bundle, bars, payments, tmp_path)


def test_rows_that_lack_a_column_end_the_session(bundle, bars, payments):
    markets = (bundle.markets[0]._replace(quote_volume=True), *bundle.markets[1:])
    feed = RowFeed(dataclasses.replace(bundle, markets=markets))
    with pytest.raises(FeedError, match="need quote_volume, which the bars of M0 do not have"):
        feed.take(next(rows_of(bundle, bars)))


def test_a_silent_market(bundle, bars, payments):
    """It keeps what it holds, is no member after a day without bars, and is closed at the open of its next bar."""
    gone, back = day("2020-04-23T05:00"), day("2020-04-24T20:00")
    m = 1
    held = dict(bars)
    left = bars[MARKETS[m]]
    held[MARKETS[m]] = left._take((left.open_time < gone) | (left.open_time >= back))
    engine = BookEngine(bundle, FUTURE, payments)
    take_history(engine, until(held, gone))
    before = engine.standings()[20]
    assert before.held[m] != 0
    steps = replayed(engine, held)
    silent = [step for step in steps if step.open_time < back]
    hours = {step.open_time: step.silent.get(MARKETS[m], 0) for step in silent}
    assert [hours[gone + k * HOUR] for k in range(39)] == list(range(1, 40))
    for step in silent:
        assert not any(order.market == MARKETS[m] for order in step.orders[20])
        assert bool(step.members[m]) == (step.silent[MARKETS[m]] <= 24)
        assert step.tiers[20].held[m] != 0
        assert np.isnan(step.outputs[0, :, m]).all()
    assert silent[-1].tiers[20].target[m] == 0
    first = next(step for step in steps if step.open_time == back)
    (closed,) = (order for order in first.orders[20] if order.market == MARKETS[m])
    assert closed.side == ("sell" if before.held[m] > 0 else "buy")
    assert first.tiers[20].held[m] == 0
    at_once = BookEngine(bundle, FUTURE, payments)
    take_history(at_once, held)
    assert all(same(steps[-1].tiers[n], its) for n, its in at_once.standings().items())


def test_an_outage_of_all_markets_is_rows_without_bars(bundle, bars, payments):
    start, stop = day("2020-04-23T05:00"), day("2020-04-23T09:00")
    left = {m: its._take((its.open_time < start) | (its.open_time >= stop)) for m, its in bars.items()}
    engine, at_once = (BookEngine(bundle, FUTURE, payments) for _ in range(2))
    take_history(engine, until(left, start))
    feed = RowFeed(bundle)
    steps = replayed(engine, left, feed)
    assert feed.counts.missing == 4
    assert len({step.open_time for step in steps}) == len(steps)
    take_history(at_once, left)
    assert all(same(steps[-1].tiers[n], its) for n, its in at_once.standings().items())


def session(bundle, bars, payments, folder=None):
    found = BookSession(bundle, FUTURE, Journal(folder) if folder else None, 1000.0, payments)
    if found.fresh:
        found.start(until(bars, FUTURE))
    return found


def test_going_on_gives_the_same_lines(bundle, bars, payments, tmp_path, monkeypatch):
    """However often it is saved and wherever it is killed; the last line is told again."""
    monkeypatch.setattr("labelsearch.live.following.SAVE_EVERY", 7)
    rows = list(islice(rows_of(bundle, bars, FUTURE - 1), 40))
    whole = list(session(bundle, bars, payments).run(rows))
    found, taken = [], 0
    for stop in (1, 13, 14, 30):
        its = session(bundle, bars, payments, tmp_path / "s")
        if its.untold:
            assert its.untold == found[-1:]
        rest = [row for row in rows if row.open_time > its.last_ms]
        found += list(islice(its.run(rest), stop - taken))
        taken = stop
        its.journal.close()
    assert found == whole[:30]
    line = whole[-1]
    assert json.loads(json.dumps(line)) == line
    assert set(line["tiers"]) == {"Top-20", "Top-5"}
    assert 500 < line["tiers"]["Top-5"]["equity"] < 2000
    assert set(line["probabilities"]["M0"]) == set(bundle.labels)


def test_a_session_warms_up_by_itself(bundle, bars, payments):
    """Without a start accounts begin once strategies have been followed, and lines count the bars until then."""
    found = BookSession(bundle, 0, None, 1.0, payments)
    few = {m: its.between(day("2020-04-01"), None) for m, its in bars.items()}
    lines = list(islice(found.run(rows_of(bundle, few)), 30))
    assert [line["warming"] for line in lines[:3]] == [bundle.warm_up + bundle.follow - k for k in range(3)]
    assert "tiers" not in lines[-1]


def raw(time, **changes):
    bar = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0, "volume": 3.0}
    return {"open_time": time, "bars": dict.fromkeys(MARKETS, bar) | changes}


def test_rows_that_come_in(bundle):
    feed = RowFeed(bundle, clock=lambda: FUTURE + 99 * HOUR)
    (row,) = feed.take(raw(FUTURE + 17))
    assert (row.open_time, feed.notice) == (FUTURE, "")
    assert len(row.bars) == len(MARKETS)
    *missing, row = feed.take(raw(FUTURE + 3 * HOUR, M1=None))
    assert [each.open_time for each in missing] == [FUTURE + HOUR, FUTURE + 2 * HOUR]
    assert all(bar is None for each in missing for bar in each.bars)
    assert row.bars[1] is None
    (row,) = feed.take(raw(FUTURE + 4 * HOUR, M2={"open": 1.0}, OTHER={}, M3=7))
    assert [bar is None for bar in row.bars] == [False, False, True, True, False, False]
    for words in ("M2: missing", "OTHER: unknown market", "M3: not a bar"):
        assert words in feed.notice
    for bad, words in (
        (raw(FUTURE + 4 * HOUR), "repeated"), (raw(FUTURE), "late"), ({}, "missing open_time or bars"),
        (7, "not a row"),
        ({"open_time": FUTURE + 9 * HOUR, "bars": {}}, "no bar"), (raw("soon"), "cannot be read"),
        (raw(FUTURE + 99 * HOUR), "not closed yet"), ({"open_time": FUTURE, "bars": [1]}, "missing open_time or bars"),
    ):  # fmt: skip
        assert feed.take(bad) == []
        assert words in feed.notice
    assert feed.counts == (3, 2, 1, 1, 9)
    with pytest.raises(FeedError, match="start again with the missing bars as history"):
        RowFeed.take(feed, Row(FUTURE + 40 * DAY, (None,) * 6))


class FakeExchange:
    """Closed bars of a table by a clock that all share, after so many seconds."""

    interval_ms, broken = HOUR, 0

    def __init__(self, bars, clock, late_s=0.0):
        self.bars, self.clock, self.late_s = bars, clock, late_s

    def closed_since(self, start_ms):
        stop = int((self.clock["now"] - self.late_s) * 1000) // HOUR * HOUR
        found = self.bars.between(start_ms, stop)
        return found if len(found) else None


def test_rows_of_an_exchange(bars):
    """A row waits for all markets, for a minute; one without a bar by then has none, and a later one is told."""
    clock, told = {"now": FUTURE / 1000 + 30}, []
    whole = (bars[m].on_grid() for m in MARKETS[:3])
    first, second, third = (dataclasses.replace(its, filled=np.zeros(len(its), dtype=bool)) for its in whole)
    hole = second._take(second.open_time != FUTURE + 2 * HOUR)
    exchanges = [FakeExchange(first, clock), FakeExchange(hole, clock), FakeExchange(third, clock, 40.0)]

    def sleep(seconds):
        clock["now"] += seconds

    source = sources.rows_from_exchanges(
        exchanges, FUTURE - HOUR, 60.0, 2.0, lambda: clock["now"], sleep, (), told.append
    )
    times = []
    for _ in range(5):
        row = next(source)
        times.append(row.open_time)
        wait = clock["now"] - (row.open_time + HOUR) / 1000
        if row.open_time == FUTURE + 2 * HOUR:
            assert row.bars[1] is None
            assert wait >= 60
        else:
            assert None not in row.bars
            assert 40 <= wait < 60
    assert times == [FUTURE + k * HOUR for k in range(5)]
    assert not told
    exchanges[2].late_s = 90.0
    assert next(source).bars[2] is None
    next(source)
    assert any("late: market 3" in text for text in told)

    def fails(start_ms):
        raise TimeoutError("no answer")

    exchanges[0].closed_since = fails
    source = sources.rows_from_exchanges(
        exchanges, times[-1], 60.0, 2.0, lambda: clock["now"], sleep, (TimeoutError,), told.append
    )
    assert next(source).bars[0] is None
    assert "no answer" in told


def test_a_failure_after_an_interruption_loses_no_bar(bars):
    """Rows of six hours that were missed: the market that fails once is asked again before they are taken."""
    clock, told = {"now": (FUTURE + 6 * HOUR) / 1000 + 30}, []
    whole = [dataclasses.replace(its, filled=np.zeros(len(its), dtype=bool))
             for its in (bars[m].on_grid() for m in MARKETS[:2])]  # fmt: skip
    exchanges = [FakeExchange(its, clock) for its in whole]
    answer, asked = exchanges[1].closed_since, []

    def closed_since(start_ms):
        asked.append(start_ms)
        if len(asked) == 1:
            raise TimeoutError("no answer")
        return answer(start_ms)

    def sleep(seconds):
        clock["now"] += seconds

    exchanges[1].closed_since = closed_since
    source = sources.rows_from_exchanges(
        exchanges, FUTURE - HOUR, 60.0, 2.0, lambda: clock["now"], sleep, (TimeoutError,), told.append
    )
    rows = [next(source) for _ in range(6)]
    assert [row.open_time for row in rows] == [FUTURE + k * HOUR for k in range(6)]
    assert not any(None in row.bars for row in rows)
    assert told == ["no answer"]


def invoke(*arguments, **more):
    return CliRunner().invoke(main, [str(a) for a in arguments], **more)


@pytest.fixture(scope="module")
def files(bars, tmp_path_factory) -> Path:
    """A file of each market, up to two days into the future."""
    out = tmp_path_factory.mktemp("bars")
    for m, its in until(bars, FUTURE + 2 * DAY).items():
        its.to_frame().drop(columns="filled").reset_index().to_parquet(out / f"{m}.parquet")
    return out


def as_text(row):
    """A line of standard input."""
    bars = [bar and {k: v for k, v in bar._asdict().items() if v == v and k not in ("open_time", "filled")}
            for bar in row.bars]  # fmt: skip
    return json.dumps({"open_time": row.open_time, "bars": dict(zip(MARKETS, bars, strict=True))})


def test_commands(done, folder, files, store, bundle, bars, payments, tmp_path):
    """Exported, verified, and followed from files, from the store and line by line: the same weights."""
    made = invoke("export", done.folder, "--tier", 5, "--out", tmp_path / "five", "--store", store)
    assert made.exit_code == 0, made.output
    assert "intact" in invoke("bundle", "verify", tmp_path / "five").output
    assert load_book(tmp_path / "five").sizes == (5,)
    asked = ("signal", folder, "--store", store, "--start", "2020-04-22", "--json")
    got = invoke(*asked, "--bars", files)
    assert got.exit_code == 0, got.output
    engine = BookEngine(bundle, FUTURE, payments)
    take_history(engine, until(bars, FUTURE + 2 * DAY))
    found = json.loads(got.stdout)
    for n, standing in engine.standings().items():
        target = found["signal"]["tiers"][f"Top-{n}"]["target"]
        assert target == {m: w for m, w in zip(MARKETS, standing.target.tolist(), strict=True) if w}
    assert (found["signal"]["time"], found["signal"]["in_sample"]) == ("2020-04-23T23:00:00Z", False)
    assert len(found["tiers"]) == 2
    table = invoke(*asked[:-1], "--bars", files)
    assert f"{engine.standings()[20].target[0]:+.4f}" in table.stdout
    lines = invoke("live", folder, "--source", f"replay:{files}", "--start", "2020-04-22", "--store", store)
    assert lines.exit_code == 0, lines.output
    replay = [json.loads(line) for line in lines.stdout.splitlines()]
    assert len(replay) == 48
    assert replay[-1]["tiers"] == found["signal"]["tiers"]
    rows = [as_text(row) for row in rows_of(bundle, until(bars, FUTURE + 5 * HOUR), FUTURE - 1)]
    few = tmp_path / "few"
    few.mkdir()
    for m, its in until(bars, FUTURE).items():
        its.to_frame().drop(columns="filled").reset_index().to_parquet(few / f"{m}.parquet")
    piped = invoke("live", folder, "--source", "stdin", "--warm-up", few, "--store", store, input="\n".join(rows))
    assert piped.exit_code == 0, piped.output
    told = [json.loads(line) for line in piped.stdout.splitlines()]
    assert [line["tiers"] for line in told] == [line["tiers"] for line in replay[:5]]


def test_an_exchange_warms_up_and_goes_on(folder, bundle, bars, payments, monkeypatch, tmp_path):
    """History as far as warm-up and wishes need, then each row as it closes; a second session takes up the first."""
    dense = (bars[m].on_grid() for m in MARKETS)
    whole = [dataclasses.replace(its, filled=np.zeros(len(its), dtype=bool)) for its in dense]
    clock = {"now": (FUTURE + 3 * HOUR) / 1000 + 5}
    asked = []

    class Fake(FakeExchange):
        def clock_ms(self):
            return int(clock["now"] * 1000)

        def bars_of(self, start_ms, stop_ms):
            asked.append(start_ms)
            return self.bars.between(start_ms, stop_ms // HOUR * HOUR)

    def connect(name, symbols, interval_ms):
        assert (name, symbols, interval_ms) == ("somewhere", MARKETS, HOUR)
        found = [Fake(its, clock) for its in whole]
        return [Connected(its) for its in found]

    class Connected:
        interval_ms, broken = HOUR, 0

        def __init__(self, fake):
            self.clock_ms, self.bars, self.closed_since = fake.clock_ms, fake.bars_of, fake.closed_since

    def sleep(seconds):
        clock["now"] += seconds

    monkeypatch.setattr(live_book, "_connect", connect)
    monkeypatch.setattr(live_book, "_payments", lambda *given: payments)
    monkeypatch.setattr(
        sources, "rows_from_exchanges",
        functools.partial(sources.rows_from_exchanges, sleep=sleep, clock=lambda: clock["now"]),
    )  # fmt: skip
    lines = []
    for _ in range(2):
        got = invoke("live", folder, "--source", "ccxt:somewhere", "--state", tmp_path / "s", "--limit", 2)
        assert got.exit_code == 0, got.output
        lines += [json.loads(line) for line in got.stdout.splitlines()]
    assert [line["time"] for line in lines] == [f"2020-04-22T0{3 + k}:00:00Z" for k in range(4)]
    assert all("tiers" in line and "warming" not in line for line in lines)
    least = (bundle.warm_up + bundle.follow + 2) * HOUR
    assert set(asked) == {FUTURE + 3 * HOUR + 5000 - least}


def test_what_the_commands_refuse(done, folder, files, store, tmp_path):
    (tmp_path / "two").mkdir()
    for ending in (".csv", ".parquet"):
        (tmp_path / "two" / f"M0{ending}").write_text("")
    for arguments, words in (
        (("export", done.folder, "--market", "M0", "--out", tmp_path / "b"), "is one book: its markets have no tiers"),
        (("export", done.folder, "--tier", "7", "--out", tmp_path / "b"), "no tier of 7; it has 20, 5"),
        (("export", done.folder, "--out", tmp_path), "exists already"),
        (("signal", folder, "--bars", tmp_path), "no bars of any market of the book, such as M0"),
        (("signal", folder, "--bars", tmp_path / "two"), "several files of M0: M0.csv, M0.parquet"),
        (("signal", folder, "--bars", files, "--start", "2020-05-04"), "the book needs more than"),
        (("signal", tmp_path), "is not a bundle"),
        (("live", folder, "--source", "replay"), "of a book is none of replay:FOLDER, replay:, stdin, ccxt:EXCHANGE"),
        (("live", folder, "--source", "ccxt:binance:BTC/USDT"), "binance:BTC/USDT"),
        (("live", folder, "--source", f"replay:{files}", "--start", "2020-05-04"), "no bar after --start"),
        (("signal", folder, "--bars", files, "--store", tmp_path / "none"), "no funding"),
    ):
        got = invoke(*arguments, *(() if "--store" in arguments else ("--store", store)))
        assert got.exit_code == 2, got.output
        assert words in got.output
        assert got.stderr.count("\n") == 1


def test_funding_that_is_not_known(bundle, bars, payments):
    with pytest.raises(BundleError, match="M1 pays funding: say where its rates come from"):
        BookEngine(bundle)
    engine = BookEngine(bundle, FUTURE, dict.fromkeys(MARKETS, lambda start, stop: no_funding("M")))
    take_history(engine, until(bars, FUTURE))
    assert engine.n_bars


def changed(folder, out, name, change):
    """A copy of a bundle with one file changed, and its manifest as if it had been so."""
    import hashlib

    shutil.copytree(folder, out)
    data = json.loads((out / name).read_text())
    change(data)
    (out / name).write_text(json.dumps(data))
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["sha256"][name] = hashlib.sha256((out / name).read_bytes()).hexdigest()
    (out / "manifest.json").write_text(json.dumps(manifest))
    return out


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("book.json", lambda d: d["markets"].append(d["markets"][0]), "a market occurs twice"),
        ("book.json", lambda d: d.update(intervals_ms=[HOUR, HOUR]), "an interval occurs twice|is missing"),
        ("book.json", lambda d: d.update(interval_ms=25 * HOUR), "does not divide a day"),
        ("book.json", lambda d: d.update(calendar="NOWHERE"), "calendar"),
        ("book.json", lambda d: d.update(kind="each"), "book.json: kind"),
        ("book.json", lambda d: d.update(gross=0), "gross"),
        ("book.json", lambda d: d["windows"].pop("past"), "the days of past are missing"),
        ("book.json", lambda d: d.update(shared_classifiers=False), "classifiers/.* is missing"),
        ("book.json", lambda d: d["markets"][0].update(symbol="../M0"), "symbol"),
        ("book.json", lambda d: d["costs"].update(funding="base", funding_ms=0), "needs the time between two payments"),
        ("book.json", lambda d: d["windows"].update(past=["2020-04-20", "2020-03-23"]), "past ends before it begins"),
        ("book_strategies.json", lambda d: d["strategies"].pop(), "do not match"),
        ("book_strategies.json", lambda d: d["strategies"][0]["weights"].popitem(), "exactly one weight per output"),
        ("book_strategies.json", lambda d: d["strategies"][0].update(intervals=[]), "a weight of each interval"),
        ("book_strategies.json", lambda d: d.update(outputs=d["outputs"][::-1]), "do not match labels.json"),
        ("markets/M1/feature_sets/relative_6_30.json", lambda d: d["features"].reverse(), "the same in all markets"),
        ("markets/M1/feature_sets/relative_6_30.json", lambda d: d["normalisation"].update(kind="local"), "differ"),
    ],
)
def test_bundles_that_do_not_fit_together_are_refused_in_one_line(folder, tmp_path, name, change, words):
    with pytest.raises(BundleError, match=words) as refused:
        load_book(changed(folder, tmp_path / "b", name, change))
    assert "\n" not in str(refused.value)


def test_bundles_of_one_market_and_books_are_told_apart(folder, bundle_folder, done):
    from labelsearch.live.bundle import load_bundle

    with pytest.raises(BundleError, match="is the bundle of one market"):
        load_book(bundle_folder)
    with pytest.raises(BundleError, match="holds a book of many markets"):
        load_bundle(folder)
    with pytest.raises(RunError, match="has no book yet"):
        done.book_split(2)
