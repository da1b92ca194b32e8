"""A survey of markets: who is there when, who is unlike whom, and that train alone decides it."""

from dataclasses import replace

import numpy as np
import pytest

from labelsearch.market.bars import Bars
from labelsearch.market.cross_section import cross_section
from labelsearch.market.rules import BarError
from labelsearch.market.store import Store
from labelsearch.results.universe import Asked, survey
from labelsearch.settings.bars import bars_of
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError

DAY = 86_400_000
FIRST = 18_262 * DAY  # 2020-01-01
DAYS = 300
WINDOWS = {
    "train": ["2020-01-01", "2020-05-31"],
    "past": ["2020-06-10", "2020-07-31"],
    "future": ["2020-08-10", "2020-10-10"],
}
MARKETS = {  # first and last day, value a day, share of the common return
    "BIG": (0, DAYS, 9.0, 1.0),
    "TWIN": (0, DAYS, 5.0, 1.0),
    "OWN": (0, DAYS, 4.0, 0.1),
    "MIRROR": (0, DAYS, 3.0, -1.0),
    "LATE": (60, DAYS, 8.0, 0.5),
    "GONE": (0, 180, 7.0, 0.6),  # delisted at the end of June
    "THIN": (0, DAYS, 1.0, 0.3),
}


def market(name: str, scale: np.ndarray | float = 1.0) -> Bars:
    first, stop, value, share = MARKETS[name]
    rows = np.arange(first, stop)
    rng = np.random.default_rng(sorted(MARKETS).index(name))
    common = np.random.default_rng(77).normal(0, 0.03, DAYS)
    own = rng.normal(0, 0.03, DAYS) * (0.2 if abs(share) == 1.0 else 1.0)
    close = 100.0 * np.exp(np.cumsum((share * common + own) * scale))[rows]
    traded = value * 1e6 * rng.uniform(0.9, 1.1, DAYS)[rows]
    return Bars(name, DAY, FIRST + rows * DAY, close, close, close, close, traded / close, traded)


def experiment(**more) -> Experiment:
    plain = {
        "data": {"symbols": list(MARKETS), "interval": "1d"},
        "windows": WINDOWS,
        "universe": {"history_days": 40, "liquidity_days": 20, "size": 3},
        "label": [{"kind": "threshold", "theta": 0.05, "horizon": 3}],
    }
    return Experiment.from_dict({**plain, **more})


@pytest.fixture
def store(tmp_path):
    for name in MARKETS:
        Store(tmp_path).add(market(name))
    return tmp_path


def test_who_is_in_a_split_and_why_not(store):
    found = survey(experiment(), store, Asked())
    reasons = {history.market: history.reason for history in found.histories}
    assert [name for name, reason in reasons.items() if not reason] == ["BIG", "TWIN", "OWN", "MIRROR", "THIN"]
    assert reasons["LATE"] == "its bars begin on 2020-03-01"
    assert reasons["GONE"] == "its bars end on 2020-06-28"
    twice = survey(experiment(roll={"step": "62d", "splits": 2}), store, Asked())
    assert [history.split for history in twice.histories] == [*[1] * 7, *[2] * 7]


def test_a_hole_and_a_market_without_bars_are_reasons_too(store):
    holed = market("THIN")
    kept = (holed.open_time < FIRST + 10 * DAY) | (holed.open_time >= FIRST + 80 * DAY)
    bars = {n: getattr(holed, n)[kept] for n in ("open", "high", "low", "close", "volume", "quote_volume")}
    Store(store).add(Bars("HOLED", DAY, holed.open_time[kept], **bars))
    symbols = {"symbols": [*MARKETS, "HOLED", "NOWHERE"], "interval": "1d"}
    found = survey(experiment(data=symbols), store, Asked())
    reasons = {history.market: history.reason for history in found.histories}
    assert "of the bars of HOLED in train, and 80 % are needed" in reasons["HOLED"]
    assert "NOWHERE" in reasons["NOWHERE"]


