"""Search of books: scores, blocks, and a planted edge that is found."""

import numpy as np
import pytest

from strategies import StrategyError
from strategies.book import kernels
from strategies.book.problem import BookProblem, BookScore, evaluate_books
from strategies.book.rules import BookRules, BookSpace
from strategies.book.simulate import simulate_books
from strategies.search.budget import spending
from strategies.search.islands import SearchSettings, islands, merge, run_island
from strategies.search.linear import StrategySpace
from strategies.tiers.metrics import sharpe


@pytest.fixture
def problem(window):
    space = BookSpace(StrategySpace(4, theta_buy=(0.5, 0.6), theta_sell=(0.4, 0.5)), band=(0.0, 0.3))
    return BookProblem(window, space, BookRules.of("neutral", cap=0.3), BookScore())


def test_figures_are_those_of_the_daily_returns(problem, params):
    found = evaluate_books(problem, params)
    state, daily = simulate_books(params, problem.window, problem.rules, days=True)
    n = daily.shape[1]
    for s in range(len(params)):
        expected = sharpe(daily[s], problem.days_a_year) * ((n - 1) / n) ** -0.5
        assert found["sharpe"][s] == pytest.approx(expected, rel=1e-9)
        assert found["value"][s] == pytest.approx(np.prod(1 + daily[s]), rel=1e-12)
    gross = found["mean_gross_pct"] / 100.0
    assert found["score"] == pytest.approx(found["sharpe"] - 2.0 * np.maximum(1 - gross / 0.5, 0))
    assert (found["mean_net_pct"] != 0).any()
    assert found["funding"] == pytest.approx(state.total(kernels.FUNDING))


def test_an_idle_book_is_punished(problem):
    idle = np.array([[0.0] * 4 + [1.0, 0.0, 0.3, 0.0, 0.0, 1.0]])
    assert evaluate_books(problem, idle)["score"][0] == -2.0
    with pytest.raises(StrategyError, match="target in"):
        BookScore(0.0)


def test_a_ruined_book_is_the_worst(make):
    window = make(costly=False)
    close, open_ = window.close.copy(), window.open.copy()
    close[200:] *= 3.0
    open_[201:] *= 3.0
    space = BookSpace(StrategySpace(4, theta_buy=(0.5, 0.6), theta_sell=(0.4, 0.5)))
    problem = BookProblem(
        window._replace(close=close, open=open_), space, BookRules.of("best", gross=10.0, fee_share=0.0), BookScore()
    )
    found = evaluate_books(problem, space.sample(np.random.default_rng(0), 60))
    ruined = found["value"] <= 0
    assert 0 < ruined.sum() < 60
    assert found["score"][ruined].max() < found["score"][~ruined].min()


def test_all_blocks_of_a_prefix_are_the_whole_window(problem, params):
    spent = spending(problem, params, 9, 3, "prefix")
    assert np.isfinite(spent.up_to(3)).all()
    np.testing.assert_allclose(spent.up_to(9), evaluate_books(problem, params)["score"], rtol=1e-12)
    few = spending(problem, params, 9, 3, "blocks")
    few.up_to(3)
    few.keep(np.array([1, 4]))
    assert few.up_to(9).shape == (2,)
    with pytest.raises(TypeError, match="no problem that can be searched"):
        spending(object(), params, 9, 3, "blocks")


def planted(make, seed):
    """A window in which the first label of a market foretells what its next row does beyond the basket."""
    window = make(seed=seed, n_rows=600, costly=False)
    rng = np.random.default_rng(seed)
    rest = (
        np.diff(np.log(window.close), axis=0, append=np.log(window.close[-1:]))
        - window.beta * np.r_[window.basket[1:], 0.0][:, None]
    )
    lean = np.clip(0.4 + 0.25 * np.sign(rest) + rng.normal(0, 0.05, rest.shape), 0.02, 0.9)
    outputs = window.outputs.copy()
    outputs[:, 0, 0] = np.where(np.isnan(outputs[:, 0, 0]), np.nan, lean * 0.9)
    outputs[:, 0, 1] = np.where(np.isnan(outputs[:, 0, 1]), np.nan, (1 - lean) * 0.9)
    return window._replace(outputs=outputs)


def test_a_planted_edge_is_found_and_holds_later(make):
    window = planted(make, 5)
    space = BookSpace(StrategySpace(4))
    past, future = (
        BookProblem(window.rows(rows), space, BookRules.of("neutral", cap=0.4), BookScore())
        for rows in (slice(0, 300), slice(300, 600))
    )
    settings = SearchSettings(n_strategies=400, island_size=200, seed=1)
    found = merge([run_island(task, past) for task in islands(settings)])
    score = evaluate_books(past, found.params)["score"]
    best = np.argsort(-score)[:5]
    later = evaluate_books(future, found.params)["sharpe"]
    assert later[best].min() > 5.0
    assert later[best].mean() > later[found.random].mean() + 3.0
