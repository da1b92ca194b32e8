"""The study of hedges of a run: resumable, counted where it looks, the same bits for any number of workers."""

import io
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.delivery.page.report_page import hedges_section
from labelsearch.delivery.tables.hedges import hedge_tables
from labelsearch.engine.ledger import Ledger
from labelsearch.labels.spans import Span
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.results.hedges import ALL, COMBINED, METHODS
from labelsearch.results.run import Results
from labelsearch.settings.experiment import Experiment
from labelsearch.studies.hedge_trading import HedgeTask, hedge_unit, steps_of
from labelsearch.studies.hedges import hedge_run
from strategies.tiers.metrics import daily_returns
from tests.conftest import TINY_PANEL
from tests.running import run_experiment
from tests.studies.opened import fresh, opened

HOUR = 3_600_000
WINDOWS = {
    "train": ["2018-01-01", "2018-02-05"], "past": ["2018-02-07", "2018-03-04"], "future": ["2018-03-06", "2018-03-17"],
}  # fmt: skip
NAMES = (*METHODS, COMBINED)


def settings() -> Experiment:
    plain = {name: part for name, part in TINY_PANEL.items() if name not in ("roll", "null")}
    search = {**TINY_PANEL["search"], "side": "both"}
    data = {**TINY_PANEL["data"], "symbols": ["ALPHA"]}
    changed = {"windows": WINDOWS, "data": data, "search": search, "costs": {"borrow": 0.0003}, "name": "hedged"}
    return Experiment.from_dict({**plain, **changed})


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Results:
    base = tmp_path_factory.mktemp("hedged")
    return Results(run_experiment(settings(), base / "runs", base / "store", last="ensembles"), base / "store")


@pytest.fixture
def own(first, tmp_path) -> Results:
    ignored = shutil.ignore_patterns("studies", ".units")
    shutil.copytree(first.folder, tmp_path / first.folder.name, ignore=ignored)
    shutil.copy(first.folder.parent / "looks.jsonl", tmp_path)
    return Results(tmp_path / first.folder.name, first.store)


def hedged(results, window="past", workers=1, step_ms=HOUR):
    with opened(results, workers) as run:
        return hedge_run(run, window, step_ms)


def looks(results):
    return Ledger(results.folder.parent / "looks.jsonl").events("look")


def test_past_is_judged_on_its_second_half_without_a_look(own):
    before = len(looks(own))
    found = hedged(own).value
    assert len(looks(own)) == before
    assert fresh(own).hedges == [found]
    assert (found.lead, found.days) == (("2018-02-07", "2018-02-19"), ("2018-02-20", "2018-03-04"))
    assert [(row.base, row.market, row.method) for row in found.rows] == [
        (f"Top-{size}", ALL, name) for name in NAMES for size in (20, 5)
    ]
    traded = {fit.method: fit for fit in found.fits}
    assert [traded[name].fits > 0 for name in METHODS] == [True, True, False, False]
    assert all(fit.failed == 0 for fit in found.fits)
    assert traded["momentum"].fills > 1
    base = own.ensembles.curves["past"]
    column = daily_returns(base.equity[:, base.names.index("Top-20")], base.open_time)[13:]
    np.testing.assert_allclose(found.equity["Top-20"], np.cumprod(1 + column), rtol=1e-9)
    row = next(row for row in found.rows if (row.base, row.method) == ("Top-20", "contrarian"))
    hedge = np.diff(found.equity["contrarian, hedge"], prepend=1.0) / np.r_[1.0, found.equity["contrarian, hedge"][:-1]]
    assert row.figures.correlation == pytest.approx(np.corrcoef(column, hedge)[0, 1])
    assert 0 < row.figures.share_pct < 100
    assert row.adjusted >= row.figures.gain.p_value


def test_future_is_a_look_and_counted_once(own):
    before = len(looks(own))
    found = hedged(own, "future").value
    assert found.lead == ("2018-02-07", "2018-03-04")
    assert found.days == ("2018-03-06", "2018-03-17")
    assert len(looks(own)) == before + 1
    assert hedged(own, "future").value == found
    assert len(looks(own)) == before + 1
    hedged(own)
    assert [one.window for one in fresh(own).hedges] == ["future", "past"]


