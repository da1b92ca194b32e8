"""Panels whose labels and features compare markets, on a planted one: the quiet markets gain most."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import spearmanr

from feature_space.across import AcrossStream, MarketBar, arranged, matrices
from labelsearch.commands import main
from labelsearch.engine.executors.choice import Workers
from labelsearch.engine.executors.local import LocalExecutor
from labelsearch.engine.run import RunError
from labelsearch.engine.stage import Work
from labelsearch.labels.base import MarketsBeside
from labelsearch.labels.relative import Relative
from labelsearch.market.bars import Bars
from labelsearch.market.cross_section_stream import CrossSectionStream
from labelsearch.market.funding import Funding
from labelsearch.market.store import Store
from labelsearch.panels.beside import recorded_beside
from labelsearch.panels.cells import Place
from labelsearch.panels.reopen import reopen_cell
from labelsearch.panels.run import open_panel
from labelsearch.results.cross_section import MarketsOfSplit
from labelsearch.results.panel_run import PanelResults
from labelsearch.settings.bars import load_bars
from labelsearch.settings.cells import cells_of
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages import cross_section
from labelsearch.stages.features import idle_bars, inputs_of
from labelsearch.stages.plan import STAGES

HOUR, DAY = 3_600_000, 86_400_000
MARKETS = ("M0", "M1", "M2", "M3", "M4", "LATE")
PLAN = {
    "name": "beside",
    "data": {"symbols": list(MARKETS), "interval": "1h"},
    "windows": {
        "train": ["2020-01-01", "2020-03-31"], "past": ["2020-04-02", "2020-04-30"],
        "future": ["2020-05-02", "2020-05-12"],
    },
    "pool": {"classifiers": True},
    "universe": {"history_days": 5, "beta_days": 5, "volatility_days": 3},
    "feature_space": {
        "normalisation": "rank",
        "indicators": ["momentum_short", "volatility_level", "beta_free_short", "funding_mean"],
    },
    "separation": {"n_pairs": 3000, "n_values": 3, "n_restarts": 1, "n_shifts": 9},
    "network": {"n_neutral": 5000, "n_trials": 1, "max_epochs": 10, "batch_size": 128, "n_seeds": 1},
    "search": {"n_strategies": 60, "island_size": 60},
    "tiers": {"sizes": [5]},
    "null": {"repeats": 0},
    "label": [{"kind": "relative", "horizon": "6h", "share": 0.3}],
}  # fmt: skip
LABEL = "relative_6_30"


def day(text: str) -> int:
    return int(np.datetime64(text, "ms").astype(np.int64))


def planted(folder: Path) -> Path:
    """A store of markets that follow one another, whose volatility wanders and whose own drift falls with it."""
    store, rng = Store(folder), np.random.default_rng(4)
    times = np.arange(day("2019-12-31"), day("2020-05-13"), HOUR)
    common = rng.normal(0, 0.004, times.size)
    spells = -(-times.size // 36)
    for m, name in enumerate(MARKETS):
        size = np.repeat(rng.uniform(0.001, 0.006, spells), 36)[: times.size]
        own = rng.normal(0, 1, times.size) * size + 0.6 * (0.0035 - size)
        close = 100.0 * np.exp(np.cumsum((0.6 + 0.2 * m) * common + own))
        first = np.searchsorted(times, day("2020-01-20")) if name == "LATE" else 0
        kept = (rng.random(times.size) > 0.005) & (np.arange(times.size) >= first)
        store.add(Bars(name, HOUR, *(c[kept] for c in (times, *([close] * 4), rng.lognormal(0, 1, times.size)))))
        if m:
            paid = times[::8]
            store.add_funding(Funding(name, paid, rng.normal(0, 1e-4, paid.size), np.full(paid.size, np.nan)))
    return folder


def experiment(**changes) -> Experiment:
    data = {**PLAN, **{name: {**PLAN.get(name, {}), **its} if isinstance(its, dict) else its
                       for name, its in changes.items()}}  # fmt: skip
    return Experiment.from_dict(data)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return planted(tmp_path_factory.mktemp("planted") / "store")


@pytest.fixture(scope="module")
def done(store, tmp_path_factory) -> PanelResults:
    runs = tmp_path_factory.mktemp("beside") / "runs"
    with open_panel(experiment(), runs, store, workers=Workers(1)) as run:
        run.do()
    return PanelResults(run.folder, store)


def later_gain(split: MarketsOfSplit, horizon: int) -> np.ndarray:
    """Beta-free return (T, M) over the next bars, plainly."""
    s, gain = split.section, np.full(split.section.close.shape, np.nan)
    for t in range(len(gain) - horizon):
        common = np.prod(1.0 + s.basket[t + 1 : t + 1 + horizon]) - 1.0
        gain[t] = s.close[t + horizon] / s.close[t] - 1.0 - s.beta[t] * common
    return gain


def test_label_features_and_outputs_see_what_is_planted(done):
    cell = done.cell("M0", 1)
    chosen = cell.features.of(LABEL)
    assert chosen.power > chosen.power_random
    (figures,) = cell.classifiers.figures
    assert figures.past.buy.auc > 0.58
    assert figures.past.sell.auc > 0.58
    strongest = figures.shap.features[int(np.argmax(figures.shap.sell))]
    assert strongest.startswith("volatility_level")
    split = recorded_beside(done.folder, 1).split.value
    gain, wish = later_gain(split, 6), np.full(split.section.close.shape, np.nan)
    for m, name in enumerate(split.markets):
        past = done.cell(name, 1).outputs.past
        wish[np.searchsorted(split.section.open_time, past.open_time), m] = past.outputs[:, 0] - past.outputs[:, 1]
    rows = np.flatnonzero(np.isfinite(wish).sum(axis=1) >= 4)[:-6]
    rho = [spearmanr(wish[t], gain[t], nan_policy="omit").statistic for t in rows]
    assert np.mean(rho) > 0.15


def test_sets_and_networks_are_those_of_all_markets(done):
    cells = [done.cell(name, 1) for name in MARKETS]
    assert len({cell.features for cell in cells}) == 1  # no scale of a market is fitted
    assert len({str(cell.done["classifiers"]["content"]) for cell in cells}) == 1
    assert all(cell.done["outputs"]["content"] for cell in cells)
    late = done.cell("LATE", 1)
    assert late.experiment.windows.train == ("2020-01-20", "2020-03-31")
    for cell in cells:  # all traded bars have outputs
        past = cell.experiment.windows.named["past"].rows(cell.bars.open_time)
        assert len(cell.outputs.past.open_time) == int((~cell.bars.filled[past]).sum())


def test_labels_of_cells_are_those_of_bars_before_past(done, store):
    """Computed anew on what was there before past, and nothing for markets that are no members."""
    split = recorded_beside(done.folder, 1).split.value
    stop = int(np.searchsorted(split.section.open_time, day("2020-04-02")))
    columns = (getattr(split.section, name)[:stop] for name in MarketsBeside._fields)
    wanted = Relative(6, 0.3).values_across(MarketsBeside(*columns))
    for m, name in enumerate(split.markets):
        got = done.cell(name, 1).labels.values[LABEL]
        first = stop - len(got.value)
        np.testing.assert_array_equal(got.value, wanted[m].value[first:])
        np.testing.assert_array_equal(got.classes, wanted[m].classes[first:])
        np.testing.assert_array_equal(got.last_used, wanted[m].last_used[first:] - first)
        assert not got.settled[~split.section.member[first:stop, m]].any()
        assert got.settled.any()


def test_nothing_of_the_future_is_in_what_is_known_before(done, store):
    """Other bars of the future give the same cross-section before it, the same labels and the same funding."""
    cells = cells_of(experiment(), store).of(1)
    bars = [load_bars(cell.experiment, store) for cell in cells]
    start = day("2020-05-02")
    inputs = cross_section.CrossSectionInputs(
        tuple(its.between(None, start) for its in bars), (None,) * len(bars), experiment().universe.terms,
        experiment().label_kinds(), experiment().windows.named["future"],
    )  # fmt: skip
    less = cross_section.run(inputs, Work(LocalExecutor(), store))
    whole = recorded_beside(done.folder, 1).split.value
    n = len(less.section.open_time)
    for name in ("close", "member", "basket", "beta", "sigma"):
        np.testing.assert_array_equal(getattr(less.section, name), getattr(whole.section, name)[:n])
    for a, b in zip(less.values[LABEL], whole.values[LABEL], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_view_holds_the_columns_of_its_market(done):
    split, cell = recorded_beside(done.folder, 1).split.value, done.cell("LATE", 1)
    view = split.view("LATE", cell.bars.open_time)
    rows = split.rows_of(cell.bars.open_time)
    np.testing.assert_array_equal(split.section.open_time[rows], cell.bars.open_time)
    np.testing.assert_array_equal(view.member, split.section.member[rows, split.section.column("LATE")])
    assert view.funding.any()
    assert not split.funding[:, split.markets.index("M0")].any()  # of which the store has none
    assert [len(column) for column in view.before(7)] == [7] * 3
    # validation begins at one time in all markets, whenever their train begins
    beside = recorded_beside(done.folder, 1)
    train = experiment().windows.named["train"]
    assert beside.boundary_ms == train.start_ms + int(0.8 * 91 * 24) * HOUR


def test_bar_by_bar_the_features_of_all_markets_have_the_same_bits(done):
    """The cross-section row by row, and the features that are made of its rows."""
    split = recorded_beside(done.folder, 1).split.value
    cells = [done.cell(name, 1) for name in split.markets]
    views = [split.view(name, cell.bars.open_time) for name, cell in zip(split.markets, cells, strict=True)]
    sets = [cell.features.of(LABEL).feature_set for cell in cells]
    columns = arranged(
        [inputs_of(cell.bars, view) for cell, view in zip(cells, views, strict=True)],
        [~idle_bars(cell.bars, view) for cell, view in zip(cells, views, strict=True)],
        [cell.bars.number for cell in cells],
    )
    section, features = CrossSectionStream(6, experiment().universe.terms, 24), AcrossStream([[s] for s in sets])
    n, seen = 1500, [[] for _ in cells]
    first = [split.rows_of(cell.bars.open_time).start for cell in cells]
    for t in range(n):
        bars = [bar_of(cell.bars, t - start) for cell, start in zip(cells, first, strict=True)]
        close = np.array([np.nan if bar is None else bar.close for bar in bars])
        row = section.update(int(split.section.open_time[t]), close)
        for rows, found in zip(seen, features.update(bars, row.member, row.basket, split.funding[t]), strict=True):
            if found is not None:
                rows.append(found[0])
    for matrix, rows in zip(matrices(sets, columns), seen, strict=True):
        assert np.array(rows).tobytes() == matrix[: len(rows)].tobytes()
        assert np.abs(rows[-1]).max() > 0


def bar_of(bars: Bars, row: int) -> MarketBar | None:
    """A bar that is there."""
    if row < 0 or bars.filled[row]:
        return None
    return MarketBar(bars.vwap[row], bars.high[row], bars.low[row], bars.close[row], bars.volume[row])


def test_a_cell_is_reopened_as_its_panel_left_it(done, store, tmp_path):
    shutil.copytree(done.folder.parent, tmp_path / "runs")
    folder = tmp_path / "runs" / done.folder.name / "cells" / "M1" / "split-1"
    with reopen_cell(folder, store) as run:
        assert run.do(STAGES["labels"]).content == done.cell("M1", 1).done["labels"]["content"]
        assert run.do(STAGES["outputs"]).content == done.cell("M1", 1).done["outputs"]["content"]


def test_a_second_run_does_nothing(done, store):
    before = {path: path.read_bytes() for path in done.folder.rglob("ledger.jsonl")}
    with open_panel(experiment(), done.folder.parent, store, workers=Workers(1)) as run:
        run.do()
    assert {path: path.read_bytes() for path in done.folder.rglob("ledger.jsonl")} == before


def test_relative_features_of_markets_that_share_nothing(store, tmp_path):
    """Without a pool and with scales of their own; the features of a cell are those of its bars and its view."""
    alone = experiment(
        pool={"classifiers": False}, feature_space={"normalisation": "train"},
        data={"symbols": ["M0", "M1", "M2"]},
    )  # fmt: skip
    with open_panel(alone, tmp_path / "runs", store, workers=Workers(1)) as run:
        run.do()
    sets = [PanelResults(run.folder).cell(name, 1).features.of(LABEL).feature_set for name in ("M0", "M1")]
    assert sets[0] != sets[1]
    assert all(feature.scale > 0 for feature in sets[1].features)
    assert sets[0].features[3].scale == 0.0  # M0 has no funding
    assert Place(run.folder, store).recorded(run.cells.cells[0], "outputs").value.past.outputs.std() > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"symbols": ["M0", "M1"]}, "pool": {"classifiers": False}}, "normalisation = rank needs"),
        ({"data": {"symbols": ["M0"]}, "roll": {"step": "7d", "splits": 1}}, "compares markets needs"),
    ],
)
def test_an_experiment_that_cannot_compare_is_refused(changes, words):
    with pytest.raises(ExperimentError, match=words):
        experiment(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"symbols": ["M0"]}, "pool": None}, "compares markets needs"),
        ({"data": {"symbols": ["M0", "NONE"]}}, "NONE"),
        ({"data": {"symbols": ["M0", "LATE"]}, "universe": {"history_days": 60}}, "split 1: M0 is alone"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(store, tmp_path, monkeypatch, changes, words):
    monkeypatch.chdir(tmp_path)
    whole = {**PLAN, **{name: its and {**PLAN.get(name, {}), **its} for name, its in changes.items()}}
    Path("experiment.toml").write_text(Experiment.from_dict({n: its for n, its in whole.items() if its}).to_toml())
    result = CliRunner().invoke(main, ["run", "experiment.toml", "--store", str(store)])
    assert (result.exit_code, len(result.output.strip().splitlines())) == (2, 1), result.output
    assert words in result.output
    assert not list(Path("runs").glob("*/experiment.toml"))


def test_a_finished_cell_is_not_exported(done, tmp_path):
    from labelsearch.delivery.export import export_bundle

    with pytest.raises(RunError, match="compare the markets of a panel"):
        export_bundle(done.cell("M0", 1), None, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
