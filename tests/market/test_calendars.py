"""Calendars: which bars they expect, and bars laid out on them."""

import builtins
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelsearch.market import calendars
from labelsearch.market.bars import Bars
from labelsearch.market.calendars import ALWAYS, FX, Calendar, bars_of_span, find_calendar
from labelsearch.market.formats import ReadOptions
from labelsearch.market.many import read_many
from labelsearch.market.resample import resample
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.market.times import DAY_MS, parse_time
from labelsearch.settings.bars import load_bars
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError

pytest.importorskip("exchange_calendars")
HOUR_MS = 3_600_000
XNYS = Calendar("XNYS")


def opens(name: str, first: str, stop: str, interval_ms: int = HOUR_MS) -> list[str]:
    times = Calendar(name).opens(parse_time(first), parse_time(stop), interval_ms)
    return [f"{time:%m-%d %H:%M}" for time in pd.to_datetime(times, unit="ms")]


def flat(open_time: np.ndarray, interval_ms: int = HOUR_MS, symbol: str = "S") -> Bars:
    ones = np.ones(len(open_time))
    return Bars(symbol, interval_ms, open_time, ones, ones, ones, ones, ones)


def test_new_york_by_hours() -> None:
    """From 09:30 to 16:00 in New York, whatever the season; half a day after Thanksgiving, and none on it."""
    assert opens("XNYS", "2019-11-27", "2019-11-30") == [
        *(f"11-27 {hour}:00" for hour in range(14, 21)),
        *(f"11-29 {hour}:00" for hour in range(14, 18)),
    ]
    assert opens("XNYS", "2019-07-01", "2019-07-02")[0] == "07-01 13:00"
    assert opens("XNYS", "2019-11-29", "2019-11-30", 1_800_000)[0] == "11-29 14:30"


def test_daily_bars_are_sessions() -> None:
    found = opens("XNYS", "2001-09-07", "2001-09-19", DAY_MS)
    assert found == ["09-07 00:00", "09-10 00:00", "09-17 00:00", "09-18 00:00"]


def test_a_break_is_closed() -> None:
    """Tokyo, 09:00 to 11:30 and 12:30 to 15:00."""
    minutes = opens("XTKS", "2019-06-03", "2019-06-04", 60_000)
    assert (len(minutes), minutes[149:151]) == (300, ["06-03 02:29", "06-03 03:30"])
    assert len(opens("XTKS", "2019-06-03", "2019-06-04")) == 6


def test_foreign_exchange_follows_summer_time_of_new_york() -> None:
    assert opens(FX, "2019-03-08 20:00", "2019-03-11 00:00") == [
        "03-08 20:00", "03-08 21:00", "03-10 21:00", "03-10 22:00", "03-10 23:00",
    ]  # fmt: skip
    assert opens(FX, "2019-03-03", "2019-03-04")[0] == "03-03 22:00"
    assert opens(FX, "2019-03-08", "2019-03-12", DAY_MS) == ["03-08 00:00", "03-10 00:00", "03-11 00:00"]


@pytest.mark.parametrize(
    ("name", "days", "hours", "minutes"),
    [("24/7", 365, 24, 1440), ("FX", 313, 24, 1440), ("XNYS", 252, 7, 390), ("XTKS", 245, 6, 300)],
)
def test_what_is_usual(name: str, days: int, hours: int, minutes: int) -> None:
    calendar = find_calendar(name)
    assert calendar.days_a_year(DAY_MS if name == "XNYS" else HOUR_MS) == days
    assert calendar.bars_a_session(HOUR_MS) == hours
    assert calendar.bars_a_session(60_000) == minutes
    assert calendar.bars_a_session(DAY_MS) == 1


@pytest.mark.parametrize("name", [ALWAYS, FX, "XNYS"])
def test_numbers_and_steps_agree(name: str) -> None:
    calendar, start = Calendar(name), parse_time("1999-12-01")
    times = calendar.opens(start, parse_time("2000-02-01"), HOUR_MS)
    first = calendar.number(int(times[0]), HOUR_MS)
    assert calendar.count(int(times[0]), int(times[-1]), HOUR_MS) == len(times) - 1
    for k in (0, 1, 50, len(times) - 1):
        assert calendar.number(int(times[k]), HOUR_MS) == first + k
        assert calendar.moved(int(times[0]), k, HOUR_MS) == times[k]
        assert calendar.moved(int(times[k]), -k, HOUR_MS) == times[0]
    assert len(calendar.opens(start, start, HOUR_MS)) == 0


