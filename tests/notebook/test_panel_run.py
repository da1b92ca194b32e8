"""A panel as pandas objects."""

import shutil

import numpy as np
import pandas as pd
import pytest

import labelsearch
from labelsearch.engine.run import RunError
from labelsearch.results.panel import BASKET


@pytest.fixture(scope="module")
def run(tiny_panel):
    return labelsearch.open_run(tiny_panel.folder, tiny_panel.store)


def test_it_is_a_panel(run, tiny_panel):
    assert isinstance(run, labelsearch.PanelRun)
    assert repr(run) == f"PanelRun({tiny_panel.folder.name!r})"
    assert run.verdict == tiny_panel.panel.verdict
    assert run.experiment.data.markets == ("ALPHA", "BETA")


def test_frames_hold_the_figures(run, tiny_panel):
    panel = tiny_panel.panel
    assert run.tiers.index.tolist() == ["Top-20", "Top-5", BASKET]
    for row in panel.tiers:
        assert run.tiers.loc[row.name, "total_pct"] == row.total_pct
        assert run.tiers.loc[row.name, "sharpe"] == row.sharpe
    assert run.tiers.loc["Top-5", "timing_adjusted"] == panel.timing.adjusted[5]
    assert run.tiers.loc["Top-5", "alpha_t"] == panel.tier(5).alpha.t
    assert np.isnan(run.tiers.loc[BASKET, "alpha_t"])
    assert run.splits["Top-20_pct"].tolist() == [row.return_pct[20] for row in panel.splits]
    assert run.splits.loc[1, "future_first"] == "2018-02-18"
    assert run.markets.loc["BETA", "Top-5_timing"] == panel.timing.by_market["BETA"][5]
    assert run.cells.index.tolist() == [(row.market, row.split) for row in panel.cells]
    assert run.cells["market_pct"].tolist() == [row.market_pct for row in panel.cells]
    assert run.absent.empty


def test_daily_returns_multiply_to_the_totals(run):
    for name in ("Top-20", "Top-5", BASKET):
        returns = run.returns(name)
        assert returns.columns.tolist() == ["ALPHA", "BETA"]
        total = 100 * ((1 + returns).prod() - 1)
        wanted = run.markets["market_pct" if name == BASKET else f"{name}_pct"]
        np.testing.assert_allclose(total, wanted, rtol=1e-9)
        equity = run.equity[name]
        assert equity.index.equals(returns.index)
        np.testing.assert_allclose(100 * (equity.iloc[-1] - 1), run.tiers.loc[name, "total_pct"], rtol=1e-9)
        of_splits = run.splits["basket_pct" if name == BASKET else f"{name}_pct"]
        np.testing.assert_allclose((1 + of_splits / 100).prod(), equity.iloc[-1], rtol=1e-9)
    assert set(run.equity["split"]) == {1, 2}


def test_a_cell_is_a_run(run, tiny_panel):
    cell = run.cell("BETA", 2)
    folder = tiny_panel.cell_folder("BETA", 2)
    assert isinstance(cell, labelsearch.Run)
    assert repr(cell) == f"Run('{tiny_panel.folder.name}/BETA/split-2')"
    opened = labelsearch.open_run(folder, tiny_panel.store)
    pd.testing.assert_frame_equal(opened.tiers, cell.tiers)
    wanted = run.cells.loc[("BETA", 2)]
    assert cell.tiers.loc[("Top-5", "future"), "total_return_pct"] == wanted["Top-5_pct"]


def test_what_is_not_there_is_refused(run, tiny_panel, tmp_path):
    with pytest.raises(labelsearch.InputError, match="no tier 'Top-7'; there are Top-20, Top-5, basket"):
        run.returns("Top-7")
    with pytest.raises(RunError, match="split 2 has no MOON; it has ALPHA, BETA"):
        run.cell("MOON", 2)
    half = tmp_path / tiny_panel.folder.name
    shutil.copytree(tiny_panel.folder, half)
    (half / "ledger.jsonl").write_bytes(b"")
    with pytest.raises(RunError, match="is not done; to go on: labelsearch run"):
        labelsearch.open_run(half)
