"""The search for a feature set."""

import itertools

import numba
import numpy as np
import pytest

from feature_space.candidates import Candidates, compute_candidates, parameter_grid
from feature_space.feature_set import Feature, FeatureSet
from feature_space.indicators import BY_NAME
from feature_space.normalise import Normalisation
from feature_space.selection import CONTRAST_WIDTH, PairSearch, select
from feature_space.separation import (
    Pairs,
    distances_nb,
    near_zero_mass,
    near_zero_weights,
    sample_pairs,
    separation_power,
)

NAMES = ("momentum_short", "rsi_long", "macd", "stochastic_short", "volume_activity")


@pytest.fixture(scope="module")
def problem(market):
    """Five indicators of up to nine settings, and pairs of bars labelled by where the price goes."""
    rows = np.arange(800, 5000)
    candidates = compute_candidates(
        [BY_NAME[n] for n in NAMES], market, rows, Normalisation("train", 240, 1.0), n_values=6, fit_stop=4000
    )
    ahead = np.zeros(6000)
    ahead[:-10] = market.close[10:] / market.close[:-10] - 1
    classes = np.where(ahead > 0.004, 0, np.where(ahead < -0.004, 2, 1)).astype(np.int8)
    rng = np.random.default_rng(0)
    return (
        candidates,
        sample_pairs(classes, rows, 1500, rng, cross=True),
        sample_pairs(classes, rows, 1500, rng, cross=False),
    )


def brute_power(candidates: Candidates, choice, pairs: Pairs, cut=None) -> float:
    """Separation power of one choice, from the matrix."""
    rows = [candidates.values[candidates.offsets[f] + c] for f, c in enumerate(choice)]
    matrix = np.ascontiguousarray(np.transpose(rows))
    d = distances_nb(matrix, candidates.position[pairs.left], candidates.position[pairs.right])
    n = len(candidates.features)
    return separation_power(near_zero_mass(d, near_zero_weights(n, quantile=cut), n))


def choice_of(candidates: Candidates, features) -> list[int]:
    return [group.index(feature) for group, feature in zip(candidates.features, features, strict=True)]


def test_candidates_are_the_features(problem, market):
    candidates = problem[0]
    for f, group in enumerate(candidates.features):
        for c in (0, len(group) - 1):
            matrix = FeatureSet((group[c],), Normalisation("train", 240, 1.0)).matrix(market)
            np.testing.assert_array_equal(candidates.values[candidates.offsets[f] + c], matrix[800:5000, 0])
            assert group[c].scale == np.std(group[c].raw(market)[:4000])
    np.testing.assert_array_equal(candidates.position, np.r_[np.full(800, -1), np.arange(4200)])


def test_grid():
    assert parameter_grid(BY_NAME["momentum_short"], 4) == [(1,), (2,), (5,), (10,)]
    assert parameter_grid(BY_NAME["macd"], 4) == [(3, 20), (3, 60), (15, 20), (15, 60)]
    for name, indicator in BY_NAME.items():
        grid = parameter_grid(indicator, 9)
        assert len(set(grid)) == len(grid) <= 9, name
        for values in grid:
            indicator.check(values)
        ends = itertools.product(*indicator.parameters.values())
        assert set(ends) <= set(grid)


@pytest.mark.parametrize("seed", range(4))
def test_no_single_change_helps(problem, seed):
    candidates, cross, same = problem
    found = select(candidates, cross, same, n_restarts=1, seed=seed)
    choice = choice_of(candidates, found.features)
    power = brute_power(candidates, choice, cross)
    np.testing.assert_allclose(found.power, power, rtol=1e-3)  # a pair on the edge of a bin may change sides
    changes = 0
    for f, group in enumerate(candidates.features):
        for c in range(len(group)):
            changed = [*choice[:f], c, *choice[f + 1 :]]
            assert brute_power(candidates, changed, cross) <= power * (1 + 1e-3)
            changes += changed != choice
    assert changes == len(candidates.values) - len(NAMES)


