"""Feature sets by discriminant: errors on time left out, and the search among sets."""

import itertools

import numpy as np
import pytest

from feature_space import FeatureError
from feature_space.discriminant import (
    N_FOLDS,
    RIDGE,
    STEPS,
    STRETCHES,
    DrawnRows,
    class_products,
    draw_rows,
    make_problems,
)
from feature_space.discriminant_search import DiscriminantSearch, size_by_folds
from feature_space.held_out import LaterValues, fit_discriminant, later_errors
from tests.naive import discriminant as naive


def planted(n: int, seed: int, strength: float = 1.0):
    """Twelve features, four settings each of three indicators, and classes of which two features tell.

    Feature 2 tells buy from sell by its sign, feature 5 action from neutral by its size.
    """
    rng = np.random.default_rng(seed)
    features = np.tanh(rng.normal(0, 0.7, (12, n)))
    side = strength * 2.0 * features[2] + rng.normal(0, 1, n)
    move = strength * 3.0 * features[5] ** 2 + rng.normal(0, 0.5, n)
    classes = np.where(move < 1.0, 1, np.where(side > 0, 0, 2)).astype(np.int8)
    return features.astype(np.float32), classes


@pytest.fixture(scope="module")
def problem():
    features, classes = planted(4000, 1)
    n = len(classes)
    drawn = draw_rows(classes, np.arange(n), np.arange(n) + 5, 600, np.random.default_rng(2))
    products = class_products(features[:, drawn.rows], [drawn])
    return features, drawn, products, DiscriminantSearch(make_problems(products), np.arange(0, 13, 4), np.ones(3))


def test_errors_are_those_of_regressions_on_rows(problem):
    features, drawn, _, search = problem
    steps = np.rint(features[:, drawn.rows].astype(float) * STEPS)
    for rows in ((2,), (1, 5), (2, 5, 11)):
        expected = naive.errors(steps[list(rows)], drawn.classes, drawn.folds, N_FOLDS, RIDGE)
        assert search.errors(rows) == pytest.approx(expected, rel=1e-9)
        assert search.with_each(rows[:-1], np.array(rows[-1:]))[..., 0] == pytest.approx(expected, rel=1e-9)


def test_knowing_nothing_leaves_all(problem):
    assert problem[3].errors(()) == pytest.approx(np.ones((3, N_FOLDS)))


def test_sums_are_exact_whatever_their_order(problem):
    features, drawn, products, _ = problem
    back = DrawnRows(drawn.rows[::-1], drawn.classes[::-1], drawn.folds[::-1])
    parts = [DrawnRows(*(column[part] for column in drawn)) for part in (slice(0, 700), slice(700, None))]
    assert class_products(features[:, back.rows], [back]).tobytes() == products.tobytes()
    assert class_products(features[:, drawn.rows], parts).tobytes() == products.tobytes()
    assert (products == np.rint(products)).all()


def test_the_search_finds_what_was_planted_and_leaves_out_the_rest(problem):
    assert problem[3].search(3).rows == (2, 5)


