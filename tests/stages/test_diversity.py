"""Diversity as the belief stage records it: held against a planted population and the files of runs."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from labelsearch.labels.base import LabelValues
from labelsearch.results.belief import Belief
from labelsearch.results.diversity import AcrossLabels, LabelDiversity
from labelsearch.stages.diversity import (
    N_SAMPLED,
    Days,
    across_labels,
    judge_diversity,
    label_diversity,
    truth_on_past,
)
from labelsearch.stages.seeds import Seeds


def made_days(n: int, seed: int) -> Days:
    """Strategies of two ideas by turns."""
    rng = np.random.default_rng(seed)
    market, ideas = rng.normal(0.0, 0.02, 40), rng.normal(0.0, 0.01, (2, 40))
    returns = ideas[np.arange(n) % 2] + 0.5 * market + rng.normal(0.0, 0.001, (n, 40))
    return Days(np.cumprod(np.c_[np.ones(n), 1.0 + returns], axis=1), market)


def test_a_population_of_two_groups():
    days = {"past": made_days(2500, 1), "future": made_days(2500, 2)}
    members = {6: np.array([0, 2, 1, 3, 4, 2499]), 2: np.array([0, 2])}
    found = judge_diversity(days, members, (), Seeds(3))
    assert N_SAMPLED <= len(found.points) <= N_SAMPLED + 6
    assert set(members[6]) <= set(found.points["row"])
    side = found.points["x"].to_numpy() > 0
    even = found.points["row"].to_numpy() % 2 == 0
    assert (side == even).all() or (side != even).all()
    assert found.n_still == 0
    of = {(row.tier, row.window): row for row in found.tiers}
    assert list(of) == [(6, "past"), (2, "past"), (6, "future"), (2, "future")]
    for window in days:
        assert of[2, window].effective_bets == pytest.approx(1.0, abs=0.1)  # both of one group
        assert of[6, window].effective_bets == pytest.approx(2.0, abs=0.2)
        assert of[2, window].mean_correlation == of[2, window].largest_correlation > 0.95
    assert found.correlation.columns.tolist() == ["0", "2", "1", "3", "4", "2499"]
    blocks = np.array(members[6])[list(found.order)] % 2
    assert (np.diff(blocks) != 0).sum() == 1
    assert found.across == AcrossLabels(0, None, None)


def test_one_member_that_never_moved_has_no_pairs():
    days = Days(np.ones((3, 11)), np.full(10, 0.01))
    found = judge_diversity({"past": days, "future": days}, {1: np.array([2])}, (), Seeds(1))
    assert found.n_still == 3
    assert len(found.points) == 0
    assert found.tiers[0].effective_bets == 0.0
    assert found.tiers[0].mean_correlation is None
    assert found.order == (0,)


def test_truth_is_of_traded_and_settled_bars():
    """Bars 3 to 8 are past, of which 5 has no trade and 8 is not settled."""
    last_used = np.arange(1, 10)
    values = LabelValues(np.arange(9.0), np.arange(9, dtype=np.int8) % 3, np.minimum(last_used, 9))
    found = truth_on_past(SimpleNamespace(name="a"), values, np.array([3, 4, 6, 7, 8]))
    assert found.rows.tolist() == [0, 1, 2, 3]
    assert found.values.value.tolist() == [3, 4, 6, 7]


def label_of(correlation: float | None, loss: float, naive: float = 1.0) -> LabelDiversity:
    return LabelDiversity("a", "cross entropy", 2, 10, loss + 0.1, loss, naive, correlation)


def test_across_labels_is_a_rank_correlation_with_a_permutation_test():
    rng = np.random.default_rng(0)
    pairs = rng.random((6, 2))
    found = across_labels([label_of(a, b) for a, b in pairs], 1)
    wanted = stats.spearmanr(1 - pairs[:, 0], pairs[:, 1])
    assert found.rho == pytest.approx(wanted.statistic)

    def statistic(x):
        return stats.spearmanr(x, pairs[:, 1]).statistic

    test = stats.permutation_test((1 - pairs[:, 0],), statistic, permutation_type="pairings", n_resamples=720)
    assert found.p_value == pytest.approx(test.pvalue, abs=1e-9)
    assert found.verdict == "cannot be told"


@pytest.mark.parametrize("n", [7, 12])
def test_verdicts_follow_the_sign(n):
    """Networks that agree less and are better: diversity helps."""
    helps = [label_of(0.9 - 0.05 * k, 1.0 - 0.01 * k) for k in range(n)]
    assert across_labels(helps, 1).verdict == "helps"
    harms = [label_of(0.9 - 0.05 * k, 1.0 + 0.01 * k) for k in range(n)]
    assert across_labels(harms, 1).verdict == "harms"
    assert across_labels(harms, 1).rho == pytest.approx(1.0)


def test_across_labels_needs_three_that_differ():
    alike = [label_of(0.5, 1.0)] * 5
    unknown = [label_of(None, 1.0), label_of(0.5, 1.0, 0.0), label_of(0.1, 0.5), label_of(0.2, 0.4)]
    assert across_labels(alike, 1) == AcrossLabels(5, None, None)
    assert across_labels(unknown, 1) == AcrossLabels(2, None, None)
    assert label_diversity(np.empty((1, 4, 2), np.float32), ()) == ()


def test_figures_of_a_run_are_those_of_its_tiers(tiny_run):
    found = tiny_run.belief.diversity
    for row in found.tiers:
        bets = tiny_run.ensembles.row(row.window, row.tier).effective_bets
        assert row.effective_bets == pytest.approx(bets, abs=1e-6)
    assert len(found.points) + found.n_still == 300
    assert found.correlation.columns.tolist() == [str(row) for row in tiny_run.ensembles.members[20]]
    assert found.labels == ()


def test_losses_of_a_run_with_two_networks(mixed_run, tmp_path):
    found = mixed_run.belief.diversity
    moves, classes = found.labels
    assert (moves.loss, classes.loss) == ("squared error", "cross entropy")
    assert [its.label for its in found.labels] == list(mixed_run.outputs.labels)
    assert min(its.ambiguity for its in found.labels) > 0
    spread = mixed_run.outputs.members[:, :, 0].astype(np.float64).var(axis=0).mean()
    assert moves.ambiguity == pytest.approx(spread, rel=0.05)  # bars that are not settled are left out
    counts = mixed_run.labels.counts[1].past
    assert classes.n_bars == counts.buy + counts.neutral + counts.sell
    shares = np.array([counts.buy, counts.neutral, counts.sell]) / classes.n_bars
    assert classes.naive_loss == pytest.approx(-(shares * np.log(shares)).sum())
    assert found.across.n == 2
    mixed_run.belief.save(tmp_path)
    again = Belief.load(tmp_path).diversity
    assert again == found
    assert again.points.equals(found.points)
    assert again.correlation.equals(found.correlation)