def test_members_are_those_of_the_cross_section_delisted_ones_included(store):
    terms = experiment()
    found = survey(terms, store, Asked())
    days = terms.windows.train[0], terms.windows.future[1]
    bars = [bars_of(terms.data.of(name), store, *days) for name in MARKETS]
    section = cross_section(bars, terms.universe.terms)
    for date in found.dates:
        row = int(np.searchsorted(section.open_time, np.datetime64(date.date, "ms").astype(np.int64)))
        members = {name for m, name in enumerate(MARKETS) if section.eligible[row, m]}
        assert members == {r.market for r in found.ranks if r.date == date.date and r.member}
        assert date.members == len(members)
    by_date = {date.date: date for date in found.dates}
    assert [date.members for date in found.dates[:3]] == [0, 0, 3]  # 40 days of history, then a month's start
    assert found.empty == 2
    assert by_date["2020-03-01"].joins == ("BIG", "GONE", "TWIN")
    assert by_date["2020-05-01"].joins == ("LATE",)
    assert by_date["2020-05-01"].leaves == ("TWIN",)
    assert by_date["2020-05-01"].turnover == pytest.approx(1 / 3)
    assert by_date["2020-07-01"].leaves == ("GONE",)
    assert found.ever == ("BIG", "GONE", "TWIN", "LATE")
    assert {r.market: r.rank for r in found.ranks if r.date == "2020-05-01"} == {
        "BIG": 1, "LATE": 2, "GONE": 3, "TWIN": 4, "OWN": 5, "MIRROR": 6, "THIN": 7,
    }  # fmt: skip
    quarters = survey(terms, store, Asked(every="quarter"))
    assert [date.date for date in quarters.dates] == ["2020-01-01", "2020-04-01", "2020-07-01", "2020-10-01"]


def test_picks_are_unlike_and_come_from_train_alone(store, tmp_path_factory):
    terms = experiment(universe={"history_days": 40, "liquidity_days": 20})
    found = survey(terms, store, Asked(picks=3))
    assert found.picked("returns") == ("BIG", "OWN", "THIN")
    assert found.candidates == 6  # all but the late one; that one of them is delisted later is not known in train
    assert found.picks[1].largest == pytest.approx(abs(found.picks[1].mean))
    assert found.picks[1].largest_with == "BIG"
    assert 1.0 < found.independent["returns"] <= 3.0
    assert survey(terms, store, Asked("MIRROR", 2)).picked("returns")[0] == "MIRROR"
    # other bars after train change no pick
    other = tmp_path_factory.mktemp("other")
    for name in MARKETS:
        Store(other).add(market(name, np.where(np.arange(DAYS) > 151, -3.0, 1.0)))
    found, same = (survey(terms, folder, Asked(picks=6)).picks for folder in (store, other))
    assert str(found) == str(same)  # NaN is not equal to NaN
    # with a size, the most liquid ones of the end of train are compared
    sized = survey(experiment(), store, Asked())
    assert set(sized.picked("returns")) == {"BIG", "GONE", "TWIN"}


def test_bad_input_is_one_line(store):
    for terms, asked, words in (
        (experiment(data={"symbol": "BIG", "interval": "1d"}), Asked(), "several markets"),
        (experiment(), Asked(split=2), "no split 2"),
        (experiment(), Asked("OTHER"), "'OTHER' is none of the markets"),
        (experiment(), Asked("LATE"), "LATE lacks bars of train 2020-01-01 .. 2020-05-31"),
        (experiment(data={"symbols": ["X", "Y"], "interval": "1d"}), Asked(), "0 of the markets have bars"),
    ):
        with pytest.raises(ExperimentError, match=words):
            survey(terms, store, asked)


def test_markets_without_volume_need_a_start(store, tmp_path):
    for name in MARKETS:
        flat = market(name)
        Store(tmp_path / "flat").add(replace(flat, quote_volume=None, volume=np.ones(len(flat))))
    terms = experiment(universe={"history_days": 40})
    with pytest.raises(BarError, match="--start"):
        survey(terms, tmp_path / "flat", Asked())
    with pytest.raises(BarError, match="size"):
        survey(experiment(), tmp_path / "flat", Asked("BIG"))
    found = survey(terms, tmp_path / "flat", Asked("BIG", 3))
    assert not found.liquid
    assert found.picked("returns") == ("BIG", "OWN", "THIN")
    assert {rank.rank for rank in found.ranks} == {None}
