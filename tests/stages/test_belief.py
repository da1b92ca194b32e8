"""Figures of belief: held against the files of a run, and on windows too short for most of them."""

import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from labelsearch.results.belief import Belief, SharpeBelief, TierSharpe
from labelsearch.results.codec import json_bytes
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.record import plain_fields
from labelsearch.results.run import Results
from labelsearch.results.search import Strategies
from labelsearch.settings.experiment import Experiment
from labelsearch.stages.belief import WindowDays, judge_belief
from labelsearch.stages.seeds import Seeds
from strategies.luck.deflated_sharpe import (
    SharpeMoments,
    deflated_sharpe,
    effective_trials,
    probabilistic_sharpe,
    sharpe_moments,
    sharpe_ratios,
)
from strategies.search.islands import SearchSettings
from strategies.search.linear import StrategySpace
from strategies.search.problem import SearchProblem, evaluate_population
from strategies.search.score import PaperScore
from strategies.trade.rules import TradingRules
from strategies.trade.window import TradingWindow
from tests.running import run_experiment


def test_figures_agree_with_the_other_files(tiny_run):
    tiers, found = tiny_run.ensembles, tiny_run.belief
    for rank, rho in ((found.rank.all, tiers.ranks.all), (found.rank.positive, tiers.ranks.positive)):
        assert rank.rho == pytest.approx(rho, abs=1e-6)
        assert rank.low < rank.high
    assert len(found.tiers) == 4
    for row in found.tiers:
        wanted = tiers.row(row.window, row.tier).figures.total_return_pct
        assert row.total_return_pct == pytest.approx(wanted, abs=1e-6)  # vectorbt's
        assert row.at_costs_pct["0"] > row.total_return_pct
        assert row.without_best_fortnight_pct is None  # windows of a week
    for size, tier in found.sharpe.tiers.items():
        assert tier.annual == pytest.approx(tiers.row("past", size).figures.sharpe)
    assert found.sharpe.n_trials == 300
    assert found.overfitting["score"].n_blocks == 2
    assert found.days == {"past": 7, "future": 7}


def test_no_p_value_of_a_rank_correlation_is_stored(tiny_run):
    """Thousands of near-duplicates share one market: a naive p-value would be 1e-291 and mean nothing."""
    assert b"p_value" not in json_bytes(tiny_run.ensembles.ranks) + json_bytes(tiny_run.belief.rank)


def test_slippage_reaches_every_figure(tiny_run, tmp_path):
    """Tiers by vectorbt, by the simulator and the timing test agree, and fall short of those without."""
    settings = tiny_run.experiment.to_dict()
    settings["costs"] = {**settings["costs"], "half_spread": 5e-4}
    settings["tiers"] = {**settings["tiers"], "controls": []}
    costly = Experiment.from_dict(settings)
    shutil.copytree(tiny_run.folder, tmp_path / costly.run_id)
    results = Results(run_experiment(costly, tmp_path, tiny_run.store, workers=1))
    found = results.ensembles
    for row in results.belief.tiers:
        wanted = found.row(row.window, row.tier).figures.total_return_pct
        assert row.total_return_pct == pytest.approx(wanted, abs=1e-6)
    for window in WINDOWS:
        now, before = (1 + e.row(window, None).figures.total_return_pct / 100 for e in (found, tiny_run.ensembles))
        assert now == pytest.approx(before / 1.0005)


def test_partial_correlation_is_of_past_figures(tiny_run):
    past, future = tiny_run.strategies.frame, tiny_run.ensembles.future
    frame = past[["score", "mean_position_pct", "trades_per_month"]].assign(earned=future["monthly_return_pct"])
    inverse = np.linalg.inv(frame.rank().corr().to_numpy())
    expected = -inverse[0, 3] / np.sqrt(inverse[0, 0] * inverse[3, 3])
    assert tiny_run.belief.rank.partial == pytest.approx(expected, abs=1e-6)
    assert stats.spearmanr(frame["score"], frame["earned"]).statistic != pytest.approx(expected, abs=0.01)


