"""The synthetic market: the facts that a trader expects of minutes, and the planted drift of known size."""

import numpy as np
import pytest

from labelsearch.market.bars import BarError, Bars
from labelsearch.market.checks import check
from labelsearch.market.synthetic import SyntheticMarket, seasons, synthetic_bars, synthetic_path

N = 400_000


@pytest.fixture(scope="module")
def bars() -> Bars:
    """A long market without an edge."""
    return synthetic_bars(N, seed=5)


@pytest.fixture(scope="module")
def returns(bars: Bars) -> np.ndarray:
    """Log returns from close to close, shape (N - 1,)."""
    return np.diff(np.log(bars.close))


def autocorrelation(x: np.ndarray, lag: int) -> float:
    x = x - x.mean()
    return float((x[lag:] * x[:-lag]).mean() / (x * x).mean())


def test_same_seed_same_bits_and_other_seeds_differ() -> None:
    one, two = synthetic_bars(5_000, 1, edge=0.05), synthetic_bars(5_000, 2, edge=0.05)
    assert one.digest() == synthetic_bars(5_000, 1, edge=0.05).digest()
    assert len({one.digest(), two.digest(), synthetic_bars(5_000, 1).digest()}) == 3
    size = np.abs(np.corrcoef(np.diff(np.log(one.close)), np.diff(np.log(two.close)))[0, 1])
    assert size < 0.07


def test_a_longer_market_begins_with_the_shorter() -> None:
    long, short = synthetic_path(3_000, 9, edge=0.04), synthetic_path(1_000, 9, edge=0.04)
    assert long.bars.rows(0, 1_000).digest() == short.bars.digest()
    np.testing.assert_array_equal(long.drift[:1_000], short.drift)


@pytest.mark.parametrize("edge", [0.0, 0.1])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_bars_are_bars(seed: int, edge: float) -> None:
    bars = synthetic_bars(20_000, seed, edge=edge, symbol="X", start="2019-06-01")
    report = check(bars)
    assert report.ok
    assert report.missing == report.ohlc_violations == report.bad_prices == report.zero_volume_bars == 0
    assert (bars.symbol, str(bars.index[0])) == ("X", "2019-06-01 00:00:00+00:00")
    for price in (bars.open, bars.high, bars.low, bars.close):
        np.testing.assert_array_equal(price, np.round(price, 2))
    # The volume-weighted price lies inside the bar but for the last bit.
    assert ((bars.vwap >= bars.low * (1 - 1e-12)) & (bars.vwap <= bars.high * (1 + 1e-12))).all()
    assert bars.trades is not None
    assert (bars.trades >= 1).all()
    assert (bars.trades == np.round(bars.trades)).all()


def test_open_is_near_the_close_before(bars: Bars, returns: np.ndarray) -> None:
    gap = np.abs(np.log(bars.open[1:] / bars.close[:-1]))
    assert 0.2 < (gap == 0).mean() < 0.35
    assert 0.05 < gap.mean() / np.abs(returns).mean() < 0.3
    # The step to the open is the first part of the bar's return, which keeps it on average.
    step = np.log(bars.open[1:] / bars.close[:-1])
    assert (step * returns).mean() / (step * step).mean() == pytest.approx(1.0, abs=0.1)
    spread = np.log(bars.high / bars.low)
    assert 1.8 < spread.mean() / np.abs(returns).mean() < 2.4  # a Brownian path has 2


def test_size_and_tails(returns: np.ndarray) -> None:
    assert 0.0007 < returns.std() < 0.0016
    z = (returns - returns.mean()) / returns.std()
    assert (z**4).mean() > 15
    days = np.add.reduceat(returns, np.arange(0, len(returns), 1440))
    assert 0.025 < days.std() < 0.06
    assert np.abs((z**3).mean()) < 5


def test_volatility_lasts_and_returns_do_not(returns: np.ndarray) -> None:
    size = np.abs(returns)
    for lag, least in ((1, 0.2), (15, 0.18), (60, 0.12), (240, 0.08), (1440, 0.03)):
        assert autocorrelation(size, lag) > least
    # Signs are free of fat tails, so that their standard error is 1 / sqrt(N): 4 of them.
    signs = np.sign(returns)
    for lag in (1, 2, 3, 10, 60, 120):
        assert abs((signs[lag:] * signs[:-lag]).mean()) < 4 / np.sqrt(N)
        scaled = np.clip(returns / returns.std(), -5, 5)
        assert abs(autocorrelation(scaled, lag)) < 0.01


