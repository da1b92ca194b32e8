"""Candidates on a market with a planted edge: judged on later bars, the same for any number of threads."""

import numpy as np
import pytest

from labelsearch.label_space.judge import Budget, fitted_rows, judge
from labelsearch.label_space.market import cut
from labelsearch.label_space.ranges import LabelSpace, default_ranges
from labelsearch.label_space.search import BATCH, SpaceSearch, search_space
from labelsearch.labels.kinds import Magnitude, Threshold
from tests.label_space.conftest import seed, space_market

BUDGET = Budget(1500, 6, 3, True)


def search_of(n: int, sampler: str = "sobol", objective: str = "worth") -> SpaceSearch:
    return SpaceSearch(LabelSpace(default_ranges(96), 0.003), n, sampler, objective, 1800, 6, 3, 0.05)


@pytest.fixture(scope="module")
def parts(market):
    return cut(market.features.first, len(market.price), 0.3)


@pytest.fixture(scope="module")
def judged(market, parts):
    return judge(Magnitude(4, 0.7), market, parts, BUDGET, 0.05, seed)


def test_a_planted_edge_is_seen(judged):
    assert judged.skill.value > 0.0
    assert judged.auc_sides.low > 0.5
    assert judged.auc_sides.low < judged.auc_sides.value < judged.auc_sides.high
    assert judged.worth.t > 2.0
    assert 0 < judged.error < 1
    assert judged.horizon == 4.0
    assert 0.15 < judged.uniqueness < 0.25  # each label spans five bars
    assert judged.outputs.shape[1] == 2


def test_nothing_after_the_judging_part_is_read(market, parts, judged):
    stop = parts.stop - 500
    earlier = parts._replace(stop=stop)
    changed = market._replace(price=market.price.copy(), open=market.open.copy(), usable=market.usable.copy())
    changed.price[stop:] *= 2.0
    changed.open[stop:] *= 3.0
    changed.usable[stop:] = False
    first, second = (judge(Magnitude(4, 0.7), its, earlier, BUDGET, 0.05, seed) for its in (market, changed))
    assert first.worth == second.worth
    assert first.skill == second.skill
    assert first.outputs.tobytes() == second.outputs.tobytes()


def test_fitted_labels_depend_on_no_judged_bar(market, parts):
    values = Threshold(0.004, 12).values(market.price[: parts.stop], 1.0)
    rows = fitted_rows(values, market.usable, parts.start, parts.calibrate)
    assert rows.max() + 12 < parts.calibrate
    assert values.last_used[rows].max() < parts.calibrate
    assert market.usable[rows].all()


def test_features_shifted_against_the_market_know_nothing(market, parts):
    found = [judge(Magnitude(4, 0.7), market.shifted(shift), parts, BUDGET, 0.05, seed) for shift in (2011, 4500, 7000)]
    ends = [its.auc_sides for its in found if not isinstance(its, str)]
    assert np.mean([abs(its.value - 0.5) for its in ends] or [0.0]) < 0.04


def test_a_label_that_marks_too_little_says_so(market, parts):
    found = judge(Threshold(0.5, 4), market, parts, BUDGET, 0.05, seed)
    assert found == "marks 0 buy and 0 sell bars, and later 0 and 0"


@pytest.mark.parametrize("sampler", ["sobol", "tpe"])
def test_threads_change_nothing_and_hyperband_drops_the_poor(market, parts, sampler):
    def search(threads: int):
        return search_space(search_of(BATCH + 4, sampler), market, parts, seed, threads=threads)

    first, second = search(1), search(3)
    assert [(its.kind, its.options, its.rungs, its.value, its.reason) for its in first] == [
        (its.kind, its.options, its.rungs, its.value, its.reason) for its in second
    ]
    assert [its.number for its in first] == list(range(BATCH + 4))
    full = [its for its in first if its.rungs == 2]
    dropped = [its for its in first if its.reason.startswith("dropped at 600 rows")]
    assert full
    assert dropped
    assert max(its.value for its in full) > np.median([its.value for its in dropped])


def test_worth_is_found_where_it_was_planted_and_not_elsewhere():
    for edge, passes in ((0.25, True), (0.0, False)):
        market = space_market(9, edge=edge)
        parts = cut(market.features.first, len(market.price), 0.3)
        found = search_space(search_of(BATCH), market, parts, seed, threads=2)
        best = max((its.value for its in found if its.rungs == 2), default=-9.0)
        assert (best > 3.0) == passes