def test_deflation_counts_every_try():
    moments = SharpeMoments(0.2, 120, -0.5, 5.0)
    got = SharpeBelief(300, 12.5, 0.01, {5: TierSharpe(moments, 0.0, 0.0)}).deflated(40_000)[5]
    assert got.all == deflated_sharpe(moments, 40_000, 0.01)
    assert got.different == deflated_sharpe(moments, 12.5, 0.01)
    assert got.luck == deflated_sharpe(moments, 12.5, 1 / 119)
    assert got.all < got.different < probabilistic_sharpe(moments)
    # correlated tries have ratios closer together than chance alone puts those of different ones
    alike = SharpeBelief(300, 12.5, 0.001, {5: TierSharpe(moments, 0.0, 0.0)}).deflated(300)[5]
    assert alike.different == alike.luck == deflated_sharpe(moments, 12.5, 1 / 119)


@pytest.mark.slow
def test_correlation_of_tries_is_paid_for_once():
    """A reduced number of tries together with their own variance has 0.18 above 0.95 here, without an edge."""
    above, n_reps = np.zeros(2), 120
    for seed in range(n_reps):
        rng = np.random.default_rng(seed)
        returns = 0.9**0.5 * rng.standard_normal(122) + 0.1**0.5 * rng.standard_normal((500, 122))
        ratios = sharpe_ratios(returns)
        moments = sharpe_moments(returns[np.argmax(ratios)])
        n, variance = effective_trials(returns, n_reps=50, seed=seed), float(ratios.var())
        found = SharpeBelief(500, n, variance, {1: TierSharpe(moments, 0.0, None)}).deflated(500)[1]
        above += np.array([found.different, deflated_sharpe(moments, n, variance)]) > 0.95
    most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_reps)
    assert above[0] / n_reps < most < above[1] / n_reps


def test_searches_of_other_runs_on_the_same_past_are_counted_once(tiny_run, tmp_path):
    for name in ("own", "copy", "other_seed", "other_past"):
        shutil.copytree(tiny_run.folder, tmp_path / name)
    for name in ("other_seed", "other_past"):
        results = Results(tmp_path / name)
        details = {k: v for k, v in results.done["search"].items() if k not in ("event", "key", "counts")}
        results.ledger.append("stage", key=name, counts={"strategy_trials": 1000}, **details)
    settings = tmp_path / "other_past" / "experiment.toml"
    settings.write_text(settings.read_text().replace("2018-01-28", "2018-01-27"))
    assert Results(tmp_path / "own").counted_strategies == 300 + 1000


def made_window(seed: int, n_bars: int) -> TradingWindow:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.002, n_bars)))
    open_time = 1_577_836_800_000 + 60_000 * np.arange(n_bars)
    return TradingWindow.of(rng.random((n_bars, 2)), close, close, open_time, n_bars / 43_200)


@pytest.mark.parametrize("n_days", [0.5, 1, 2, 3, 5, 16])
def test_short_windows_give_fewer_figures_and_no_errors(n_days, tmp_path):
    space = StrategySpace(2)
    problems = {
        name: SearchProblem(made_window(seed, int(1440 * n_days)), space, TradingRules(), PaperScore())
        for seed, name in enumerate(WINDOWS)
    }
    params = space.sample(np.random.default_rng(0), 60)
    frame = pd.DataFrame(params, columns=list(space.names)).assign(**evaluate_population(problems["past"], params))
    strategies = Strategies(SearchSettings(), space.names, frame)
    order = np.argsort(-strategies.score, kind="stable")
    days = {name: WindowDays.of(problem, params, scored=True) for name, problem in problems.items()}
    found = judge_belief(problems, days, strategies, {20: order[:20], 5: order[:5]}, {20: 0.5, 5: 0.5}, Seeds(1))
    found.save(tmp_path)
    assert json_bytes(plain_fields(Belief.load(tmp_path))) == json_bytes(plain_fields(found))
    assert (found.overfitting is None) == (n_days < 4)
    assert (found.superior["future"] is None) == (n_days < 10)
    assert (found.tiers[0].without_best_fortnight_pct is None) == (n_days < 15)
    assert (found.tiers[0].beta is None) == (n_days < 4)
    assert set(found.sharpe.deflated(60)) == ({20, 5} if n_days >= 2 else set())
