import numpy as np
import pytest

from strategies.search.linear import StrategySpace
from strategies.trade.kernels import LANES, signals_nb
from strategies.trade.rules import SIGNAL_MAPS


def test_names_bounds_and_sample_agree():
    space = StrategySpace(3, weight=(-2, 2), delta=(0.1, 0.1))
    assert space.names == ("w00", "w01", "w02", "theta_buy", "theta_sell", "delta")
    params = space.sample(np.random.default_rng(0), 500)
    assert params.shape == (500, space.n_params)
    low, high = space.bounds.T
    assert ((params >= low) & (params <= high)).all()
    assert (params[:, 0] < -1).any()
    np.testing.assert_array_equal(params[:, -1], 0.1)


def test_optuna_and_back():
    space = StrategySpace(2)
    row = space.sample(np.random.default_rng(1), 1)[0]
    np.testing.assert_array_equal(space.from_optuna(space.to_optuna(row)), row)
    distributions = space.distributions()
    assert tuple(distributions) == space.names
    assert (distributions["theta_sell"].low, distributions["theta_sell"].high) == (0.0, 0.5)


def test_signal_maps_by_hand():
    weights = np.repeat([1.0, -1.0], LANES)
    outputs = np.array([[0.2, 0.0], [0.9, 0.1], [0.0, 0.7]])
    expected = {
        "half": [0.7, 1.0, 0.0],
        "clip": [0.2, 0.8, 0.0],
        "logistic": 1 / (1 + np.exp([-0.2, -0.8, 0.7])),
    }
    for name, values in expected.items():
        signals = np.empty(3 * LANES)
        signals_nb(outputs, weights, SIGNAL_MAPS[name], signals)
        np.testing.assert_allclose(signals.reshape(3, LANES), np.repeat(values, LANES).reshape(3, LANES))


def test_bad_spaces_are_refused():
    with pytest.raises(ValueError, match="output"):
        StrategySpace(0)
    with pytest.raises(ValueError, match="reversed"):
        StrategySpace(1, delta=(0.3, 0.2))
