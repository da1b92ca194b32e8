"""Which market is in which split."""

from dataclasses import replace

import numpy as np
import pytest

from labelsearch.market.bars import Bars
from labelsearch.market.store import Store
from labelsearch.settings.bars import load_bars
from labelsearch.settings.cells import boundary_ms, cells_of
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError

HOUR, DAY = 3_600_000, 86_400_000
WINDOWS = {
    "train": ["2020-01-01", "2020-01-31"],
    "past": ["2020-02-02", "2020-02-19"],
    "future": ["2020-02-21", "2020-03-11"],
}


def stored(folder, **spans) -> Store:
    """A store of hours, from one day to another, by symbol."""
    store = Store(folder)
    for seed, (symbol, (first, last)) in enumerate(spans.items()):
        start = int(np.datetime64(first, "ms").astype(np.int64))
        stop = int(np.datetime64(last, "ms").astype(np.int64)) + DAY
        times = np.arange(start, stop, HOUR)
        close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.005, len(times))))
        columns = {"open": close, "high": close, "low": close, "close": close, "volume": np.ones(len(times))}
        store.add(Bars(symbol, HOUR, times, **columns))
    return store


def panel(*symbols, roll=None, **more) -> Experiment:
    data = {"symbols": list(symbols), "interval": "1h"}
    return Experiment.from_dict(
        {
            "data": data,
            "windows": WINDOWS,
            "roll": {"step": "20d", "splits": 3} if roll is None else roll,
            "label": [{"kind": "threshold", "theta": 0.01, "horizon": "2h"}],
            **more,
        }
    )


LONG = ("2019-12-01", "2020-06-30")


def names(found) -> list[str]:
    return [cell.name for cell in found.cells]


def test_every_market_in_every_split_is_an_experiment_of_its_own(tmp_path):
    stored(tmp_path, AAA=LONG, BBB=LONG)
    found = cells_of(panel("AAA", "BBB"), tmp_path)
    assert names(found) == [f"{m}/split-{k}" for k in (1, 2, 3) for m in ("AAA", "BBB")]
    assert not found.absent
    cell = found.of(2)[1]
    assert not cell.experiment.is_panel
    assert cell.experiment.data.symbol == "BBB"
    assert cell.experiment.windows.future == ("2020-03-12", "2020-03-31")
    assert len({c.experiment.seed for c in found.cells}) == 6
    # another market beside it changes nothing
    assert cells_of(panel("BBB"), tmp_path).of(2)[0] == cell
    assert load_bars(cell.experiment, tmp_path).symbol == "BBB"


def test_a_market_joins_once_it_has_all_bars_of_a_split(tmp_path):
    stored(tmp_path, AAA=LONG, LATE=("2020-01-15", "2020-06-30"))
    found = cells_of(panel("AAA", "LATE"), tmp_path)
    assert [c.split for c in found.cells if c.market == "LATE"] == [2, 3]
    assert found.absent[0][:2] == ("LATE", 1)
    assert "begin on 2020-01-15" in found.absent[0].reason


def test_with_an_expanding_train_it_begins_with_its_first_whole_day(tmp_path):
    stored(tmp_path, AAA=LONG, LATE=("2020-01-10", "2020-06-30"))
    roll = {"step": "20d", "splits": 4, "train": "expanding"}
    found = cells_of(panel("AAA", "LATE", roll=roll), tmp_path)
    late = [c for c in found.cells if c.market == "LATE"]
    assert [c.split for c in late] == [2, 3, 4]
    assert late[0].experiment.windows.train == ("2020-01-10", "2020-02-20")
    assert found.of(4)[0].experiment.windows.train[0] == "2020-01-01"


ACROSS = {
    "label": [{"kind": "relative", "horizon": "2h"}],
    "universe": {"history_days": 4, "beta_days": 6, "volatility_days": 5},
    "windows": {
        "train": ["2019-12-01", "2020-01-29"], "past": ["2020-02-02", "2020-02-19"],
        "future": ["2020-02-21", "2020-03-11"],
    },
}  # fmt: skip


@pytest.mark.parametrize("train", ["sliding", "expanding"])
def test_where_markets_are_compared_one_joins_once_it_has_been_a_member(tmp_path, train):
    """Validation begins on 2020-01-18, and 20 days later in each split; 6 days of beta and 30 of labels before it."""
    stored(
        tmp_path, AAA=("2019-10-01", "2020-06-30"), BBB=("2019-10-01", "2020-06-30"),
        SOON=("2019-12-13", "2020-06-30"), LATE=("2019-12-14", "2020-06-30"),
    )  # fmt: skip
    roll = {"step": "20d", "splits": 3, "train": train}
    found = cells_of(panel("AAA", "BBB", "SOON", "LATE", roll=roll, **ACROSS), tmp_path)
    assert boundary_ms(found.splits[0], HOUR) == int(np.datetime64("2020-01-18", "ms").astype(np.int64))
    assert [c.split for c in found.cells if c.market == "SOON"] == [1, 2, 3]
    assert [c.split for c in found.cells if c.market == "LATE"] == [2, 3]
    assert found.of(1)[2].experiment.windows.train == ("2019-12-13", "2020-01-29")
    assert "begin on 2019-12-14" in found.absent[0].reason
    # a book puts markets side by side too; without either the old rule holds
    book = {**ACROSS, "label": [{"kind": "threshold", "theta": 0.01, "horizon": "2h"}]}
    booked = panel("AAA", "BBB", "SOON", "LATE", roll=roll, book={"kind": "long", "cap": 1.0}, **book)
    assert names(cells_of(booked, tmp_path)) == names(found)
    plain = cells_of(panel("AAA", "BBB", "SOON", "LATE", roll=roll, **book), tmp_path)
    assert [c.split for c in plain.cells if c.market == "SOON"] == [2, 3]


