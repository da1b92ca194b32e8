import numpy as np
import pytest

from strategies.luck.deflated_sharpe import expected_maximum, sharpe_moments, sharpe_ratios
from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import PaperScore
from strategies.tiers.ranking import RANKINGS, PastRecord, Ranking, criterion, prove_ranking
from strategies.trade.equity_grid import EquityGrid, equity_grid, returns_of
from strategies.trade.rules import TradingRules
from strategies.trade.window import DAY_MS, TradingWindow

EDGES = np.arange(0, 2001, 100)


def values_of(name, grid, edges=EDGES, months=0.6):
    """Values of a ranking by the paper's score."""
    return criterion(name, PastRecord(grid, edges, months, PaperScore()))


@pytest.fixture(scope="module")
def window():
    rng = np.random.default_rng(2)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.003, 2000)))
    time = DAY_MS // 100 * np.arange(2000)
    bars = TradingWindow.of(rng.random((2000, 4)), np.r_[100.0, close[:-1]], close, time, 0.6)
    problem = SearchProblem(bars, StrategySpace(4), TradingRules(), PaperScore())
    params = problem.space.sample(rng, 60)
    return problem, params, equity_grid(params, bars, problem.rules)


@pytest.mark.parametrize("name", RANKINGS)
def test_every_criterion_ranks_all_and_knows_no_later_day(name, window):
    _, _, grid = window
    early = EquityGrid(*(column[:, :11] for column in grid))
    later = EquityGrid(*(np.hstack([column[:, :11], column[:, 11:] * 1.1]) for column in grid))
    values = values_of(name, early, EDGES[:11], 0.3)
    assert values.shape == (60,)
    assert np.isfinite(values).all()
    assert len(np.unique(values)) > 30
    again = values_of(name, EquityGrid(*(column[:, :11] for column in later)), EDGES[:11], 0.3)
    np.testing.assert_array_equal(values, again)


def test_score_and_return_are_those_of_the_search(window):
    problem, params, grid = window
    found = evaluate_population(problem, params)
    np.testing.assert_allclose(values_of("score", grid), found["score"], rtol=1e-12)
    np.testing.assert_allclose(values_of("return", grid), found["value"], rtol=1e-12)


def test_a_trailing_window_starts_where_it_starts(window):
    _, _, grid = window
    part = EquityGrid(*(column[:, 5:16] for column in grid))
    rescaled = EquityGrid(part.equity / part.equity[:, :1], part.fills - part.fills[:, :1], part.position_sum)
    for name in RANKINGS:
        np.testing.assert_allclose(
            values_of(name, part, EDGES[5:16], 0.3), values_of(name, rescaled, EDGES[5:16], 0.3), rtol=1e-9
        )


def test_median_forgives_one_lucky_part():
    """Steady gains against one jump of the same total: the median sees the steady one only."""
    steady, lucky = np.linspace(0, 0.2, 17), np.where(np.arange(17) > 8, 0.2, 0.0)
    equity = np.exp([steady, lucky])
    grid = EquityGrid(equity, np.tile(np.arange(17) * 50.0, (2, 1)), np.tile(np.arange(17) * 50.0, (2, 1)))
    edges = np.arange(17) * 100
    by_score, by_median = (values_of(name, grid, edges, 1.0) for name in ("score", "median"))
    assert by_score[0] == pytest.approx(by_score[1])
    assert by_median[0] > by_median[1] + 10
    assert by_median[1] == pytest.approx(0.0, abs=1e-9)


def test_deflated_sharpe_is_the_published_statistic(window):
    from scipy.stats import norm

    _, _, grid = window
    returns = returns_of(grid.equity)
    values = values_of("deflated_sharpe", grid)
    variance = sharpe_ratios(returns).var()
    for row in (0, 7, 33):
        sr, n, skewness, kurtosis = sharpe_moments(returns[row])
        spread = np.sqrt(1 - skewness * sr + (kurtosis - 1) / 4 * sr**2)
        wanted = (sr - expected_maximum(60, float(variance))) * np.sqrt(n - 1) / spread
        assert values[row] == pytest.approx(wanted, rel=1e-9)
        assert 0 <= norm.cdf(values[row]) <= 1


def test_near_duplicates_stand_behind_all_that_are_none(window):
    problem, params, _ = window
    twice = np.vstack([params, params[:10] * (1 + 1e-9)])
    grid = equity_grid(twice, problem.window, problem.rules)
    values = values_of("uncrowded", grid)
    daily = returns_of(grid.equity)
    trades = grid.fills[:, -1] / 0.6
    net = values_of("score", grid) - 0.02 * trades
    first: list[int] = []
    for place in np.argsort(-net, kind="stable"):
        moves = daily[place].any()
        if not any(moves and daily[i].any() and np.corrcoef(daily[i], daily[place])[0, 1] >= 0.95 for i in first):
            first.append(int(place))
    behind = sorted(set(range(70)) - set(first))
    assert len(behind) >= 10
    assert values[first].min() > values[behind].max()
    np.testing.assert_allclose(values[first], net[first])


def test_bad_requests_are_refused(window):
    _, _, grid = window
    with pytest.raises(ValueError, match="unknown ranking 'luck'; known are score, return"):
        values_of("luck", grid)
    with pytest.raises(ValueError, match="two days"):
        values_of("score", EquityGrid(*(c[:, :2] for c in grid)), EDGES[:2], 0.1)


def steady(record):
    """Share of days that earned."""
    return (np.diff(record.grid.equity, axis=1) > 0).mean(axis=1)


def test_an_own_ranking_is_proved_and_used(window, registries):
    row = Ranking("steady", "share of days that earned", steady, origin="mine.py")
    RANKINGS.register(row)
    RANKINGS.register(row)  # the same again is no clash
    grid = window[2]
    np.testing.assert_array_equal(values_of("steady", grid), (returns_of(grid.equity) > 0).mean(axis=1))
    with pytest.raises(ValueError, match="'steady': the name is taken"):
        RANKINGS.register(row._replace(explanation="another"))


def spoil(record):
    record.grid.equity[:] = 1.0
    return np.ones(40)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("score", steady, "'score': the name is taken"),
        ("my ranking", steady, "letters, digits and underscores"),
        ("bad", lambda r: steady(r)[:-1], "one float64 for each strategy"),
        ("bad", lambda r: r.grid.fills[:, -1].astype(int), "one float64 for each strategy"),
        ("bad", lambda r: 1 / np.ptp(r.grid.equity, axis=1), "gives inf for strategy 0"),
        ("bad", lambda r: np.random.default_rng().random(40), "other values for the same input"),
        ("bad", lambda r: r.grid.equity[:, -1].copy(), "depends on more than the days given"),
        ("bad", lambda r: r.grid.equity.base[:, -1] / r.grid.equity[:, 0], "depends on more than the days given"),
        ("bad", lambda r: r.grid.equity[:, 99], "IndexError: index 99"),
        ("bad", spoil, "changes its input"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_bad_ranking_is_refused_in_one_line(name, values, message):
    before = dict(RANKINGS)
    with pytest.raises(ValueError, match=message) as error:
        [step(Ranking(name, "", values)) for step in (prove_ranking, RANKINGS.register)]
    assert "\n" not in str(error.value)
    assert before == RANKINGS


@pytest.mark.parametrize("name", RANKINGS)
def test_the_rankings_pass_their_own_proof(name):
    prove_ranking(RANKINGS[name])
