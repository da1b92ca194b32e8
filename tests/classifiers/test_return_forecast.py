import numpy as np
import torch

from labelsearch.classifiers.return_forecast import (
    HIDDEN,
    LEAST_STEPS,
    _Network,
    deviation_nb,
    features_of,
    follow,
    lstm_forecast,
    train,
)
from strategies.tiers.wishes import Steps


def series(slope=0.5, n=1400, n_train=1000, seed=3) -> Steps:
    rng = np.random.default_rng(seed)
    x = np.zeros(n)
    for t in range(1, n):
        x[t] = slope * x[t - 1] + 0.01 * rng.standard_normal()
    return Steps(86_400_000 * np.arange(n), np.exp(np.cumsum(x)), n_train, 1)


def test_it_learns_what_is_there_and_nothing_where_there_is_nothing():
    for slope, low, high in ((0.5, 0.3, 0.8), (0.0, -0.2, 0.2)):
        steps = series(slope)
        found = lstm_forecast(steps, 1)
        assert (found.fits, found.failed) == (1, 0)
        rows = slice(steps.n_train - 1, -1)
        known, later = found.mean[rows], steps.returns[steps.n_train :]
        correlation = np.corrcoef(known, later)[0, 1] if np.ptp(known) else 0.0
        assert low < correlation < high
        if slope == 0.0:
            assert known.std() < 0.25 * later.std()
    assert np.isnan(found.mean[: steps.n_train - 1]).all()


def test_no_look_ahead():
    steps = series(n=1200, n_train=600)
    whole = lstm_forecast(steps, 2)
    assert np.ptp(whole.mean[599:]) > 0
    for cut in (600, 733, 1111):
        part = lstm_forecast(Steps(steps.open_time[:cut], steps.close[:cut], 600, 1), 2)
        assert part.mean.tobytes() == whole.mean[:cut].tobytes()
        assert part.deviation.tobytes() == whole.deviation[:cut].tobytes()


def test_same_bits_for_any_number_of_threads_and_random_state():
    steps, bits, before = series(n=700, n_train=600), set(), torch.get_num_threads()
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        torch.manual_seed(threads)
        state = torch.get_rng_state()
        bits.add(lstm_forecast(steps, 5).mean.tobytes())
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert len(bits) == 1
    assert lstm_forecast(steps, 6).mean.tobytes() not in bits


def test_the_walk_against_torch():
    torch.manual_seed(0)
    network = _Network().double()
    torch.nn.init.normal_(network.out.weight)
    features = np.random.default_rng(0).normal(size=(200, 2))
    with torch.no_grad():
        wanted = network(torch.from_numpy(features)[None])[0].numpy()
    weights = network.weights()
    assert weights.hidden.shape == (4 * HIDDEN, HIDDEN)
    np.testing.assert_allclose(follow(features, weights), wanted, rtol=1e-9, atol=1e-12)


def test_deviations_by_hand():
    returns, out = np.array([0.1, -0.2, 0.0]), np.empty(3)
    deviation_nb(returns, 0.04, 0.75, out)
    mean, wanted = 0.04, []
    for x in returns:
        mean = 0.75 * mean + 0.25 * x * x
        wanted.append(mean**0.5)
    np.testing.assert_allclose(out, wanted, rtol=1e-14)
    features, deviation = features_of(returns, 0.2, 1)
    np.testing.assert_allclose(features, np.column_stack([returns / deviation, np.log(deviation / 0.2)]))


def test_validation_is_the_last_part_of_train():
    """Targets that only the last part has leave the network as it began: it forecasts nothing."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(800, 2))
    target = features[:, 0].copy()
    target[640:] *= -1.0
    assert not follow(features, train(features, target, 1)).any()
    assert follow(features, train(features, features[:, 0], 1)).std() > 0.3


def test_too_little_to_train_on_forecasts_nothing():
    few = lstm_forecast(series(n=400, n_train=LEAST_STEPS), 1)
    assert (few.fits, few.failed) == (1, 1)
    assert np.isnan(few.mean).all()
    steps = series(n=400, n_train=350)
    still = lstm_forecast(steps._replace(close=np.ones(400)), 1)
    assert still.failed == 1
