import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import optuna
import pytest

from strategies.search.budget import Spending, block_order, rungs
from strategies.search.islands import SAMPLERS, SearchSettings, islands, merge, run_island
from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.samplers import RestartedCma
from strategies.search.score import COMMON, PaperScore
from strategies.trade.rules import TradingRules
from strategies.trade.simulate import simulate
from strategies.trade.window import TradingWindow

SMALL = SearchSettings(n_strategies=96, island_size=40, batch=8, population=8, n_startup_trials=8, seed=5)
EVERY = pytest.mark.parametrize("sampler", SAMPLERS)


def planted(seed: int = 0, n_bars: int = 1500) -> SearchProblem:
    """Two of six outputs tell the next return: one for, one against; the others tell nothing."""
    rng = np.random.default_rng(seed)
    returns = rng.normal(0, 0.004, n_bars + 1)
    outputs = rng.random((n_bars, 6))
    outputs[:, 0] = 0.5 * outputs[:, 0] + 0.5 * (returns[1:] > 0)
    outputs[:, 1] = 0.5 * outputs[:, 1] + 0.5 * (returns[1:] < 0)
    close = 100 * np.exp(np.cumsum(returns[:-1]))
    window = TradingWindow.of(outputs, np.r_[100.0, close[:-1]], close, 60_000 * np.arange(n_bars), 1.0)
    return SearchProblem(window, StrategySpace(6), TradingRules(), PaperScore())


def same(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_islands_cover_the_population():
    settings = SearchSettings(n_strategies=20_500, island_size=2000, random_share=0.2)
    tasks = islands(settings)
    assert [t.n_trials for t in tasks] == [2000] * 8 + [400] + [2000, 2000, 100]
    assert [t.index for t in tasks] == list(range(12))
    assert [t.sampler for t in tasks] == ["cmaes"] * 9 + ["random"] * 3
    assert len({t.sampler_seed for t in tasks}) == len({t.study_name for t in tasks}) == 12
    # an island does not change when the population grows
    fewer = islands(replace(settings, n_strategies=5000))
    assert [t.sampler for t in fewer] == ["cmaes", "cmaes", "random"]
    assert [t.sampler_seed for t in fewer] == [tasks[i].sampler_seed for i in (0, 1, 9)]
    assert islands(replace(settings, seed=1))[3].sampler_seed != tasks[3].sampler_seed
    assert all(t.sampler == "cmaes" for t in islands(replace(settings, random_share=0.0)))
    assert all(t.sampler == "random" for t in islands(replace(settings, random_share=1.0)))


@pytest.mark.parametrize(
    "sampler", ["cmaes", *(pytest.param(name, marks=pytest.mark.slow) for name in ("tpe", "qmc", "random"))]
)
def test_the_same_seed_gives_the_same_bits_in_any_order_and_process(sampler):
    settings = replace(SMALL, sampler=sampler)
    problem, tasks = planted(), islands(settings)
    here = merge([run_island(task, problem) for task in tasks])
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        there = merge(list(pool.map(run_island, tasks[::-1], [problem] * len(tasks))))
    assert same(here, there)
    assert here.island.tolist() == [0] * 40 + [1] * 37 + [2] * 19
    assert here.random.tolist() == [sampler == "random"] * 77 + [True] * 19
    assert not same(here, merge([run_island(t, problem) for t in islands(replace(settings, seed=6))]))


@EVERY
def test_proposals_lie_in_the_box_and_no_two_are_alike(sampler):
    space = StrategySpace(6, weight=(-3.0, 0.5), delta=(0.05, 0.06))
    problem = replace(planted(n_bars=200), space=space)
    params = run_island(islands(replace(SMALL, n_strategies=90, island_size=90, sampler=sampler, random_share=0))[0],
                        problem).params  # fmt: skip
    low, high = space.bounds.T
    assert ((params >= low) & (params <= high)).all()
    assert len(np.unique(params, axis=0)) == 90
    assert (params.std(axis=0) > 0.05 * (high - low)).all()


def test_batches_change_the_proposals_but_not_what_a_strategy_scores():
    problem = planted()
    told: list[int] = []
    result = run_island(islands(SMALL)[0], problem, told.append)
    assert sum(told) == islands(SMALL)[0].n_trials
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


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [{"sampler": "tpe"}, {"sampler": "tpe", "multivariate": True}, {"sampler": "cmaes"}])
def test_searching_beats_random_on_a_planted_problem(chosen):
    problem = planted(1)
    settings = replace(SMALL, n_strategies=160, island_size=160, random_share=0.0)
    best = []
    for options in (chosen, {"sampler": "random"}):
        params = run_island(islands(replace(settings, **options))[0], problem).params
        best.append(np.sort(evaluate_population(problem, params)["score"])[-20:].mean())
    assert best[0] > best[1] + 1.0