def test_figures_of_a_selection(problem):
    candidates, cross, same = problem
    found = select(candidates, cross, same, n_restarts=2, seed=1)
    choice = choice_of(candidates, found.features)
    assert found.power >= found.power_random
    np.testing.assert_allclose(found.power, separation_power(found.cross_class_mass))
    beside = brute_power(candidates, choice, same)
    np.testing.assert_allclose(separation_power(found.same_class_mass), beside, rtol=1e-3)
    assert found.distances.shape == found.same_distances.shape == (1500,)
    weights = near_zero_weights(len(NAMES))
    np.testing.assert_allclose(near_zero_mass(found.distances, weights, len(NAMES)), found.cross_class_mass, rtol=1e-3)
    # 15 random sets, 2 starts, then every candidate in each round
    assert found.n_evaluations >= 17 + 2 * len(candidates.values)


def test_more_restarts_are_no_worse_and_find_the_best(problem):
    candidates, cross, same = problem
    few = Candidates(candidates.features[:3], candidates.offsets[:4], candidates.values, candidates.position)
    powers = [brute_power(few, choice, cross) for choice in itertools.product(*(range(len(g)) for g in few.features))]
    found = select(few, cross, same, n_restarts=8, seed=0)
    np.testing.assert_allclose(found.power, max(powers), rtol=1e-3)
    assert np.median(powers) < max(powers) * 0.9  # else anything would do