def test_lengths_of_time_in_bars() -> None:
    assert bars_of_span("5d", DAY_MS, "XNYS") == 5
    assert bars_of_span("2d", HOUR_MS, "XNYS") == 14
    assert bars_of_span("2h", HOUR_MS, "XNYS") == 2
    assert bars_of_span("2d", HOUR_MS, ALWAYS) == 48
    with pytest.raises(BarError, match="90m is not a whole number of bars of 1h"):
        bars_of_span("90m", HOUR_MS, "XNYS")


def test_bars_on_a_grid() -> None:
    times = XNYS.opens(parse_time("2019-11-25"), parse_time("2019-12-05"), HOUR_MS)
    bars = flat(np.delete(times, [3, 20]))
    grid = bars.on_grid("XNYS")
    assert grid.open_time.tolist() == times.tolist()
    assert np.flatnonzero(grid.filled).tolist() == [3, 20]
    assert (grid.calendar, grid.rows(2, 5).calendar, grid.bars_a_day) == ("XNYS", "XNYS", 7)
    assert grid.rows(5, None).number == grid.number + 5
    assert grid.present().digest() != bars.digest()  # other bars follow each other
    assert grid.on_grid("XNYS").digest() == grid.digest()
    assert bars.on_grid().calendar == ALWAYS
    assert len(flat(times[:0]).on_grid("XNYS")) == 0


def test_what_a_bar_is_depends_on_no_later_one() -> None:
    times = np.delete(XNYS.opens(parse_time("2019-11-25"), parse_time("2019-12-05"), HOUR_MS), [3, 20])
    whole = flat(times).on_grid("XNYS")
    for n in (5, 19, 30):
        part = flat(times[:n]).on_grid("XNYS")
        assert part.digest() == whole.rows(0, len(part)).digest()


def test_a_calendar_that_does_not_fit() -> None:
    times = XNYS.opens(parse_time("2019-01-02"), parse_time("2019-12-31"), HOUR_MS)
    late = np.sort(np.r_[times, parse_time("2019-11-29 18:00")])  # the auction that ends half a day
    assert flat(late).on_grid("XNYS").digest() == flat(times).on_grid("XNYS").digest()
    holiday = np.sort(np.r_[times, parse_time("2019-11-28 15:00")])
    rule = "calendar XNYS does not fit: 1 of 1,749 bars of 1h are at times when it is closed, the first is 2019-11-28"
    with pytest.raises(BarError, match=rule):
        flat(holiday).on_grid("XNYS")
    with pytest.raises(BarError, match=r"calendar XLON does not fit: .* the first is 2019-04-22 13:00 UTC"):  # Easter
        flat(times[times % DAY_MS < 20 * HOUR_MS]).on_grid("XLON")
    with pytest.raises(BarError, match=r"calendar 'XXXX' is unknown: use 24/7, FX, or a name of exchange-calendars"):
        find_calendar("XXXX")
    with pytest.raises(BarError, match="calendar XSAU covers 2021"):
        Calendar("XSAU").opens(parse_time("2015-01-01"), parse_time("2015-02-01"), HOUR_MS)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = builtins.__import__

    def lacking(name: str, *args: object, **kwargs: object) -> object:
        if name == "exchange_calendars":
            raise ImportError(name)
        return kept(name, *args, **kwargs)  # type: ignore[arg-type]

    calendars._library_class.cache_clear()
    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(
        BarError, match=r"calendar XNYS needs exchange-calendars: pip install 'labelsearch\[sessions\]'"
    ):
        find_calendar("XNYS")
    assert len(find_calendar(FX).opens(0, 7 * DAY_MS, HOUR_MS)) == 120


WINDOWS = {
    "train": ["2018-01-01", "2018-02-10"],
    "past": ["2018-02-13", "2018-03-03"],
    "future": ["2018-03-06", "2018-03-25"],
}


