"""The tiers of a run under each capital rule, beside the baselines."""

import shutil

import numpy as np
import pytest

from labelsearch.delivery.tables import stages
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.run import Results
from labelsearch.settings.experiment import Experiment
from strategies.trade.capital import CAPITAL_RULES
from strategies.trade.simulate import simulate_paths
from tests.running import run_experiment

RULES = tuple(CAPITAL_RULES)


@pytest.fixture(scope="module")
def ruled(tiny_run, tmp_path_factory):
    """The tiny run under each rule, by rule; those that are run for it have no controls."""
    found = {"equal": tiny_run}
    for rule in RULES[1:]:
        settings = tiny_run.experiment.to_dict()
        other = Experiment.from_dict({**settings, "tiers": {**settings["tiers"], "capital": rule, "controls": []}})
        runs = tmp_path_factory.mktemp(rule)
        shutil.copytree(tiny_run.folder, runs / other.run_id)
        found[rule] = Results(run_experiment(other, runs, tiny_run.store, last="ensembles"), tiny_run.store)
    return found


def test_equal_tiers_are_the_simulated_ones(tiny_run):
    members = list(tiny_run.ensembles.members[20])
    paths = simulate_paths(tiny_run.strategies.params[members], tiny_run.outputs.past, tiny_run.experiment.rules())
    curves = tiny_run.ensembles.curves["past"].frame()
    np.testing.assert_allclose(curves["Top-20 equity"], paths.equity.mean(axis=1), rtol=1e-9)
    figures = tiny_run.ensembles.row("past", 20).figures
    assert figures.fees_pct == pytest.approx(100 * paths.state.fees.mean(), rel=1e-6)
    assert figures.trades_per_month == pytest.approx(tiny_run.strategies.frame["trades_per_month"].iloc[members].mean())


def test_rules_differ_in_the_tiers_alone(ruled):
    for window in WINDOWS:
        returns = [ruled[rule].ensembles.row(window, 20).figures.total_return_pct for rule in RULES]
        assert len({round(r, 9) for r in returns}) > 2
        assert max(returns) - min(returns) < 20
        for name in ruled["equal"].ensembles.baselines:
            rows = {ruled[rule].ensembles.row(window, None, name) for rule in RULES}
            assert len(rows) == 1
    assert "Capital: universal" in stages.tier_table(ruled["universal"]).note
    assert "Capital" not in stages.tier_table(ruled["equal"]).note


def test_capital_at_the_start_is_kept(ruled):
    for rule, results in ruled.items():
        found = results.ensembles.capital_at_start
        assert list(found) == [20, 5]
        for size, capital in found.items():
            assert len(capital.shares) == size
            assert sum(capital.shares) == pytest.approx(1.0)
            assert (capital.rate > 0) == (rule == "universal")


def test_baselines_pay_and_are_measured_alike(tiny_run):
    found = tiny_run.ensembles
    assert found.baselines == ("buy and hold", "momentum", "contrarian")
    for window in WINDOWS:
        market, momentum, contrarian = (found.row(window, None, name).figures for name in found.baselines)
        assert market.beta == pytest.approx(1.0)
        assert market.fees_pct == pytest.approx(100 * 0.0005 / 1.0005)
        # out of the market for the first day, then one of the two holds
        assert momentum.invested_pct + contrarian.invested_pct == pytest.approx(100 * 6 / 7, abs=0.5)
        for figures in (momentum, contrarian):
            n_fills = figures.trades_per_month * tiny_run.outputs.window(window).months
            assert n_fills == pytest.approx(round(n_fills), abs=1e-6)
            assert figures.fees_pct == pytest.approx(0.05 * n_fills, rel=0.1)
    prices = tiny_run.outputs.future
    wanted = 100 * (prices.close[-1] / prices.open[0] / 1.0005 - 1)
    assert found.row("future", None).figures.total_return_pct == pytest.approx(wanted)