def test_finds_a_planted_parameter():
    """Only one candidate of each feature separates the classes; the others are the same noise, as wide."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 3000).astype(np.int8)
    groups = [[Feature("momentum_short", (k,)) for k in range(1, 9)], [Feature("cci", (k,)) for k in range(10, 18)]]
    values = rng.choice([-0.6, 0.0, 0.6], (16, 3000)) + rng.normal(0, 0.01, (16, 3000))
    planted = 0.6 * (classes - 1.0) + rng.normal(0, 0.01, (2, 3000))
    values[3], values[8 + 6] = planted
    candidates = Candidates(groups, np.array([0, 8, 16]), values.astype(np.float32), np.arange(3000))
    rows = np.arange(3000)
    cross, same = (sample_pairs(classes, rows, 3000, rng, cross=c) for c in (True, False))
    for seed in range(5):
        found = select(candidates, cross, same, n_restarts=2, seed=seed)
        # features add up: once one of the two is there, no cross-class pair is near, whatever the other
        assert (found.features[0].parameters == (4,)) or (found.features[1].parameters == (16,))
        assert found.power > 100 * found.power_random
        assert found.same_class_mass > 100 * found.cross_class_mass


@pytest.mark.parametrize("quantile", [None, 0.2])
def test_same_seed_same_bits_whatever_the_threads(problem, quantile):
    candidates, cross, same = problem
    before = numba.get_num_threads()
    results = []
    for threads in (1, 1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        results.append(select(candidates, cross, same, n_restarts=2, seed=5, quantile=quantile))
    numba.set_num_threads(before)
    for other in results[1:]:
        assert other.features == results[0].features
        assert (other.power, other.power_random) == (results[0].power, results[0].power_random)
        assert other.same_class_mass == results[0].same_class_mass
        assert other.n_evaluations == results[0].n_evaluations
        assert other.distances.tobytes() == results[0].distances.tobytes()


def test_quantile_weight(problem):
    candidates, cross, same = problem
    found = select(candidates, cross, same, n_restarts=1, seed=5, quantile=0.2)
    assert 0 < found.cross_class_mass < 0.2
    # both masses count distances below the same cut
    cut = np.sort(found.distances)[round(found.cross_class_mass * 1500)]
    np.testing.assert_allclose(found.same_class_mass, (found.same_distances < cut).mean(), atol=0.005)
    assert found.same_class_mass > found.cross_class_mass


def contrast_by_hand(candidates, pairs, choice):
    """Cross-class over same-class mass, near meaning a share of the mean distance, from the definition."""
    means, masses = [], []
    values = [candidates.values[o + c].astype(float) for o, c in zip(candidates.offsets, choice, strict=False)]
    distances = []
    for p in pairs:
        left, right = candidates.position[p.left], candidates.position[p.right]
        distances.append(sum(np.abs(v[left] - v[right]) for v in values))
        means.append(distances[-1].mean())
    width = CONTRAST_WIDTH * np.mean(means)
    masses = [np.exp(-((d / width) ** 2)).mean() for d in distances]
    return masses[0] / masses[1]


def test_contrast_is_its_definition_and_ends_where_no_single_change_helps():
    rng = np.random.default_rng(4)
    n = 400
    classes = rng.integers(0, 3, n).astype(np.int8)
    groups = [[Feature("momentum_short", (k,)) for k in (1, 2, 3)], [Feature("rsi_short", (k,)) for k in (5, 6)]]
    values = np.tanh(rng.normal(0, 1, (5, n)) * np.array([0.3, 1.0, 3.0, 0.5, 0.5])[:, None]).astype(np.float32)
    values[3] += 0.4 * (classes - 1)  # the one candidate that depends on the class
    candidates = Candidates(groups, np.array([0, 3, 5]), np.clip(values, -1, 1), np.arange(n))
    rows = np.arange(n)
    pairs = [sample_pairs(classes, rows, 3000, rng, cross=cross, balanced=True) for cross in (True, False)]
    search = PairSearch(candidates, pairs[0], rng, pairs[1])
    for choice in ([0, 0], [2, 1], [1, 0]):
        expected = contrast_by_hand(candidates, pairs, choice)
        assert search.mass(np.array(choice)) == pytest.approx(expected, rel=2e-3)
    found = select(candidates, *pairs, n_restarts=3, seed=1, contrast=(pairs[0], pairs[1]))
    best = min(itertools.product(range(3), range(2)), key=lambda c: search.mass(np.array(c)))
    assert found.features == (groups[0][best[0]], groups[1][best[1]])
    assert best[1] == 0


def test_contrast_does_not_reward_spread():
    """The same information at another scale has the same contrast, and another separation power."""
    rng = np.random.default_rng(5)
    n = 500
    classes = rng.integers(0, 3, n).astype(np.int8)
    signal = (rng.normal(0, 0.05, n) + 0.05 * (classes - 1)).astype(np.float32)
    groups = [[Feature("momentum_short", (1,)), Feature("momentum_short", (2,))]]
    candidates = Candidates(groups, np.array([0, 2]), np.stack([signal, 3 * signal]), np.arange(n))
    pairs = [sample_pairs(classes, np.arange(n), 5000, rng, cross=cross, balanced=True) for cross in (True, False)]
    contrast = PairSearch(candidates, pairs[0], rng, pairs[1])
    assert contrast.mass(np.array([0])) == pytest.approx(contrast.mass(np.array([1])), rel=1e-6)
    power = PairSearch(candidates, pairs[0], rng)
    assert power.mass(np.array([0])) > 1.5 * power.mass(np.array([1]))


def test_balanced_pairs_draw_each_kind_equally_often():
    classes = np.repeat([0, 1, 2], [10, 900, 90]).astype(np.int8)
    rng = np.random.default_rng(6)
    for cross in (True, False):
        pairs = sample_pairs(classes, np.arange(1000), 6000, rng, cross=cross, balanced=True)
        kinds = 3 * np.minimum(classes[pairs.left], classes[pairs.right]) + np.maximum(
            classes[pairs.left], classes[pairs.right]
        )
        _, counts = np.unique(kinds, return_counts=True)
        assert len(counts) == 3
        assert (np.abs(counts - 2000) < 5 * np.sqrt(6000 * 2 / 9)).all()
