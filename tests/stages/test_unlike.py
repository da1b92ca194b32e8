"""Tiers of unlike strategies in runs of one market and of many."""

import shutil

import numpy as np
import pytest

from labelsearch.delivery.tables import stages
from labelsearch.delivery.tables.panel import stitched_table
from labelsearch.results.ensembles import find_row, standing
from labelsearch.results.panel_run import PanelResults
from labelsearch.results.run import Results
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from strategies.search.halves import halves
from strategies.tiers.selection import market_returns
from strategies.tiers.unlike import effective_bets
from strategies.trade.correlation import residual_returns
from strategies.trade.equity_grid import equity_grid, returns_of
from tests.running import run_experiment, run_panel

MOST_ALIKE = 0.3


def changed(results: Results | PanelResults, **sections: dict) -> Experiment:
    """The experiment with other values in some sections."""
    plain = results.experiment.to_dict()
    return Experiment.from_dict({**plain, **{name: {**plain[name], **values} for name, values in sections.items()}})


@pytest.fixture(scope="module")
def unlike(tiny_run, tmp_path_factory):
    """The tiny run with unlike tiers, of a search on halves."""
    runs = tmp_path_factory.mktemp("unlike")
    other = changed(
        tiny_run, tiers={"most_alike": MOST_ALIKE, "controls": []}, search={"past": "halves", "sampler": "diverse"},
        null={"repeats": 0},
    )  # fmt: skip
    shutil.copytree(tiny_run.folder, runs / other.run_id)
    return Results(run_experiment(other, runs, tiny_run.store, workers=1), tiny_run.store)


def test_members_are_unlike_and_good_on_both_halves(unlike):
    found, frame = unlike.ensembles, unlike.strategies.frame
    rows = list(found.members[found.sizes[0]])
    window = unlike.outputs.past
    returns = returns_of(equity_grid(unlike.strategies.params[rows], window, unlike.experiment.rules()).equity)
    rest = residual_returns(returns, market_returns(window))
    if len(rows) > 1:
        assert (np.corrcoef(rest) - np.eye(len(rows))).max() <= MOST_ALIKE
        assert (frame.loc[rows, ["score_a", "score_b"]] > 0).all(axis=None)
        assert frame["score_b"].iloc[rows].is_monotonic_decreasing
    assert found.row("past", found.sizes[0]).effective_bets == effective_bets(rest)
    assert found.row("future", found.sizes[0]).flat()["effective_bets"] > 0
    assert found.row("past", None).effective_bets is None


def test_what_is_not_formed_is_told(unlike):
    found = unlike.ensembles
    its = found.unlike
    assert its.wanted == (20, 5)
    assert its.found < 20  # or the test says nothing
    note = stages.tier_table(unlike).note
    assert f"{its.found} unlike strateg" in note
    assert "Top-20 " in note or "Top-20," in note
    assert "not formed" in note
    assert "rank correlation of" in note
    assert f"worth a score of {its.halves.shrunken[found.sizes[0]]:.1f}" in note
    assert 20 not in found.members
    # figures of a tier that is not formed are those of the one that stands for it
    assert find_row(found.rows, "past", 20) == found.row("past", found.sizes[0])
    assert found.curves["past"].column(20) == 0
    with pytest.raises(KeyError):
        found.row("past", None, "no such baseline")


def test_halves_are_those_of_the_days(unlike):
    frame, window = unlike.strategies.frame, unlike.outputs.past
    assert unlike.strategies.settings.halved
    days = halves(len(window.days))
    grid = equity_grid(unlike.strategies.params[:3], window, unlike.experiment.rules())
    growth = np.prod(1.0 + returns_of(grid.equity)[:, days.b], axis=1)
    share = np.diff(window.day_edges)[days.b].sum() / len(window.close)
    monthly = 100.0 * (growth ** (1.0 / (window.months * share)) - 1.0)
    penalty = monthly - frame["score_b"].to_numpy()[:3]
    assert (penalty >= -1e-9).all()


def test_tiers_that_may_be_alike_say_nothing_of_it(tiny_run):
    note = stages.tier_table(tiny_run).note
    assert "unlike strateg" not in note
    assert "Bets:" in note
    assert tiny_run.ensembles.unlike is None
    assert 1.0 <= tiny_run.ensembles.row("past", 20).effective_bets <= 20.0


def test_which_tier_stands_for_another():
    assert standing(20, [100, 20, 5]) == 20
    assert standing(100, [20, 5]) == 20
    assert standing(20, [3]) == 3


def test_panels_stitch_what_cells_have(tiny_panel, tmp_path):
    other = changed(tiny_panel, tiers={"most_alike": MOST_ALIKE})
    runs = tmp_path / "runs"
    shutil.copytree(tiny_panel.folder, runs / other.run_id)
    results = PanelResults(run_panel(other, runs, tiny_panel.store, workers=1), tiny_panel.store)
    panel = results.panel
    assert panel.sizes == (20, 5)
    fewer = [row for row in panel.cells if row.unlike < 20]
    assert fewer
    table = stitched_table(results)
    assert f"In {len(fewer)} of {len(panel.cells)} cells fewer than 20 unlike strategies exist" in table.note
    assert table.columns[1] == "bets"
    for row in panel.cells:
        formed = results.cell(row.market, row.split).ensembles
        assert row.effective_bets[20] == formed.row("past", formed.sizes[0]).effective_bets
    assert panel.bets(20) == pytest.approx(np.mean([row.effective_bets[20] for row in panel.cells]))


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"windows": {"past": ("2020-02-01", "2020-02-05")}}, r"past = halves needs 6 days; past has 5"),
        ({"tiers": {"most_alike": 1.5}}, r"most_alike"),
        ({"search": {"past": "thirds"}}, r"thirds"),
    ],
)
def test_wrong_settings_are_refused(sections, words):
    given = {"windows": {"train": ("2020-01-01", "2020-01-30"), "past": ("2020-02-01", "2020-02-20"),
                         "future": ("2020-03-01", "2020-03-20")}, "search": {"past": "halves"}}  # fmt: skip
    with pytest.raises(ExperimentError, match=words):
        Experiment.from_dict({**given, **{n: {**given.get(n, {}), **v} for n, v in sections.items()}})