def sphere_study(seed=0, **arguments):
    """A study over three parameters whose best value, 0, lies at 0.2 of each one's range."""
    space = StrategySpace(1, weight=(-1.0, 3.0))
    space_of = {name: d for name, d in space.distributions().items() if name != "delta"}
    sampler = RestartedCma(space_of, seed, **{"population": 8, "spread": 0.25, **arguments})
    study = optuna.create_study(sampler=sampler, direction="maximize")
    best = {name: d.low + 0.2 * (d.high - d.low) for name, d in space_of.items()}
    width = {name: d.high - d.low for name, d in space_of.items()}
    return study, space_of, lambda p: -sum(((p[n] - best[n]) / width[n]) ** 2 for n in best)


def test_cma_finds_a_peak_rests_and_starts_elsewhere():
    study, space, value = sphere_study()
    starts, values = [], []
    for _ in range(600):
        trial = study.ask(space)
        values.append(value(trial.params))
        study.tell(trial, values[-1])
        starts.append(study.sampler.n_starts)
    assert max(values[:250]) > -1e-3
    assert starts[-1] >= 2
    restart = starts.index(2)
    assert np.mean(values[restart : restart + 8]) < np.mean(values[restart - 8 : restart]) - 0.01


def test_cma_takes_pruned_trials_by_their_last_report_and_leaves_failed_ones_out():
    state = optuna.trial.TrialState
    one, space, value = sphere_study(3)
    two, _, _ = sphere_study(3)
    proposals = []
    for study, prune in ((one, False), (two, True)):
        for _ in range(4):
            trials = [study.ask(space) for _ in range(8)]
            for trial in trials:
                if prune:
                    trial.report(-99.0, 1)
                    trial.report(value(trial.params), 3)
                    study.tell(trial, state=state.PRUNED)
                else:
                    study.tell(trial, value(trial.params))
        proposals.append([sorted(t.params.items()) for t in study.trials])
    assert proposals[0] == proposals[1]
    failing, _, _ = sphere_study(3)
    for _ in range(24):
        failing.tell(failing.ask(space), state=state.FAIL)
    assert len(failing.sampler._told) == 0


def test_cma_may_be_asked_for_more_than_a_generation_before_it_is_told():
    study, space, value = sphere_study(4)
    trials = [study.ask(space) for _ in range(50)]
    for trial in trials:
        study.tell(trial, value(trial.params))
    assert not study.sampler._waiting


def test_evaluation_is_the_simulator_on_the_whole_window():
    problem = planted()
    params = problem.space.sample(np.random.default_rng(2), 20)
    got = evaluate_population(problem, params)
    state = simulate(params, problem.window, problem.rules)
    np.testing.assert_array_equal(got["value"], state.equity)
    np.testing.assert_array_equal(got["fees"], state.fees)
    penalties = got["trade_penalty_pct"], got["position_penalty_pct"]
    np.testing.assert_array_equal(got["score"], got["monthly_return_pct"] - penalties[0] - penalties[1])
    assert set(got) == {*COMMON, "score", "trade_penalty_pct", "position_penalty_pct"}
    assert all(values.shape == (20,) for values in got.values())
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
        (rows,) = spending.blocks[block]
        growth *= simulate(params, problem.window.rows(rows), problem.rules).equity
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
        "import sys, strategies.search.islands, strategies.luck.timing, strategies.tiers.walk_forward;"
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
        {"population": 1},
        {"spread": 0.0},
    ):
        with pytest.raises(ValueError):
            SearchSettings(**wrong)
    problem = planted()
    with pytest.raises(ValueError, match="outputs"):
        replace(problem, space=StrategySpace(5))
    result = run_island(replace(islands(SMALL)[2], n_trials=2), problem)
    with pytest.raises(ValueError, match="differ"):
        merge([result, result])
