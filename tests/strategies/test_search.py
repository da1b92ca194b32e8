import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import optuna
import pytest

from strategies.budget import Problem, Spending, block_order, evaluate_population, rungs
from strategies.linear import StrategySpace
from strategies.search import SearchSettings, islands, merge, run_island
from strategies.simulate import simulate

SMALL = SearchSettings(n_strategies=96, island_size=40, batch=8, n_startup_trials=8, seed=5)


def planted(seed: int = 0, n_bars: int = 1500) -> Problem:
    """Two of six outputs tell the next return: one for, one against; the others tell nothing."""
    rng = np.random.default_rng(seed)
    returns = rng.normal(0, 0.004, n_bars + 1)
    outputs = rng.random((n_bars, 6))
    outputs[:, 0] = 0.5 * outputs[:, 0] + 0.5 * (returns[1:] > 0)
    outputs[:, 1] = 0.5 * outputs[:, 1] + 0.5 * (returns[1:] < 0)
    close = 100 * np.exp(np.cumsum(returns[:-1]))
    return Problem(outputs, np.r_[100.0, close[:-1]], close, months=1.0, space=StrategySpace(6))


def same(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_islands_cover_the_population():
    settings = SearchSettings(n_strategies=20_500, island_size=1000, random_share=0.2)
    tasks = islands(settings)
    assert sum(t.n_trials for t in tasks) == 20_500
    assert tasks[-1].n_trials == 500
    assert [t.index for t in tasks if t.sampler == "random"] == [4, 9, 14, 19]
    assert len({t.sampler_seed for t in tasks}) == len({t.study_name for t in tasks}) == 21
    # an island does not change when the population grows
    assert islands(replace(settings, n_strategies=5000))[3].sampler_seed == tasks[3].sampler_seed
    assert islands(replace(settings, seed=1))[3].sampler_seed != tasks[3].sampler_seed
    assert all(t.sampler == "tpe" for t in islands(replace(settings, random_share=0.0)))
    assert all(t.sampler == "random" for t in islands(replace(settings, random_share=1.0)))


def test_the_same_seed_gives_the_same_bits_in_any_order_and_process():
    problem, tasks = planted(), islands(SMALL)
    here = merge([run_island(task, problem) for task in tasks])
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        there = merge(list(pool.map(run_island, tasks[::-1], [problem] * len(tasks))))
    assert same(here, there)
    assert here.island.tolist() == [0] * 40 + [1] * 40 + [2] * 16
    assert not same(here, merge([run_island(t, problem) for t in islands(replace(SMALL, seed=6))]))


def test_batches_change_the_proposals_but_not_what_a_strategy_scores():
    problem = planted()
    result = run_island(islands(SMALL)[0], problem)
    for n in (3, 9, 27):
        rows = np.flatnonzero(result.blocks == n)
        alone = Spending(problem, result.params[rows], SMALL.n_blocks, SMALL.eta, SMALL.budget)
        np.testing.assert_array_equal(alone.up_to(n), result.rung_score[rows])


def test_pruned_trials_are_counted_and_marked():
    population = merge([run_island(task, planted()) for task in islands(SMALL)])
    assert len(population.params) == len(population.trial) == 96
    assert 0 < population.n_pruned < 96
    assert population.n_pruned == (population.blocks < SMALL.n_blocks).sum()
    assert set(population.blocks) == {3, 9, 27}
    assert np.isfinite(population.rung_score).all()


def test_hyperband_spends_less_and_drops_the_worse():
    problem = planted()
    settings = replace(SMALL, n_strategies=200, island_size=200, sampler="random")
    raced = run_island(islands(settings)[0], problem)
    full = run_island(islands(replace(settings, min_blocks=27))[0], problem)
    np.testing.assert_array_equal(raced.params, full.params)
    assert full.complete.all()
    assert raced.blocks.sum() < 0.8 * full.blocks.sum()
    value = evaluate_population(problem, raced.params)["score"]
    assert np.median(value[raced.complete]) > np.median(value[~raced.complete])


@pytest.mark.parametrize("multivariate", [False, True])
def test_tpe_beats_random_on_a_planted_problem(multivariate):
    problem = planted(1)
    settings = replace(SMALL, n_strategies=160, island_size=160, multivariate=multivariate, random_share=0.0)
    best = {}
    for sampler in ("tpe", "random"):
        params = run_island(islands(replace(settings, sampler=sampler))[0], problem).params
        best[sampler] = np.sort(evaluate_population(problem, params)["score"])[-20:].mean()
    assert best["tpe"] > best["random"] + 1.0


def test_evaluation_is_the_simulator_on_the_whole_window():
    problem = planted()
    params = problem.space.sample(np.random.default_rng(2), 20)
    got = evaluate_population(problem, params)
    state = simulate(params, problem.outputs, problem.open, problem.close)
    np.testing.assert_array_equal(got["value"], state.equity)
    np.testing.assert_array_equal(got["fees"], state.fees)
    np.testing.assert_array_equal(
        got["score"], got["monthly_return"] - got["trade_penalty"] - got["position_penalty"]
    )
    # all blocks of a prefix budget, state carried on, are the same window
    prefix = Spending(problem, params, 27, 3, "prefix")
    for n in (5, 27):
        scores = prefix.up_to(n)
    np.testing.assert_array_equal(scores, got["score"])


def test_blocks_are_spread_over_the_window():
    order = block_order(27, 3)
    assert sorted(order) == list(range(27))
    assert order[:3].tolist() == [0, 9, 18]
    assert sorted(order[:9]) == list(range(0, 27, 3))
    assert sorted(block_order(20, 3)) == list(range(20))
    assert block_order(5, 3, "prefix").tolist() == [0, 1, 2, 3, 4]
    assert rungs(27, 3, 3) == (3, 9, 27)
    assert rungs(20, 1, 3) == (1, 3, 9, 20)
    assert rungs(4, 4, 2) == (4,)
    with pytest.raises(ValueError, match="budget"):
        block_order(5, 3, "all")


def test_a_block_starts_flat_and_sees_only_its_own_bars():
    problem = planted()
    params = problem.space.sample(np.random.default_rng(3), 9)
    spending = Spending(problem, params, 27, 3, "blocks")
    spending.up_to(3)
    growth = np.ones(9)
    for block in (0, 9, 18):
        rows = slice(spending.edges[block], spending.edges[block + 1])
        growth *= simulate(params, problem.outputs[rows], problem.open[rows], problem.close[rows]).equity
    np.testing.assert_allclose(spending.state.equity, growth, rtol=1e-12)


def test_optuna_is_left_as_talkative_as_it_was():
    before = optuna.logging.get_verbosity()
    run_island(replace(islands(SMALL)[2], n_trials=4), planted())
    assert optuna.logging.get_verbosity() == before


def test_tasks_and_problems_pickle():
    task, problem = pickle.loads(pickle.dumps((islands(SMALL)[0], planted())))
    assert task == islands(SMALL)[0]
    assert problem.space == StrategySpace(6)


def test_the_room_imports_neither_vectorbt_nor_optuna_by_itself():
    code = (
        "import sys, strategies, strategies.search, strategies.selection_bias, strategies.ensemble;"
        "sys.exit(any(m in sys.modules for m in ('vectorbt', 'optuna', 'scipy.stats')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_bad_settings_are_refused():
    for wrong in (
        {"sampler": "grid"},
        {"budget": "all"},
        {"random_share": 1.5},
        {"batch": 0},
        {"eta": 1},
        {"n_blocks": 2},
        {"seed": -1},
    ):
        with pytest.raises(ValueError):
            SearchSettings(**wrong)
    problem = planted()
    with pytest.raises(ValueError, match="outputs"):
        replace(problem, space=StrategySpace(5))
    with pytest.raises(ValueError, match="months"):
        replace(problem, months=0.0)
    with pytest.raises(ValueError, match="do not fit"):
        replace(problem, close=problem.close[1:])
    result = run_island(replace(islands(SMALL)[2], n_trials=2), problem)
    with pytest.raises(ValueError, match="differ"):
        merge([result, result])
