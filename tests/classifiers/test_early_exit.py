"""Early exit: what it may leave out, and what it must not change."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from labelsearch.classifiers.early_exit import ExitRule, Thresholds, ask_members, ask_perceptrons, mean_of
from labelsearch.classifiers.inference import strategy_outputs
from labelsearch.classifiers.networks import Ensemble, build_network
from labelsearch.classifiers.prediction import perceptron_of
from strategies.trade.rules import SIGNAL_MAPS


def strategies(n=6, n_outputs=4, seed=0):
    rng = np.random.default_rng(seed)
    columns = [rng.uniform(-1, 1, (n, n_outputs)), rng.uniform(0.7, 1, n), rng.uniform(0, 0.3, n), np.full(n, 0.1)]
    return np.column_stack(columns)


def alike(n_networks=4, n_bars=500, n_outputs=4, noise=0.02, seed=1):
    """Outputs of networks that differ a little, (M, N, K): pairs of probabilities."""
    rng = np.random.default_rng(seed)
    common = rng.uniform(0.0, 0.45, (n_bars, n_outputs))
    return np.clip(common + rng.normal(0, noise, (n_networks, n_bars, n_outputs)), 0, 0.5).astype(np.float32)


@pytest.mark.parametrize("name", list(SIGNAL_MAPS))
def test_zones_are_those_of_the_signal(name):
    params = strategies(seed=2)
    params[0, -3:-1], params[1, -3:-1], params[2, -3:-1] = (1.0, 0.0), (-0.1, -0.2), (1.2, 1.1)
    outputs = np.random.default_rng(0).uniform(-1, 1, (200, 4))
    sums = outputs @ params[:, :4].T
    signal = {
        "half": np.clip(0.5 + sums, 0, 1), "clip": np.clip(sums, 0, 1), "logistic": 1 / (1 + np.exp(-sums)),
    }[name]  # fmt: skip
    wanted = (signal > params[:, -3]).astype(int) - (signal < params[:, -2]).astype(int)
    assert {-1, 0, 1} <= set(np.unique(wanted))
    assert np.array_equal(Thresholds.of(params, name).zones(outputs), wanted)
    assert not Thresholds.of(params[3:], name).zones(np.full((2, 4), np.nan)).any()


def test_the_bounded_rule_cannot_err():
    """Networks as unlike as probabilities can be: no decision changes, and some bars need not be asked of all."""
    shares = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        classes = rng.dirichlet([0.3, 0.3, 0.3], (9, 400, 2)).astype(np.float32)
        members = classes[..., :2].reshape(9, 400, 4)
        thresholds = Thresholds(rng.uniform(-0.3, 0.3, (2, 4)), np.full(2, -0.2), np.full(2, 0.2))
        asked = ask_members(members, ExitRule.bounded(thresholds, (2, 2), 9))
        assert np.array_equal(thresholds.zones(asked.outputs), thresholds.zones(mean_of(members)))
        left = asked.n_asked == 9
        assert np.array_equal(asked.outputs[left], mean_of(members)[left])
        shares.append(asked.exit_share)
    assert 0.1 < np.mean(shares) < 1.0


def test_the_bound_of_moves_is_one_on_either_side():
    thresholds = Thresholds.of(np.array([[0.5, 1.0, 0.0, 0.1]]), "half")  # orders nothing: |w.o| is 1/2 at most
    rule = ExitRule.bounded(Thresholds(thresholds.weights, np.array([-0.26]), np.array([0.26])), (1,), 2)
    moves = np.array([[[0.0], [0.1], [-1.0]], [[1.0], [1.0], [-1.0]]], dtype=np.float32)
    assert ask_members(moves, rule).n_asked.tolist() == [1, 2, 2]


def test_the_measured_rule_saves_much_where_networks_agree():
    members = alike(n_bars=2000)
    thresholds = Thresholds(np.array([[0.5, -0.4, 0.3, -0.6]]), np.array([-0.1]), np.array([0.1]))
    rule = ExitRule.measured(thresholds, members[:, :1000], 1.0)
    late = members[:, 1000:]
    asked = ask_members(late, rule)
    whole = thresholds.zones(mean_of(late))
    assert asked.exit_share > 0.3
    assert (thresholds.zones(asked.outputs) == whole).mean() > 0.999
    both = ask_members(late, ExitRule.measured(thresholds, members[:, :1000], 1.0, sides=True))
    assert both.exit_share >= asked.exit_share
    assert (thresholds.zones(both.outputs) == whole).mean() > 0.999
    bolder = ask_members(late, ExitRule.measured(thresholds, members[:, :1000], 0.5))
    assert bolder.n_asked.mean() < asked.n_asked.mean()


def test_either_side_exits_where_all_surely_buy():
    thresholds = Thresholds(np.eye(1), np.array([0.2]), np.array([0.4]))
    rule = ExitRule(thresholds, np.array([[-0.05]]), np.array([[0.05]]), np.ones(1), sides=True)
    outputs = np.array([[0.1], [0.18], [0.3], [0.38], [0.46], [np.nan]])
    assert rule.exits(1, outputs).tolist() == [True, False, True, False, True, False]
    inner = ExitRule(thresholds, rule.below, rule.above, rule.share)
    assert inner.exits(1, outputs).tolist() == [False, False, True, False, False, False]


def test_perceptrons_asked_in_turn_have_the_bits_of_the_ensemble():
    """At bars that do not exit all outputs are those of `Perceptron.predict`; at others those of the first ones."""
    whole, sets = [], []
    for label in range(2):
        networks = []
        for k in range(3):
            torch.manual_seed(10 * label + k)
            networks.append(build_network("mlp", 5 + label, width=9, depth=1, dropout=0.0).eval())
        whole.append(networks)
        sets.append(np.random.default_rng(label).normal(0, 1, (300, 5 + label)).astype(np.float32))
    rows = np.arange(20, 290)

    def outputs(n):
        made = [perceptron_of(Ensemble(networks[:n], 1.3)) for networks in whole]
        return np.hstack([strategy_outputs(p.predict(x, rows)) for p, x in zip(made, sets, strict=True)])

    thresholds = Thresholds(np.array([[1.0, -1.0, 0.0, 0.0]]), np.array([-0.1]), np.array([0.1]))
    rule = ExitRule(thresholds, np.full((2, 1), -0.02), np.full((2, 1), 0.02), np.ones(2))
    asked = ask_perceptrons([perceptron_of(Ensemble(networks, 1.3)) for networks in whole], sets, rows, rule)
    assert set(asked.n_asked) == {1, 2, 3}
    for n in set(asked.n_asked.tolist()):
        here = asked.n_asked == n
        assert asked.outputs[here].tobytes() == outputs(n)[here].tobytes()
    never = ExitRule(thresholds, np.full((2, 1), -9.0), np.full((2, 1), 9.0), np.ones(2))
    every = ask_perceptrons([perceptron_of(Ensemble(networks, 1.3)) for networks in whole], sets, rows, never)
    assert every.outputs.tobytes() == outputs(3).tobytes()
    assert every.exit_share == 0.0


def test_what_cannot_be_asked():
    members, thresholds = alike(), Thresholds.of(strategies(), "half")
    for wrong, sureness in ((members[:1], 0.9), (members[:, :0], 0.9), (members, 0.0)):
        with pytest.raises(ValueError, match="two networks or more"):
            ExitRule.measured(thresholds, wrong, sureness)
    rule = ExitRule.measured(thresholds, members, 1.0)
    none = ask_members(members[:, :0], rule)
    assert none.outputs.shape == (0, 4)
    assert none.exit_share == 0.0
    torch.manual_seed(0)
    made = [Ensemble([build_network("mlp", 5, width=3, depth=1, dropout=0.0) for _ in range(n)]) for n in (2, 3)]
    x = np.zeros((4, 5), dtype=np.float32)
    with pytest.raises(ValueError, match="equally many"):
        ask_perceptrons([perceptron_of(m.eval()) for m in made], [x, x], np.arange(4), rule)


def test_more_sureness_asks_more():
    members, thresholds = alike(noise=0.05), Thresholds(np.ones((1, 4)), np.array([0.7]), np.array([1.1]))
    asked = [ask_members(members, ExitRule.measured(thresholds, members, q)).n_asked.mean() for q in (0.2, 0.6, 1.0)]
    assert all(a <= b for a, b in pairwise(asked))
    assert asked[0] < asked[-1]