@pytest.mark.slow  # that of shifted outputs shows it for a study; here units alone are others
def test_workers_do_not_change_the_result(first, own, tmp_path):
    one = hedged(own)
    other = tmp_path / "other"
    shutil.copytree(own.folder, other / own.folder.name, ignore=shutil.ignore_patterns("studies"))
    two = hedged(Results(other / own.folder.name, own.store), workers=2)
    assert one.content == two.content


def test_other_costs_or_steps_are_another_study(own):
    keys = {hedged(own, step_ms=step).folder for step in (HOUR, 4 * HOUR)}
    assert len(keys) == 2


def test_forecasts_of_a_shorter_series_have_the_same_bits():
    bars = synthetic_bars(60 * 24 * 40, 3, edge=0.1, start="2018-01-01", symbol="X")
    train = Span.of_days("2018-01-01", "2018-01-30")
    whole = steps_of(bars, train, HOUR)
    cut = steps_of(bars.rows(0, 60 * 24 * 35 + 17), train, HOUR)
    assert (len(whole.close), len(cut.close), whole.n_train) == (960, 840, 720)
    for method in METHODS:
        found, part = (_arrays(hedge_unit(HedgeTask(method, steps, 7), None)) for steps in (whole, cut))
        for name in ("mean", "deviation"):
            assert found[name][:840].tobytes() == part[name].tobytes()


def _arrays(files):
    with np.load(io.BytesIO(files["forecast.npz"])) as file:
        return dict(file)


def test_too_few_days_are_refused_in_one_line(tiny_run, tmp_path):
    shutil.copytree(tiny_run.folder, tmp_path / tiny_run.folder.name, ignore=shutil.ignore_patterns("studies"))
    shutil.copy(tiny_run.folder.parent / "looks.jsonl", tmp_path)
    given = ["hedges", tiny_run.folder.name, "--runs", str(tmp_path), "--store", str(tiny_run.store)]
    result = CliRunner().invoke(main, [*given, "--workers", "1"])
    assert result.exit_code == 2
    assert result.stderr.strip().splitlines() == [
        "Error: hedges need 10 days to weigh pairs on and as many to judge them on; past has 3 and 4"
    ]
    for step in ("soon", "7h"):
        result = CliRunner().invoke(main, [*given, "--workers", "1", "--step", step])
        assert result.exit_code == 2
        assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / tiny_run.folder.name / "studies").exists()


def test_the_command_and_the_report(own):
    file = own.folder / "experiment.toml"
    given = ["--runs", str(own.folder.parent), "--store", str(own.store), "--workers", "1", "--step", "1h", "--json"]
    answers = [CliRunner().invoke(main, ["hedges", target, *given]) for target in (str(file), own.folder.name[:8])]
    assert [answer.exit_code for answer in answers] == [0, 0]
    assert answers[0].stdout == answers[1].stdout
    data = json.loads(answers[0].stdout)
    assert data["hedges"]["window"] == "past"
    assert len(data["hedges"]["rows"]) == 10
    assert len(data["hedge_fits"]) == 4
    results = fresh(own)
    titles = [table.title for table in hedge_tables(results.hedges[0])]
    assert titles == ["Hedges of the tiers", "What hedges were made of"]
    assert len(hedges_section(results).blocks) == 2


def test_a_market_with_too_few_steps_holds_nothing(own):
    found = hedged(own, step_ms=24 * HOUR).value
    rows = {row.method: row.figures for row in found.rows if row.size == 20}
    fits = {fit.method: fit for fit in found.fits}
    for name in ("LSTM", "ARIMA-GARCH"):
        assert (fits[name].failed, fits[name].fills) == (fits[name].fits, 0)
        assert rows[name].return_hedge_pct == 0.0
        assert rows[name].gain is None
    cells = {cells[0]: cells for cells in hedge_tables(found)[-1].rows}
    assert cells["LSTM"][2:5] == ("1", "1", "1")
