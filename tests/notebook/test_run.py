"""A run as pandas objects, and the page that shows it."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import labelsearch
from labelsearch.engine.run import RunError

PAGE = Path(__file__).parents[2] / "docs" / "notebook.md"


@pytest.fixture(scope="module")
def run(tiny_run):
    return labelsearch.open_run(tiny_run.folder, tiny_run.store)


def test_the_page_runs_from_top_to_bottom(tiny_run):
    text = "".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S))
    assert text.count("open_run(") == 1
    text = re.sub(r'open_run\(".*?"\)', f"open_run({str(tiny_run.folder)!r}, {str(tiny_run.store)!r})", text)
    exec(compile(text, str(PAGE), "exec"), {})


def test_portfolio_is_the_tier(run, tiny_run):
    portfolio = run.portfolio(5, "past")
    members = run.members(5)
    assert portfolio.wrapper.columns.tolist() == members
    assert portfolio.wrapper.index.equals(run.outputs("past").index)
    past = tiny_run.strategies.frame.loc[members]
    np.testing.assert_allclose(1 + portfolio.total_return().to_numpy(), past["value"], rtol=1e-9)
    assert portfolio.orders.count().tolist() == past["fills"].tolist()


def test_frames(run, tiny_run):
    assert repr(run) == f"Run({tiny_run.folder.name!r})"
    label = run.label(run.label_names[2])
    assert label.columns.tolist() == ["value", "classes", "last_used"]
    assert label.index[-1] < pd.Timestamp("2018-01-22", tz="UTC")
    seen = tiny_run.outputs.future
    assert run.outputs("future").to_numpy().tobytes() == seen.outputs.tobytes()
    assert run.outputs("future").columns[1] == (run.label_names[0], "sell")
    assert len(run.strategies) == 300
    assert run.strategies["future_value"].tolist() == tiny_run.ensembles.future["value"].tolist()
    wanted = tiny_run.ensembles.row("past", 5).figures.total_return_pct
    assert run.tiers.loc[("Top-5", "past"), "total_return_pct"] == wanted
    assert len(run.feature_sets) == 28 * 3
    assert run.curves("past").index.equals(run.outputs("past").index)
    assert run.classifiers.index.tolist() == run.label_names
    assert run.bars["filled"].sum() == 0


def test_unknown_names_are_refused(run, tmp_path):
    for call, message in (
        (lambda: run.label("moon"), "no label 'moon'"),
        (lambda: run.outputs("train"), "no window 'train'; there are past, future"),
        (lambda: run.portfolio(7, "past"), "no tier '7'; there are 20, 5"),
        (lambda: run.portfolio(5, "now"), "no window"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(RunError, match="no run matches"):
        labelsearch.open_run(tmp_path)
