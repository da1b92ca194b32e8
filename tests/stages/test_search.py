"""What the search stage hands to the tiers."""

import dataclasses
import shutil

import pytest

from labelsearch.results.run import Results
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.ensembles import Judge
from labelsearch.stages.plan import RunValues
from labelsearch.stages.search import spread
from strategies.search.problem import SearchProblem
from strategies.search.score import PaperScore
from strategies.tiers.ranking import RANKINGS
from tests.running import run_experiment


def with_sections(results, **sections):
    return Experiment.from_dict({**results.experiment.to_dict(), **sections})


def test_tiers_are_formed_by_the_ranking_asked_for(tiny_run):
    search, tiers = tiny_run.experiment.search, tiny_run.experiment.tiers
    problems = {
        name: SearchProblem(tiny_run.outputs.window(name), search.space(6), tiny_run.experiment.rules(), PaperScore())
        for name in ("past", "future")
    }
    orders = []
    for name in RANKINGS:
        judge = Judge(problems, tiny_run.strategies, dataclasses.replace(tiers, ranking=name))
        orders.append(tuple(judge.choice.members[20].tolist()))
    assert orders[0] == tiny_run.ensembles.members[20]
    assert len(set(orders)) == len(RANKINGS)
    with pytest.raises(ExperimentError, match="ranking = 'luck' is unknown"):
        with_sections(tiny_run, tiers={"sizes": [5], "ranking": "luck"})


def test_the_transaction_rate_may_follow_volatility(tiny_run):
    moving = RunValues(with_sections(tiny_run, score={"rate": "volatility"}), tiny_run.store)
    bars = tiny_run.bars
    past, train = (spread(bars.close[tiny_run.rows(w)][~bars.filled[tiny_run.rows(w)]]) for w in ("past", "train"))
    assert moving["score"] == PaperScore(target_trades=30.0 * (past / train))
    assert RunValues(tiny_run.experiment, tiny_run.store)["score"] == PaperScore()


def test_a_long_short_run_with_slippage_goes_through(tiny_run, tmp_path):
    base = tiny_run.experiment.to_dict()
    sections = {**base["search"], "side": "both", "n_strategies": 40, "island_size": 32}
    costs = {"venue": "okx-perp", "half_spread": 1e-4, "impact": 1.0, "capital": 1e4, "funding": "base"}
    costs |= {"impact_days": 5, "borrow": 1e-4}
    experiment = Experiment.from_dict({**base, "search": sections, "costs": costs})
    shutil.copytree(tiny_run.folder, tmp_path / experiment.run_id)  # labels to outputs are taken over
    results = Results(run_experiment(experiment, tmp_path, tiny_run.store, workers=1))
    found = results.ensembles
    positions = [row.figures.mean_position_pct for row in found.rows]
    for row in found.rows:
        for cost in ("fees", "spread", "impact"):
            assert getattr(row.figures, f"{cost}_pct") > 0
        assert row.figures.funding_pct != 0
        of = [paid for paid in found.paid if (paid.name, paid.window) == (row.name, row.window)]
        assert [paid.year for paid in of] == [2018]
        costs = sum(getattr(of[0], f"{name}_pct") for name in ("fees", "spread", "impact", "funding", "borrow"))
        assert of[0].gross_pct - costs == pytest.approx(of[0].net_pct) == pytest.approx(row.figures.total_return_pct)
    assert sum(row.figures.borrow_pct for row in found.rows) > 0
    assert results.costs.facts["past"].n_payments == 7 * 3
    for tier in results.belief.tiers:
        assert list(tier.at_costs_pct.values()) == sorted(tier.at_costs_pct.values(), reverse=True)
    assert min(positions) > -100
    assert len(positions) == 2 * (2 + 3 + len(found.controls)) == 2 * 12  # tiers, baselines and controls, both windows


def test_the_settings_are_recorded(tiny_run):
    assert tiny_run.strategies.settings.n_strategies == 300
    assert tiny_run.strategies.parameters[-3:] == ("theta_buy", "theta_sell", "delta")
    assert tiny_run.strategies.params.shape == (300, 9)
