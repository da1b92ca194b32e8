"""The tiers of a run under each capital rule, beside the baselines."""

import shutil

import numpy as np
import pandas as pd
import pytest
from labelsearch.pipeline.experiment import Experiment
from labelsearch.pipeline.run import run_experiment
from labelsearch.pipeline.stages import ensembles, outputs, search

from labelsearch.delivery import tables
from strategies.tiers.ensemble import combine
from strategies.trade.capital import RULES
from strategies.trade.simulate import simulate_paths


def by_name(context):
    return {(row["tier"], row["window"]): row for row in ensembles.load(context)["table"]}


@pytest.fixture(scope="module")
def ruled(tiny_run, tmp_path_factory):
    """The tiny run under each rule, by rule."""
    found = {"equal": tiny_run}
    for rule in RULES[1:]:
        settings = tiny_run.experiment.to_dict()
        other = Experiment.from_dict({**settings, "tiers": {**settings["tiers"], "capital": rule, "n_shifts": 19}})
        runs = tmp_path_factory.mktemp(rule)
        shutil.copytree(tiny_run.folder, runs / other.run_id)
        found[rule] = run_experiment(other, runs, tiny_run.store, workers=1)
    return found


def test_equal_tiers_are_the_simulated_ones(tiny_run):
    asked = search.problem(tiny_run, "past")
    population = search.load(tiny_run)
    members = ensembles.load(tiny_run)["members"]["20"]
    params = population[list(asked.space.names)].to_numpy()[members]
    paths = simulate_paths(params, asked.outputs, asked.open, asked.close, fee=asked.fee, slippage=asked.slippage)
    curves = pd.read_parquet(tiny_run.stage("ensembles") / "curves_past.parquet")
    np.testing.assert_allclose(curves["Top-20 equity"], combine(paths.equity, paths.position).equity, rtol=1e-9)
    row = by_name(tiny_run)["Top-20", "past"]
    assert row["fees"] == pytest.approx(100 * paths.state.fees.mean(), rel=1e-6)
    assert row["trades_per_month"] == pytest.approx(population["trades_per_month"].to_numpy()[members].mean())


def test_rules_differ_in_the_tiers_alone(ruled):
    rows = {rule: by_name(context) for rule, context in ruled.items()}
    for window in ("past", "future"):
        returns = [rows[rule]["Top-20", window]["total_return"] for rule in RULES]
        assert len({round(r, 9) for r in returns}) > 2
        assert max(returns) - min(returns) < 20
        for name in ensembles.BASELINES:
            assert all(rows[rule][name, window] == rows["equal"][name, window] for rule in RULES)
    assert "Capital: universal" in tables.tier_table(ruled["universal"]).note
    assert "Capital" not in tables.tier_table(ruled["equal"]).note


def test_baselines_pay_and_are_measured_alike(tiny_run):
    rows = by_name(tiny_run)
    for window in ("past", "future"):
        market, momentum, contrarian = (rows[name, window] for name in ensembles.BASELINES)
        assert market["beta"] == pytest.approx(1.0)
        assert market["fees"] == pytest.approx(100 * 0.0005 / 1.0005)
        # out of the market for the first day, then one of the two holds
        assert momentum["invested"] + contrarian["invested"] == pytest.approx(100 * 6 / 7, abs=0.5)
        for row in (momentum, contrarian):
            months = tiny_run.experiment.windows.named[window].months
            n_fills = row["trades_per_month"] * months
            assert n_fills == pytest.approx(round(n_fills), abs=1e-6)
            assert row["fees"] == pytest.approx(0.05 * n_fills, rel=0.1)
    prices = outputs.load(tiny_run, "future")
    assert rows["buy and hold", "future"]["total_return"] == pytest.approx(
        100 * (prices.close[-1] / prices.open[0] / 1.0005 - 1)
    )