def test_one_market_is_compared_with_none(tmp_path):
    stored(tmp_path, AAA=LONG)
    with pytest.raises(ExperimentError, match="there is one market alone"):
        panel("AAA", **{k: v for k, v in ACROSS.items() if k != "windows"})
    alone = panel("AAA", roll={}, label=ACROSS["label"])  # as a cell is, which others stand beside
    with pytest.raises(ExperimentError, match="there is one market alone"):
        cells_of(alone, tmp_path)


def test_a_delisted_market_keeps_its_last_future_up_to_its_last_bar(tmp_path):
    stored(tmp_path, AAA=LONG, GONE=("2019-12-01", "2020-03-20"))
    found = cells_of(panel("AAA", "GONE"), tmp_path)
    gone = [c for c in found.cells if c.market == "GONE"]
    assert [(c.split, c.delisted) for c in gone] == [(1, False), (2, True)]
    assert gone[1].experiment.windows.future == ("2020-03-12", "2020-03-20")
    assert "end on 2020-03-20" in found.absent[0].reason
    assert load_bars(gone[1].experiment, tmp_path).index[-1].day == 20


def test_a_hole_is_refused_and_says_where(tmp_path):
    store = stored(tmp_path, AAA=LONG)
    bars = store.load("AAA", "1h")
    hole = (bars.index >= "2020-02-05") & (bars.index < "2020-02-15")
    holed = Store(tmp_path / "holed")
    holed.add(bars._take(~hole))
    with pytest.raises(ExperimentError, match=r"split 1: the store has 4\d.\d % of the bars of AAA in past"):
        cells_of(panel("AAA"), tmp_path / "holed")


@pytest.mark.parametrize(
    ("symbols", "roll", "words"),
    [
        (("AAA", "NONE"), None, "NONE"),
        (("AAA",), {"step": "20d", "splits": 9}, "all bars end on 2020-06-30"),
        (("LATE",), None, "split 1: no market has bars"),
    ],
)
def test_bad_panels_are_refused_in_one_line(tmp_path, symbols, roll, words):
    stored(tmp_path, AAA=LONG, LATE=("2020-01-15", "2020-06-30"))
    with pytest.raises(ValueError, match=words):
        cells_of(panel(*symbols, roll=roll), tmp_path)


def test_symbols_of_a_file(tmp_path):
    (tmp_path / "pairs.txt").write_text("# the two\nAAA\n\nBBB  # the other\n")
    path = tmp_path / "experiment.toml"
    path.write_text('[data]\nsymbols = "pairs.txt"\n')
    assert Experiment.load(path).data.markets == ("AAA", "BBB")
    (tmp_path / "pairs.txt").write_text("# none\n")
    with pytest.raises(ExperimentError, match="names none"):
        Experiment.load(path)
    path.write_text('[data]\nsymbols = "no.txt"\n')
    with pytest.raises(ExperimentError, match="cannot be read"):
        Experiment.load(path)


def test_one_symbol_of_a_list_is_as_if_it_stood_alone():
    one, other = (Experiment.from_dict({"data": data}) for data in ({"symbols": ["AAA"]}, {"symbol": "AAA"}))
    assert one == other
    assert one.digest == other.digest
    assert not one.is_panel


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"data": {"symbols": ["AAA", "AAA"]}}, "twice"),
        ({"data": {"symbols": ["AAA", "../x"]}}, "not one that a store may hold"),
        ({"pool": {"classifiers": True}}, "one market alone"),
        ({"data": {"symbols": ["AAA", "BBB"]}, "roll": {"refit": "tiers"}}, "one split alone"),
        ({"data": {"symbols": ["AAA", "BBB"]}, "roll": {"hyperparameters": "first"}}, "one split alone"),
        ({"roll": {"step": "20d", "splits": 2, "refit": "search", "hyperparameters": "first"}}, "networks themselves"),
        ({"roll": {"step": "20d", "splits": 2, "hyperparameters": "second"}}, "each, first"),
        ({"roll": {"step": "1d", "splits": 2}}, r"\[roll\]: futures overlap"),
    ],
)
def test_sections_that_do_not_fit_are_refused(sections, words):
    with pytest.raises(ExperimentError, match=words):
        Experiment.from_dict(sections)


def test_generated_markets_go_on_over_all_splits():
    base = panel("AAA", "BBB")
    experiment = replace(base, data=replace(base.data, source="synthetic", edge=0.1))
    first, later = (found[1].experiment for found in map(cells_of(experiment, None).of, (1, 3)))
    whole, part = load_bars(first, None), load_bars(later, None)
    shared = np.intersect1d(whole.open_time, part.open_time)
    assert len(shared) > 24
    rows = [np.searchsorted(bars.open_time, shared) for bars in (whole, part)]
    assert np.array_equal(whole.close[rows[0]], part.close[rows[1]])
    other = load_bars(cells_of(experiment, None).of(1)[0].experiment, None)
    assert not np.array_equal(other.close, whole.close)
