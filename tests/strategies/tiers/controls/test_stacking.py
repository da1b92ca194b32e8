"""Stackings against what was planted, and against the library on all rows."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge

from strategies.tiers.controls import stacking
from strategies.tiers.controls.folds import NotFitted, Sums, fold_sums, purged_folds
from strategies.tiers.controls.inputs import Stacked

PLANTED = np.array([0.5, -0.3, 0.0, 0.0, 0.2, 0.0])


def planted(seed: int = 0, n: int = 20_000, weights: np.ndarray = PLANTED, noise: float = 1.0) -> Stacked:
    """Inputs that lean on each other, and a target that is made of some of them."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, len(weights)))
    z[:, 1] = 0.6 * z[:, 0] + 0.8 * z[:, 1]
    later = z @ weights + noise * rng.normal(size=n)
    z = (z - z.mean(0)) / z.std(0)
    names = tuple(f"x{k}" for k in range(len(weights)))
    known, ones = np.ones(n, dtype=bool), np.ones(len(weights))
    target = (later - later.mean()) / later.std()
    return Stacked(names, np.arange(len(weights)), z, target, later, known, 0 * ones, ones, 5)


def fitted(name: str, data: Stacked, costs: float = 0.0) -> stacking.LinearFit:
    folds = purged_folds(len(data.known), data.horizon + 1)
    sums = fold_sums(data.z, data.target, data.known, folds)
    return getattr(stacking, name)(data, sums, folds, costs)


def in_z(data: Stacked) -> np.ndarray:
    """The planted weights as fits give them."""
    return PLANTED / data.later.std()


@pytest.mark.parametrize("name", ["ridge", "lasso", "elastic_net", "elimination"])
def test_planted_weights_are_found(name):
    data = planted()
    got = fitted(name, data)
    np.testing.assert_allclose(got.weights, in_z(data), atol=0.03)
    best = 1 - np.var(data.later - (data.z @ in_z(data)) * data.later.std()) / np.var(data.later)
    assert got.held_out == pytest.approx(best, abs=0.01)
    assert set(got.choice) <= {"penalty", "l1_ratio", "inputs"}


@pytest.mark.parametrize("name", ["logistic", "logistic_beyond_costs"])
def test_odds_go_with_the_planted_weights(name):
    data = planted()
    got = fitted(name, data, costs=0.8)
    cosine = got.weights @ in_z(data) / np.linalg.norm(got.weights) / np.linalg.norm(in_z(data))
    assert cosine > 0.99
    assert 0.05 < got.held_out < 0.5


def test_noise_is_dropped_and_shrunk():
    data = planted(1)
    noise = PLANTED == 0
    lasso, elimination = fitted("lasso", data).weights, fitted("elimination", data)
    assert (lasso[noise] == 0).any()
    assert (np.abs(lasso[noise]) < 0.02).all()
    assert (np.abs(lasso[~noise]) > 0.1).all()
    assert (elimination.weights[~noise] != 0).all()
    # of pure noise little is explained and the strongest penalties win
    pure = planted(2, n=4000, weights=np.zeros(6))
    assert fitted("ridge", pure).choice["penalty"] > 1
    assert (fitted("lasso", pure).weights != 0).sum() <= 2
    assert fitted("elimination", pure).choice["inputs"] <= 3
    assert fitted("ridge", pure).held_out < 0.001


def test_sums_give_what_the_library_gives_on_all_rows():
    data = planted(3, n=3000)
    sums = Sums.of(data.z, data.target)
    n = len(data.target)
    ridge = Ridge(alpha=0.1 * n).fit(data.z, data.target)
    np.testing.assert_allclose(stacking.ridge_path(sums, [0.1])[:, 0], ridge.coef_, atol=1e-10)
    lasso = Lasso(alpha=0.05, tol=1e-10).fit(data.z, data.target)
    np.testing.assert_allclose(stacking.net_path(sums, 1.0, [0.1, 0.05])[:, 1], lasso.coef_, atol=1e-4)
    net = ElasticNet(alpha=0.1, l1_ratio=0.5, tol=1e-10).fit(data.z, data.target)
    np.testing.assert_allclose(stacking.net_path(sums, 0.5, [0.1])[:, 0], net.coef_, atol=1e-4)
    odds = LogisticRegression(C=1 / (0.01 * n), tol=1e-10, max_iter=1000).fit(data.z, data.later > 0)
    weights, intercept = stacking._logistic_fit(data.z, data.later > 0, 0.01)
    np.testing.assert_allclose(weights, odds.coef_[0], atol=1e-4)
    assert intercept == pytest.approx(odds.intercept_[0], abs=1e-4)


def test_elimination_drops_the_smallest_each_time():
    data = planted(4, n=3000)
    sums = Sums.of(data.z, data.target)
    path = stacking.elimination_path(sums)
    assert [int((column != 0).sum()) for column in path.T] == [1, 2, 3, 4, 5, 6]
    for less, more in zip(path.T[:-1], path.T[1:], strict=True):
        gone = (more != 0) & (less == 0)
        assert gone.sum() == 1
        assert np.abs(more[gone])[0] == np.abs(more[more != 0]).min()


def test_inputs_that_add_up_to_each_other_are_no_obstacle():
    data = planted(5, n=6000)
    both = np.column_stack([data.z, data.z.mean(axis=1) / data.z.mean(axis=1).std()])
    names = (*data.names, "mean")
    wide = data._replace(z=both, names=names, mean=np.zeros(7), deviation=np.ones(7), columns=np.arange(7))
    for name in ("ridge", "lasso", "elastic_net", "elimination", "logistic"):
        got, plain = fitted(name, wide), fitted(name, data)
        assert np.isfinite(got.weights).all()
        agree = np.corrcoef(wide.z @ got.weights, data.z @ plain.weights)[0, 1]
        assert agree > 0.995, name


def test_returns_on_one_side_of_the_costs_are_told():
    data = planted(6, n=2000)
    with pytest.raises(NotFitted, match="of 1594 later returns of a fold only 0 are on one side of the costs"):
        fitted("logistic_beyond_costs", data, costs=50.0)


def test_outputs_without_any_relation_are_told():
    data = planted(7, n=2000)
    nothing = data._replace(target=np.zeros(2000))
    with pytest.raises(NotFitted, match="no output goes with later returns"):
        fitted("lasso", nothing)
