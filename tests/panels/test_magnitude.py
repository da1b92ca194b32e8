"""A book on predicted moves of markets beside each other, by one network for all, on the planted panel."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from labelsearch.engine.executors.choice import Workers
from labelsearch.panels.beside import recorded_beside
from labelsearch.panels.book import split
from labelsearch.panels.run import open_panel
from labelsearch.results.classifiers import MagnitudeFigures
from labelsearch.results.panel_run import PanelResults
from tests.panels.test_relative import MARKETS, experiment, later_gain, planted

LABEL = "relative_6_30_regression"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    windows, made = [], split.book_window
    settings = experiment(
        book={"kind": "neutral", "cap": 0.4, "shifts": 0},
        search={"n_strategies": 60, "side": "both", "weight": [-6.0, 6.0]},  # a third of a faint move is small
        label=[{"kind": "relative", "horizon": "6h", "share": 0.3, "head": "magnitude"}],
    )
    folder = tmp_path_factory.mktemp("moves")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "book_window", lambda *given: windows.append(made(*given)) or windows[-1])
        with open_panel(settings, folder / "runs", planted(folder / "store"), workers=Workers(1)) as run:
            run.do()
        return PanelResults(run.folder, folder / "store"), windows


def test_one_network_of_all_markets_learns_by_how_much(done):
    cell = done[0].cell("M0", 1)
    (figures,) = cell.classifiers.figures
    assert isinstance(figures, MagnitudeFigures)
    assert figures.past.rank_correlation.figure.interval[0] > 0.05
    assert figures.past.r2.gain.value > 0
    assert len({str(done[0].cell(name, 1).done["classifiers"]["content"]) for name in MARKETS}) == 1
    beside = recorded_beside(done[0].folder, 1).split.value
    gain = later_gain(beside, 6) / beside.section.sigma
    seen = np.full(gain.shape, np.nan)
    for m, name in enumerate(beside.markets):
        past = done[0].cell(name, 1).outputs.past
        assert past.outputs.shape[1] == 1
        seen[np.searchsorted(beside.section.open_time, past.open_time), m] = past.outputs[:, 0]
    rows = np.flatnonzero(np.isfinite(seen).sum(axis=1) >= 4)[:-6]
    assert np.mean([spearmanr(seen[t], gain[t], nan_policy="omit").statistic for t in rows]) > 0.1


def test_the_book_trades_one_output_of_which_no_doubt_is_known(done):
    panel, windows = done
    assert panel.panel.tier(5).sharpe > 0
    assert {window.outputs.shape[2] for window in windows} == {1}
    assert all((window.doubt == 1.0).all() for window in windows)