def test_nothing_known_tells_the_sign_at_edge_0(bars: Bars, returns: np.ndarray) -> None:
    sign = np.sign(returns[1:])
    assert bars.taker_buy_volume is not None
    share = (bars.taker_buy_volume / bars.volume)[1:-1] - 0.5
    past = {
        "return": np.sign(returns[:-1]),
        "taker share": np.sign(share),
        "volume": np.sign(bars.volume[1:-1] - np.median(bars.volume)),
        "open": np.sign(bars.open[1:-1] - bars.close[:-2]),
        "wick": np.sign(bars.high[1:-1] + bars.low[1:-1] - 2 * bars.close[1:-1]),
    }
    for name, known in past.items():
        assert abs((sign * known).mean()) < 4 / np.sqrt(N), name


def test_the_season_shows(bars: Bars, returns: np.ndarray) -> None:
    hour = (bars.open_time[1:] // 3_600_000) % 24
    size = np.minimum(np.abs(returns), 0.005)
    assert size[hour == 16].mean() > 1.15 * size[hour == 6].mean()
    assert bars.volume[1:][hour == 16].mean() > 1.25 * bars.volume[1:][hour == 6].mean()
    volatility, volume = seasons()
    assert (volatility**2).mean() == pytest.approx(1.0)
    assert volume.mean() == pytest.approx(1.0)


def test_volume_goes_with_the_size_of_the_move(bars: Bars, returns: np.ndarray) -> None:
    assert bars.trades is not None
    assert bars.taker_buy_volume is not None
    size, volume = np.abs(returns), np.log(bars.volume[1:])
    assert 0.3 < np.corrcoef(volume, size)[0, 1] < 0.6  # 0.42 for BTC/USDT in 2018-2019
    assert np.corrcoef(np.log(bars.trades[1:]), volume)[0, 1] > 0.8
    share = bars.taker_buy_volume / bars.volume
    assert np.corrcoef(share[1:], np.sign(returns))[0, 1] > 0.3


@pytest.mark.parametrize("edge", [0.03, 0.06, 0.12, 0.5])
def test_the_planted_correlation_is_the_edge(edge: float) -> None:
    # The drift lasts 120 bars: N bars hold some N / 350 independent looks at its variance, hence 8 %.
    path = synthetic_path(N, seed=11, edge=edge)
    returns = np.diff(np.log(path.bars.close), prepend=np.log(13_700.0)) / path.volatility
    drift = path.drift / path.volatility
    assert drift.std() == pytest.approx(edge, rel=0.08)
    assert np.corrcoef(drift, returns)[0, 1] == pytest.approx(edge, rel=0.08, abs=4 / np.sqrt(N))
    assert returns.std() == pytest.approx(1.0, rel=0.03)
    assert autocorrelation(drift, 120) == pytest.approx(0.5, abs=0.08)


def test_an_edge_can_be_seen_in_past_returns_and_none_cannot() -> None:
    found = []
    for edge in (0.0, 0.1):
        path = synthetic_path(N, seed=21, edge=edge)
        returns = np.diff(np.log(path.bars.close)) / path.volatility[1:]
        trend = np.convolve(np.clip(returns, -4, 4), np.ones(60))[: len(returns)]
        found.append(np.corrcoef(trend[:-1], np.sign(returns[1:]))[0, 1])
    assert abs(found[0]) < 4 / np.sqrt(N)
    assert found[1] > 0.03


def test_the_edge_leaves_the_variance_of_a_day_alone() -> None:
    # The exact sum over a day at unit volatility: news k^2 (1 - E^2) 1440, drift k^2 E^2 sum of phi^|i - j|.
    phi = 2.0 ** (-1.0 / 120.0)
    lags = np.abs(np.subtract.outer(np.arange(1440), np.arange(1440)))
    for edge in (0.02, 0.1, 0.5):
        k = SyntheticMarket(1, 0, edge)._scale()
        variance = k**2 * ((1 - edge**2) * 1440 + edge**2 * (phi**lags).sum())
        assert variance == pytest.approx(1440.0)


def test_a_day_moves_as_much_with_an_edge_as_without() -> None:
    markets = [synthetic_bars(N, 31, edge=edge) for edge in (0.0, 0.06, 0.5)]
    days = [np.diff(np.log(bars.close[::1440])).std() for bars in markets]
    # 277 fat-tailed days; without the scale k they would be as 1 : 1.4 : 8.8.
    assert days[1] == pytest.approx(days[0], rel=0.2)
    assert days[2] == pytest.approx(days[0], rel=0.3)


def test_one_bar_is_a_market() -> None:
    assert len(synthetic_bars(1, 0)) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"n_bars": 0}, {"edge": 1.0}, {"edge": -0.1}, {"volatility": 0.0}, {"tick": -1.0}, {"half_life": 0.0},
     {"edge": float("nan")}],
)  # fmt: skip
def test_wrong_parameters_are_refused(wrong: dict) -> None:
    with pytest.raises(BarError):
        SyntheticMarket(**{"n_bars": 10, "seed": 0, **wrong})
