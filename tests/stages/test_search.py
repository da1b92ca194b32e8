"""What the search stage hands to the tiers."""

import dataclasses

import numpy as np
import pytest
from labelsearch.pipeline.experiment import Experiment
from labelsearch.pipeline.run import run_experiment
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.stages import ensembles, search

from strategies.tiers.ranking import CRITERIA


def with_sections(context, **sections):
    changed = Experiment.from_dict({**context.experiment.to_dict(), **sections})
    return dataclasses.replace(context, experiment=changed)


def test_tiers_are_formed_by_the_criterion_asked_for(tiny_run):
    population = search.load(tiny_run)
    orders = []
    for name in CRITERIA:
        values = search.ranking(with_sections(tiny_run, tiers={"sizes": [20, 5], "ranking": name}), population)
        assert values.shape == (len(population),)
        orders.append(tuple(np.argsort(-values, kind="stable")[:20]))
    assert orders[0] == tuple(ensembles.load(tiny_run)["members"]["20"])
    assert len(set(orders)) == len(CRITERIA)
    with pytest.raises(ExperimentError, match="ranking = 'luck' is unknown"):
        with_sections(tiny_run, tiers={"sizes": [5], "ranking": "luck"})


def test_the_transaction_rate_may_follow_volatility(tiny_run):
    fixed = search.problem(tiny_run, "past").score
    moving = with_sections(tiny_run, score={"rate": "volatility"})
    ratio = search.volatility(tiny_run, "past") / search.volatility(tiny_run, "train")
    assert search.problem(moving, "past").score.target_trades == pytest.approx(30 * ratio)
    assert search.problem(moving, "future").score == search.problem(moving, "past").score != fixed


def test_a_long_short_run_with_slippage_goes_through(tiny_experiment, tmp_path):
    base = tiny_experiment.to_dict()
    sections = {**base["search"], "side": "both", "slippage": 1.5, "n_strategies": 40, "island_size": 32}
    experiment = Experiment.from_dict({**base, "search": sections})
    context = run_experiment(experiment, tmp_path, tmp_path / "store", workers=1)
    problem = search.problem(context, "past")
    assert problem.short
    assert problem.slippage == pytest.approx(1.5e-4)
    positions = [row["mean_position"] for row in ensembles.load(context)["table"]]
    assert min(positions) > -100
    assert len(positions) == 2 * (2 + 3)  # tiers and baselines, past and future
