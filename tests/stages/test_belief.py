"""Figures of belief: held against the files of a run, and on windows too short for most of them."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from labelsearch.pipeline import belief
from labelsearch.pipeline.context import Context
from labelsearch.pipeline.experiment import Experiment
from labelsearch.pipeline.ledger import Ledger
from labelsearch.pipeline.run import done_events, run_experiment
from labelsearch.pipeline.stages import ensembles, search
from scipy import stats

from strategies.luck.deflated_sharpe import SharpeMoments, deflated_sharpe, probabilistic_sharpe
from strategies.search.budget import Problem, evaluate_population
from strategies.search.linear import StrategySpace


def test_figures_agree_with_the_other_files(tiny_run):
    found, tiers = belief.load(tiny_run), ensembles.load(tiny_run)
    for name in ("all", "positive"):
        assert found["rank"][name]["rho"] == pytest.approx(tiers["rank_correlation"][name]["rho"], abs=1e-6)
        assert found["rank"][name]["low"] < found["rank"][name]["high"]
    table = {(row["tier"], row["window"]): row for row in tiers["table"]}
    assert len(found["tiers"]) == 4
    for row in found["tiers"]:
        other = table[f"Top-{row['tier']}", row["window"]]
        assert row["total_return"] == pytest.approx(other["total_return"], abs=1e-6)  # vectorbt's
        assert row["without_fee"] > row["total_return"]
        assert row["without_best_fortnight"] is None  # windows of a week
    for name, tier in found["sharpe"]["tiers"].items():
        assert tier["annual"] == pytest.approx(table[f"Top-{name}", "past"]["sharpe"])
    assert found["sharpe"]["n_trials"] == 300
    assert found["overfitting"]["score"]["n_blocks"] == 2
    assert found["days"] == {"past": 7, "future": 7}


def test_slippage_reaches_every_figure(tiny_run, tmp_path):
    """Tiers by vectorbt, by the simulator and the placebo's real timing agree, and fall short of those without."""
    settings = tiny_run.experiment.to_dict()
    settings["search"] = {**settings["search"], "slippage": 5.0}
    costly = Experiment.from_dict(settings)
    shutil.copytree(tiny_run.folder, tmp_path / costly.run_id)
    context = run_experiment(costly, tmp_path, tiny_run.store, workers=1)
    table = {(row["tier"], row["window"]): row for row in ensembles.load(context)["table"]}
    for row in belief.load(context)["tiers"]:
        expected = table[f"Top-{row['tier']}", row["window"]]["total_return"]
        assert row["total_return"] == pytest.approx(expected, abs=1e-6)
    before = {row["window"]: row for row in ensembles.load(tiny_run)["table"] if row["tier"] == ensembles.MARKET}
    for window in ("past", "future"):
        now = 1 + table[ensembles.MARKET, window]["total_return"] / 100
        assert now == pytest.approx((1 + before[window]["total_return"] / 100) / 1.0005)


def test_partial_correlation_is_of_past_figures(tiny_run):
    past, future = search.load(tiny_run), ensembles.load_future(tiny_run)
    frame = past[["score", "mean_position", "trades_per_month"]].assign(earned=future["monthly_return"])
    inverse = np.linalg.inv(frame.rank().corr().to_numpy())
    expected = -inverse[0, 3] / np.sqrt(inverse[0, 0] * inverse[3, 3])
    assert belief.load(tiny_run)["rank"]["partial"] == pytest.approx(expected, abs=1e-6)
    assert stats.spearmanr(frame["score"], frame["earned"]).statistic != pytest.approx(expected, abs=0.01)


def test_deflation_counts_every_try():
    moments = SharpeMoments(0.2, 120, -0.5, 5.0)
    tier = {**moments._asdict(), "annual": 0.0, "probabilistic": 0.0}
    found = {"sharpe": {"variance": 0.01, "n_effective": 12.5, "tiers": {"5": tier}}}
    got = belief.deflated(found, 40_000)["5"]
    assert got["all"] == deflated_sharpe(moments, 40_000, 0.01)
    assert got["different"] == deflated_sharpe(moments, 12.5, 0.01)
    assert got["luck"] == deflated_sharpe(moments, 12.5, 1 / 119)
    assert got["all"] < got["different"] < probabilistic_sharpe(moments)


def test_searches_of_other_runs_on_the_same_past_are_counted_once(tiny_run, tmp_path):
    runs = tmp_path / "runs"
    for name in ("own", "copy", "other_seed", "other_past"):
        shutil.copytree(tiny_run.folder, runs / name)
    event = done_events(Ledger(runs / "own" / "ledger.jsonl"))["search"]
    for name in ("other_seed", "other_past"):
        details = {k: v for k, v in event.items() if k not in ("event", "key", "counts")}
        Ledger(runs / name / "ledger.jsonl").append("stage", key=name, counts={"strategy_trials": 1000}, **details)
    settings = runs / "other_past" / "experiment.toml"
    settings.write_text(settings.read_text().replace("2018-01-28", "2018-01-27"))
    context = Context(tiny_run.experiment, runs / "own", tiny_run.store)
    assert belief.counted_trials(context) == 300 + 1000


def window(seed: int, n_bars: int) -> tuple[Problem, np.ndarray]:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.002, n_bars)))
    problem = Problem(rng.random((n_bars, 2)), close, close, months=n_bars / 43_200, space=StrategySpace(2))
    return problem, 1_577_836_800_000 + 60_000 * np.arange(n_bars)


@pytest.mark.parametrize("n_days", [0.5, 1, 2, 3, 5, 16])
def test_short_windows_give_fewer_figures_and_no_errors(n_days):
    problems, times = {}, {}
    for seed, name in enumerate(("past", "future")):
        problems[name], times[name] = window(seed, int(1440 * n_days))
    params = problems["past"].space.sample(np.random.default_rng(0), 60)
    population = pd.DataFrame(params, columns=list(problems["past"].space.names))
    population = population.assign(**evaluate_population(problems["past"], params))
    order = np.argsort(-population["score"].to_numpy(), kind="stable")
    context = SimpleNamespace(seed=lambda *names: 1)
    found = belief.judge(context, population, {20: order[:20], 5: order[:5]}, problems, times)
    json.dumps(found, allow_nan=False)
    assert (found["overfitting"] is None) == (n_days < 4)
    assert (found["superior"]["future"] is None) == (n_days < 10)
    assert (found["tiers"][0]["without_best_fortnight"] is None) == (n_days < 15)
    assert (found["tiers"][0]["beta"] is None) == (n_days < 4)
    assert set(belief.deflated(found, 60)) == ({"20", "5"} if n_days >= 2 else set())