def test_no_set_of_two_is_better_than_the_one_found(problem):
    search = problem[3]
    pairs = [(a, b) for a, b in itertools.combinations(range(12), 2) if a // 4 != b // 4]
    best = min(pairs, key=lambda rows: float(search.total(search.errors(rows))))
    found = search.search(3, 2)
    assert found.rows == best
    assert found.error == pytest.approx(float(search.total(search.errors(best))))
    assert found.path[2] >= found.error - 1e-12


def test_a_set_holds_one_setting_of_an_indicator(problem):
    rows = problem[3].search(3, 3).rows
    assert [row // 4 for row in rows] == [0, 1, 2]


def test_weights_of_kinds_decide_what_is_found(problem):
    _, _, products, _ = problem
    for weights, expected in (((1.0, 0.0, 0.0), 2), ((0.0, 1.0, 1.0), 5)):
        search = DiscriminantSearch(make_problems(products), np.arange(0, 13, 4), np.array(weights))
        assert search.search(3, 1).rows == (expected,)


def test_noise_alone_is_left_out_mostly():
    """The rule of one standard error, on the best of twelve features of noise."""
    sizes = []
    for seed in range(40):
        features, classes = planted(1500, 100 + seed, strength=0.0)
        classes = np.random.default_rng(seed).permutation(classes)
        drawn = draw_rows(classes, np.arange(1500), np.arange(1500), 400, np.random.default_rng(seed))
        problems = make_problems(class_products(features[:, drawn.rows], [drawn]))
        sizes.append(len(DiscriminantSearch(problems, np.arange(0, 13, 4), np.ones(3)).search(3).rows))
    assert np.mean([size == 0 for size in sizes]) >= 0.5


def test_spread_changes_nothing(problem):
    """A feature at half its spread tells as much; only its rounding differs."""
    features, drawn, _, search = problem
    halved = features.copy()
    halved[2] *= 0.5
    other = DiscriminantSearch(
        make_problems(class_products(halved[:, drawn.rows], [drawn])), search.offsets, np.ones(3)
    )
    assert other.errors((2, 5)) == pytest.approx(search.errors((2, 5)), rel=2e-3)


def test_rows_do_not_reach_into_another_fold():
    rng = np.random.default_rng(3)
    n, ahead = 3000, 20
    classes = rng.integers(0, 3, n).astype(np.int8)
    rows = np.flatnonzero(rng.random(n) < 0.8)
    drawn = draw_rows(classes, rows, np.arange(n) + ahead, 500, rng)
    edges = np.linspace(rows[0], rows[-1] + 1, N_FOLDS * STRETCHES[0] + 1).astype(int)
    stretch = np.searchsorted(edges, drawn.rows, side="right")
    assert (np.searchsorted(edges, drawn.rows + ahead, side="right") == stretch).all()
    assert np.isin(drawn.rows, rows).all()
    assert (np.diff(drawn.rows) > 0).all()
    assert (np.bincount(drawn.classes) == 500).all()
    assert sorted(np.unique(drawn.folds)) == list(range(N_FOLDS))


def test_long_labels_have_longer_stretches():
    n = 2400
    classes = np.resize([0, 1, 2], n).astype(np.int8)
    for ahead, each in ((10, 3), (60, 1), (250, 1)):
        drawn = draw_rows(classes, np.arange(n), np.arange(n) + ahead, 700, np.random.default_rng(0))
        edges = np.linspace(0, n, N_FOLDS * each + 1).astype(int)
        stretch = np.searchsorted(edges, drawn.rows, side="right")
        assert (np.searchsorted(edges, drawn.rows + ahead, side="right") == stretch).all()
    with pytest.raises(FeatureError, match="too far ahead"):
        draw_rows(classes, np.arange(n), np.arange(n) + 400, 700, np.random.default_rng(0))


def test_one_class_is_refused():
    with pytest.raises(FeatureError, match="fewer than two classes"):
        draw_rows(np.ones(500, dtype=np.int8), np.arange(500), np.arange(500), 50, np.random.default_rng(0))


def test_a_kind_that_does_not_occur_is_left_out():
    features, classes = planted(3000, 4)
    classes[classes == 2] = 1
    drawn = draw_rows(classes, np.arange(3000), np.arange(3000), 400, np.random.default_rng(0))
    problems = make_problems(class_products(features[:, drawn.rows], [drawn]))
    assert problems.kinds == (1,)
    search = DiscriminantSearch(problems, np.arange(0, 13, 4), np.ones(3))
    assert np.isfinite(search.search(2).error)


def test_the_size_is_the_smallest_that_is_not_shown_to_be_worse():
    rng = np.random.default_rng(5)
    shared = rng.normal(0, 0.1, 8)
    means = np.array([1.0, 0.8, 0.7, 0.699, 0.71])
    noise = np.array([0.0, 0.0, 0.0, 0.02, 0.0])[:, None] * np.resize([1.0, -1.0], 8)
    assert size_by_folds(means[:, None] + shared + noise) == 2


def test_a_fitted_discriminant_has_the_errors_of_regression_on_later_rows():
    features, classes = planted(6000, 6)
    drawn = draw_rows(classes, np.arange(4000), np.arange(6000), 2000, np.random.default_rng(1))
    fitted = fit_discriminant(class_products(features[:, drawn.rows], [drawn]), (2, 5))
    values = fitted.values(features[[2, 5], 4000:].T)
    found = later_errors([LaterValues(values, classes[4000:])], fitted.kinds, np.array([0, 7]))
    steps = np.rint(features[[2, 5]].astype(float) * STEPS)
    kept = np.r_[drawn.rows, np.arange(4000, 6000)]
    folds = np.r_[np.zeros(len(drawn.rows), dtype=int), np.ones(2000, dtype=int)]
    expected = naive.errors(steps[:, kept], classes[kept], folds, 2, RIDGE)[:, 1]
    assert found[0] == pytest.approx(expected, rel=0.02)  # the variance is that of both here
    assert (found[0] < 0.95).all()
    assert (found[1] > found[0]).all()
