import numpy as np
import pytest

from strategies import StrategyError
from strategies.tiers.wishes import Forecast, Steps, contrarian_wish, forecast_wish, momentum_wish
from tests.naive import hedges as naive

HOUR, DAY = 3_600_000, 86_400_000


def steps(n=300, a_day=4, n_train=200, seed=0) -> Steps:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    return Steps(DAY // a_day * np.arange(n), close, n_train, a_day)


@pytest.mark.parametrize(("wish", "plain"), [(momentum_wish, naive.momentum), (contrarian_wish, naive.contrarian)])
def test_rules_against_their_plain_twins(wish, plain):
    series = steps()
    series.close[140:280] = 50.0  # nothing moves for longer than either looks back
    got = wish(series)
    np.testing.assert_allclose(got, plain(series.close.tolist(), series.a_day), rtol=1e-9, atol=1e-12)
    assert np.nanmax(np.abs(got)) <= 1.0
    assert {-1.0, 1.0} <= set(got[np.isfinite(got)])
    assert got[270] == 0.0


@pytest.mark.parametrize("wish", [momentum_wish, contrarian_wish])
def test_rules_do_not_look_ahead(wish):
    series = steps()
    whole = wish(series)
    for cut in (1, 30, 113, 250):
        part = Steps(series.open_time[:cut], series.close[:cut], min(200, cut), 4)
        assert wish(part).tobytes() == whole[:cut].tobytes()


def test_steps_end_where_a_bar_closes_on_the_clock():
    times = HOUR * np.array([0, 1, 2, 3, 4, 5, 6, 8, 9, 11])  # the bar of 7 is missing
    found = Steps.of(times, times / HOUR + 1.0, HOUR, 4 * HOUR, 4 * HOUR, 24)
    np.testing.assert_array_equal(found.open_time, HOUR * np.array([3, 11]))
    np.testing.assert_array_equal(found.close, [4.0, 12.0])
    assert (found.n_train, found.a_day) == (1, 6)
    every = Steps.of(times, times + 1.0, HOUR, 60_000, 4 * HOUR, 24)  # a step is a bar at least
    assert (len(every.close), every.n_train, every.a_day) == (10, 4, 24)


@pytest.mark.parametrize("step", [HOUR + 60_000, 5 * HOUR, 2 * DAY])
def test_steps_that_do_not_fit_are_refused(step):
    with pytest.raises(StrategyError, match="divide a day"):
        Steps.of(HOUR * np.arange(9), np.ones(9), HOUR, step, HOUR, 24)


def test_a_forecast_decides_where_it_pays_for_its_trade():
    nan = np.nan
    mean = np.array([0.002, -0.002, 0.0005, nan, -0.01, 0.01])
    deviation = np.array([0.01, 0.04, 0.01, 0.01, 0.02, 0.0])
    got = forecast_wish(Forecast(mean, deviation, 1, 0), 0.02, 0.001)
    np.testing.assert_array_equal(got, [1.0, -0.5, nan, nan, -1.0, nan])
    dearer = forecast_wish(Forecast(mean, deviation, 1, 0), 0.02, np.array([0.003, 0.001, 0, 0, 0.02, 0]))
    np.testing.assert_array_equal(dearer, [nan, -0.5, 1.0, nan, nan, nan])
    assert np.isnan(forecast_wish(Forecast.nothing(3), 0.02, 0.0)).all()