def experiment(**changes: object) -> Experiment:
    label = {"kind": "threshold", "theta": 0.01, "horizon": "1d"}
    data = {"symbol": "SYNTH", "interval": "1h", "calendar": "XNYS"}
    return Experiment.from_dict({"data": data, "windows": WINDOWS, "label": [label], **changes})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Hours of New York, from the last sessions of a year on."""
    minutes = synthetic_bars(93 * 1440, 1, start="2017-12-28")
    open_ = np.isin(minutes.open_time, XNYS.opens(int(minutes.open_time[0]), int(minutes.open_time[-1]) + 1, 60_000))
    store = Store(tmp_path_factory.mktemp("hours"))
    store.save(resample(minutes._take(open_), HOUR_MS))
    return store


def test_bars_of_an_experiment(store: Store) -> None:
    bars = load_bars(experiment(), store.root)
    assert not bars.filled.any()
    assert len(bars) == 7 * 57  # sessions; 2018-01-01 is a holiday, on which a window may begin
    assert len(store.load("SYNTH", "1h").on_grid()) > 1900  # with nights, weekends and holidays


def test_windows_must_be_covered_and_apart_in_bars(store: Store) -> None:
    late = experiment(windows={**WINDOWS, "future": ["2018-03-06", "2018-04-25"]})
    rule = (
        "the store has 126 of the 252 bars of SYNTH in future that calendar XNYS expects, and 80 % are needed; "
        "the first one missing is 2018-04-02 13:00 UTC"
    )
    with pytest.raises(ExperimentError, match=rule):
        load_bars(late, store.root)
    label = [{"kind": "threshold", "theta": 0.01, "horizon": 8}]
    with pytest.raises(ExperimentError, match="are 7 bars of calendar XNYS apart, but labels look 8 bars ahead"):
        load_bars(experiment(label=label), store.root)
    with pytest.raises(ExperimentError, match="SYNTH: calendar XLON does not fit"):
        load_bars(experiment(data={"symbol": "SYNTH", "interval": "1h", "calendar": "XLON"}), store.root)
    with pytest.raises(ExperimentError, match="calendar 'nope' is unknown"):
        experiment(data={"symbol": "SYNTH", "interval": "1h", "calendar": "nope"})
    with pytest.raises(ExperimentError, match="calendar must be 24/7: a generated market never closes"):
        Experiment.from_dict({"data": {"source": "synthetic", "calendar": "XNYS"}})


@pytest.mark.real_data
@pytest.mark.slow
def test_each_stock_has_each_session_and_no_other_day(market_data: Path) -> None:
    panel = read_many([market_data / "us_equities_daily_300_2004_2024.parquet"], None, ReadOptions())
    sessions = XNYS.opens(parse_time("2004-01-02"), parse_time("2024-03-09"), DAY_MS)
    assert len(sessions) == 5080
    for bars in panel.bars.values():
        assert bars.open_time.tolist() == sessions.tolist()
        assert bars.on_grid("XNYS").open_time.tolist() == sessions.tolist()


@pytest.mark.real_data
def test_real_hours_of_new_york(market_data: Path) -> None:
    """Half days, the days after 2001-09-11, and the auctions that end half days."""
    panel = read_many([market_data / "us_equities_1h_spy_aapl_bac_ibm_1998_2021.parquet"], ["SPY"], ReadOptions())
    bars = panel.bars["SPY"]
    grid = bars.on_grid("XNYS")
    assert (len(bars), len(grid), int(grid.filled.sum())) == (40_832, 40_787, 2)
    assert [str(time)[:16] for time in grid.index[grid.filled]] == ["2002-09-11 13:00", "2002-09-11 14:00"]
    left_out = pd.to_datetime(np.setdiff1d(bars.open_time, grid.open_time), unit="ms")
    assert len(left_out) == 47
    assert set(left_out.hour) <= {17, 18, 19, 20}  # from 13:00 in New York on
    days, counts = np.unique(grid.open_time // DAY_MS, return_counts=True)
    assert (len(days), set(counts.tolist())) == (5849, {4, 7})


@pytest.mark.real_data
@pytest.mark.parametrize(("symbol", "n_missing"), [("EURUSD", 682), ("NZDUSD", 670)])
def test_real_hours_of_foreign_exchange(market_data: Path, symbol: str, n_missing: int) -> None:
    """Not one of 74,000 hours lies in a weekend of the calendar, over 24 changes of the clock."""
    table = pd.read_parquet(market_data / "fx_oanda_1h_eurusd_nzdusd_xauusd_2006_2019.parquet")
    bars = flat(table.loc[table["symbol"] == symbol, "open_time"].to_numpy("datetime64[ms]").astype(np.int64))
    grid = bars.on_grid(FX)
    assert len(grid.present()) == len(bars)
    assert int(grid.filled.sum()) == n_missing == len(grid) - len(bars)
    with pytest.raises(BarError, match="calendar 24/5 does not fit"):  # it knows no Sundays
        bars.on_grid("24/5")
    assert len(bars.on_grid()) > 105_000
