"""Single networks in place of their mean on past."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from labelsearch.classifiers.files import network_from_files
from labelsearch.classifiers.networks import members_of
from labelsearch.delivery.tables.belief import belief_table, sentences
from labelsearch.delivery.tables.members import exit_table, members_note, members_table
from labelsearch.delivery.tables.table import document
from labelsearch.results.outputs import Outputs, PooledOutputs
from labelsearch.stages.members import MemberOutputs, judge_members
from labelsearch.stages.outputs import _sides
from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import PaperScore
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow

NAMES = ("a:buy", "a:sell")


def past_of(outputs):
    rng = np.random.default_rng(0)
    n = len(outputs)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.005, n)))
    window = TradingWindow.of(outputs, np.r_[100.0, close[:-1]], close, 3_600_000 * np.arange(n), n / 730.0)
    return SearchProblem(window, StrategySpace(2), TradingRules(), PaperScore())


@pytest.fixture(scope="module")
def toy():
    """Three networks, the third far from the others, and 30 strategies."""
    rng = np.random.default_rng(1)
    common = rng.uniform(0, 0.5, (600, 2))
    noise = np.array([0.01, 0.01, 0.2])[:, None, None]
    outputs = np.clip(common + noise * rng.normal(0, 1, (3, 600, 2)), 0, 0.5).astype(np.float32)
    params = StrategySpace(2).sample(rng, 30)
    return outputs, past_of(outputs.mean(axis=0, dtype=np.float64)), params


TIERS = {10: np.arange(10), 3: np.arange(3)}


def test_figures_of_a_tier_are_those_of_a_simulation_on_each_network(toy):
    outputs, past, params = toy
    found = judge_members(MemberOutputs(outputs, NAMES, (2,)), past, params, TIERS)
    assert found.n_networks == 3
    for tier in found.tiers:
        chosen = params[TIERS[tier.tier]]
        figures = [evaluate_population(past_of(member), chosen) for member in outputs]
        returns = [100 * (its["value"].mean() - 1) for its in figures]
        scores = [its["score"].mean() for its in figures]
        np.testing.assert_allclose(tier.total_return_pct.by_network, returns, rtol=1e-12)
        np.testing.assert_allclose(tier.score.by_network, scores, rtol=1e-12)
        assert tier.total_return_pct.deviation == pytest.approx(np.std(returns, ddof=1))
        assert tier.total_return_pct.range == pytest.approx((min(returns), max(returns)))
        whole = evaluate_population(past, chosen)
        assert tier.score.of_mean == pytest.approx(whole["score"].mean())
        assert tier.total_return_pct.of_mean == pytest.approx(100 * (whole["value"].mean() - 1))
    assert found.exits == ()
    wanted = {name: np.corrcoef(outputs[:, :, k])[np.triu_indices(3, 1)].mean() for k, name in enumerate(NAMES)}
    assert found.correlation == pytest.approx(wanted, rel=1e-5)


def test_agreement_counts_bars_at_which_two_want_the_same():
    """Buys where the first output is above 0.3, sells where it is below 0.1; the networks agree at one bar of four."""
    first = np.array([[0.4, 0.4, 0.0, 0.2], [0.4, 0.2, 0.2, 0.0]], dtype=np.float32)
    outputs = np.stack([first, np.zeros_like(first)], axis=2)
    params = np.array([[1.0, 0.0, 0.8, 0.6, 0.1]])
    found = judge_members(MemberOutputs(outputs, NAMES, (2,)), past_of(outputs[0]), params, {1: np.array([0])})
    assert found.tiers[0].agreement == 0.25
    assert found.correlation["a:sell"] is None


def test_equal_networks_have_no_spread(toy):
    outputs, _, params = toy
    same = np.stack([outputs[0]] * 2)
    found = judge_members(MemberOutputs(same, NAMES, (2,)), past_of(same[0]), params, TIERS, 1.0)
    for tier in found.tiers:
        assert tier.total_return_pct.deviation == tier.score.deviation == 0.0
        assert tier.total_return_pct.of_mean == tier.total_return_pct.mean
        assert tier.agreement == 1.0
    assert found.mean_correlation == pytest.approx(1.0)
    assert {entry.equal_orders for entry in found.exits} == {1.0}
    assert {entry.return_gap_pct for entry in found.exits} == {0.0}


def test_early_exit_is_measured_on_the_later_half(toy):
    outputs, past, params = toy
    found = judge_members(MemberOutputs(outputs, NAMES, (2,)), past, params, TIERS, 0.99)
    assert [(entry.tier, entry.rule) for entry in found.exits] == [
        (n, rule) for n in TIERS for rule in ("bounded", "measured", "either side")
    ]
    for entry in found.exits:
        assert 1.0 <= entry.mean_asked <= 3.0
        assert (entry.exit_share == 0.0) == (entry.mean_asked == 3.0)
        assert entry.equal_decisions > 0.95
        if entry.rule == "bounded":
            assert (entry.equal_decisions, entry.equal_orders, entry.return_gap_pct) == (1.0, 1.0, 0.0)
    one = MemberOutputs(outputs[:, :1], NAMES, (2,))
    assert judge_members(one, past_of(outputs[0, :1]), params, TIERS, 0.99).exits == ()


def test_one_network_has_no_spread(tiny_run):
    alone = MemberOutputs(np.empty((0, 0, 0), dtype=np.float32), (), ())
    assert judge_members(alone, past_of(np.zeros((9, 2))), np.zeros((1, 5)), {1: np.array([0])}) is None
    assert tiny_run.outputs.members.size == 0
    assert tiny_run.belief.members is None
    assert members_table(tiny_run) is None
    assert exit_table(tiny_run) is None
    assert members_note(tiny_run) in sentences(tiny_run)
    assert "not known" in members_note(tiny_run)
    assert "labelsearch seeds" in members_note(tiny_run)
    assert any(row[0].startswith("Past return with single") and row[1] == "-" for row in belief_table(tiny_run).rows)


def test_a_run_stores_the_outputs_of_each_network(mixed_run, tmp_path):
    outputs, network = mixed_run.outputs, None
    assert outputs.members.shape == (2, len(outputs.past.close), 3)
    # moves have no temperature: what strategies see is the mean of what they see of each, where none is cut
    first = outputs.members[:, :, 0].astype(np.float64)
    inside = (np.abs(first) < 1).all(axis=0)
    np.testing.assert_allclose(first.mean(axis=0)[inside], outputs.past.outputs[inside, 0], atol=1e-6)
    assert not np.array_equal(outputs.members[0], outputs.members[1])
    outputs.save(tmp_path)
    assert np.array_equal(Outputs.load(tmp_path).members, outputs.members)
    network = network_from_files(mixed_run.classifiers.networks[outputs.labels[1]])
    single = members_of(network)
    assert [its.temperature for its in single] == [network.temperature] * 2
    assert members_of(single[0]) == []


def test_a_run_of_several_networks_shows_their_spread(mixed_run):
    found, table = mixed_run.belief.members, members_table(mixed_run)
    assert [row[0] for row in table.rows] == ["Top-20", "Top-5"]
    for tier in found.tiers:  # equal capital, as the account of the tier
        row = mixed_run.ensembles.row("past", tier.tier)
        assert tier.total_return_pct.of_mean == pytest.approx(row.figures.total_return_pct, abs=1e-9)
    data = document([table])["members"]
    assert data["tiers"][0]["score"]["deviation"] == found.tiers[0].score.deviation
    assert data["n_networks"] == 2
    note = members_note(mixed_run)
    assert note in sentences(mixed_run)
    assert "with the mean of 2 networks" in note
    assert exit_table(mixed_run) is None
    shown = replace(found, sureness=0.9, exits=judge_members(
        MemberOutputs(mixed_run.outputs.members, mixed_run.outputs.columns, (1, 2)),
        SearchProblem(mixed_run.traded("past"), mixed_run.experiment.search.space(mixed_run.outputs.columns),
                      mixed_run.experiment.rules(), mixed_run.experiment.make_score()),
        mixed_run.strategies.params, {5: np.array(mixed_run.ensembles.members[5])}, 0.9,
    ).exits)  # fmt: skip
    assert [entry.rule for entry in shown.exits] == ["bounded", "measured", "either side"]


def test_outputs_of_all_markets_keep_those_of_each_network(tmp_path):
    sides = {"past": np.zeros((4, 2), np.float32), "future": np.ones((3, 2), np.float32)}
    members = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
    PooledOutputs(("a",), NAMES, ("ONE",), {"ONE": {**sides, "members": members}}).save(tmp_path)
    found = PooledOutputs.load(tmp_path).markets["ONE"]
    assert np.array_equal(found["members"], members)
    labels = (SimpleNamespace(name="a", head="classes"),)
    done = {"a": {"past-0": sides["past"].tobytes(), "members-0": members.tobytes(), "past-1": b""}}
    made = _sides(done, labels, ("past",), 0)
    assert np.array_equal(made["members"], members)
    assert "members" not in _sides(done, labels, ("past",), 1)
