import numpy as np
import pytest

from strategies.tiers.arima_garch import LEAST_STEPS, SCALE, arima_garch, filtered, fit
from strategies.tiers.wishes import Steps
from tests.naive import hedges as naive


def series(n=700, n_train=500, a_day=2, seed=1) -> Steps:
    """A market whose volatility comes in spells and whose returns follow one another."""
    rng = np.random.default_rng(seed)
    x, variance, last = np.zeros(n), 1e-4, 0.0
    for t in range(1, n):
        variance = 1e-5 + 0.15 * last**2 + 0.75 * variance
        last = np.sqrt(variance) * rng.standard_normal()
        x[t] = 0.3 * x[t - 1] + last
    return Steps(43_200_000 * np.arange(n), np.exp(np.cumsum(x)), n_train, a_day)


def arch_model(returns):
    from arch.univariate import ARX, GARCH

    return ARX(returns, lags=1, constant=True, volatility=GARCH(p=1, q=1), rescale=False)


def test_forecasts_are_those_of_arch_on_truncated_data():
    steps = series()
    got = arima_garch(steps)
    assert (got.fits, got.failed) == (4, 0)
    returns = SCALE * steps.returns
    for known in (500, 500 + 56):  # the step of a fit, the first and the second
        x = returns[1:known]
        found = arch_model(x).fit(disp="off", backcast=float(np.var(x)))
        ahead = found.forecast(horizon=1, reindex=False)
        assert SCALE * got.mean[known - 1] == pytest.approx(ahead.mean.values[0, 0], rel=1e-6)
        assert SCALE * got.deviation[known - 1] == pytest.approx(ahead.variance.values[0, 0] ** 0.5, rel=1e-6)
    params = fit(returns[1:500])[:5]
    for later in (507, 540):  # the parameters stay, and returns come in; arch starts its variance elsewhere
        ahead = arch_model(returns[1:later]).fix(params).forecast(horizon=1, reindex=False)
        assert SCALE * got.mean[later - 1] == pytest.approx(ahead.mean.values[0, 0], rel=1e-9)
        assert SCALE * got.deviation[later - 1] == pytest.approx(ahead.variance.values[0, 0] ** 0.5, rel=1e-6)
    assert params[1] == pytest.approx(0.3, abs=0.12)
    assert np.isnan(got.mean[:499]).all()
    assert np.isfinite(got.mean[499:]).all()


def test_the_filter_against_its_plain_twin():
    returns = SCALE * series().returns[1:300]
    model = fit(returns)
    mean, variance = filtered(returns, model)
    plain = naive.garch(returns.tolist(), *model)
    assert np.isnan([mean[0], variance[0]]).all()
    np.testing.assert_allclose(np.column_stack([mean, variance])[1:], plain[1:], rtol=1e-12)


@pytest.mark.parametrize("most", [300, 10_000])
def test_no_look_ahead(most):
    steps = series()
    whole = arima_garch(steps, most)
    for cut in (500, 557, 640):
        part = arima_garch(Steps(steps.open_time[:cut], steps.close[:cut], 500, 2), most)
        assert part.mean.tobytes() == whole.mean[:cut].tobytes()
        assert part.deviation.tobytes() == whole.deviation[:cut].tobytes()


def test_same_bits_for_any_number_of_threads():
    from threadpoolctl import threadpool_limits

    steps, bits = series(n=1100, n_train=1000), set()
    fit(SCALE * steps.returns[1:300])  # loads the libraries
    for threads in (1, 2, 4):
        with threadpool_limits(threads):
            bits.add(arima_garch(steps).mean.tobytes())
    assert len(bits) == 1


def test_what_cannot_be_fitted_forecasts_nothing():
    steps = series()
    short = arima_garch(steps._replace(close=steps.close[:240], open_time=steps.open_time[:240], n_train=200))
    assert (short.fits, short.failed) == (1, 1)
    assert np.isnan(short.mean).all()
    still = arima_garch(steps._replace(close=np.ones(700)))
    assert still.fits == still.failed == 4
    assert np.isnan(still.mean).all()
    assert fit(np.ones(LEAST_STEPS)) is None


def test_a_later_fit_takes_over_where_the_first_failed():
    steps = series(n_train=LEAST_STEPS - 20)
    got = arima_garch(steps)
    assert (got.fits, got.failed) == (9, 1)
    first = np.flatnonzero(np.isfinite(got.mean))[0]
    assert first == LEAST_STEPS - 20 + 56 - 1
