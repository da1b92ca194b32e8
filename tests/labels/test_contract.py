"""What every label kind must hold, whichever kinds there are."""

import dataclasses
import pickle

import numpy as np
import pytest

from labelsearch.labels.base import is_across
from labelsearch.labels.describe import turning_points
from labelsearch.labels.kinds import KINDS, LabelValues, make_label
from labelsearch.labels.proof import check_last_used, check_values, made_up_price, made_up_reference, prove_label
from tests.naive.labels import TWINS
from tests.naive.prices import assert_equals, walk

# kinds in which the price at the last bar used moves every value that is not at its limit
TIGHT = {"threshold", "published", "triple_barrier", "magnitude"}
# those that compare markets have a contract of their own: see test_relative
CASES = [(kind, options) for kind, made in KINDS.items() if not is_across(made) for options in made.examples]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}{list(case[1].values())}")
def label(request):
    kind, options = request.param
    return make_label(kind, **options)


def prices(seed: int, n: int = 400) -> np.ndarray:
    return made_up_price(seed, n)


@pytest.mark.parametrize("kind", KINDS)
def test_the_proof_accepts_ours(kind):
    prove_label(KINDS[kind])
    assert KINDS[kind].kind == kind
    assert KINDS[kind].origin == ""


def test_the_class_follows_from_the_value(label):
    for seed in range(6):
        got = check_values(label, prices(seed), made_up_reference(label))
        size = np.abs(got.value)
        action = size > label.class_edge if label.class_edge < 1.0 else size >= 1.0
        wanted = np.where(~action, 1, np.where(got.value < 0, 0, 2))
        np.testing.assert_array_equal(got.classes, wanted)


def test_lookahead_is_reached(label):
    got = label.values(prices(0), made_up_reference(label))
    np.testing.assert_array_equal(got.settled, got.last_used < 400)
    used = (got.last_used - np.arange(400))[got.settled]
    if label.lookahead is None:
        assert np.unique(used).size > 1
    else:
        assert used.max() == label.lookahead
        assert got.settled[: 400 - label.lookahead].all()
    assert (got.last_used[~got.settled] == 400).all()


def test_nothing_after_last_used_matters(label):
    for seed in range(10):
        check_last_used(label, prices(seed), made_up_reference(label), np.random.default_rng(seed))


def test_last_used_is_no_mere_caution(label):
    """One bar less changes some label, so the check above can fail."""

    class Boasting:
        name = label.name

        @staticmethod
        def values(price, ref):
            got = label.values(price, ref)
            return LabelValues(got.value, got.classes, np.where(got.settled, got.last_used - 1, price.size))

    def check_all():
        for seed in range(10):
            check_last_used(Boasting, prices(seed), made_up_reference(label), np.random.default_rng(seed))

    with pytest.raises(ValueError, match="whose last_used is"):
        check_all()


def test_unsettled_bars_can_still_change(label):
    """The last bars are marked T, and another future does change some of them."""
    price, ref = prices(0), made_up_reference(label)
    got = label.values(price, ref)
    assert got.last_used[-1] == 400
    longer = label.values(np.r_[price, price[-1] * 1.02 ** np.arange(1, 100)], ref)
    assert (longer.value[:400] != got.value)[~got.settled].any()
    assert (longer.value[:400] == got.value)[got.settled].all()


def test_the_last_bar_used_is_used(label):
    """Another price at ``last_used[t]`` alone gives bar t another label, or another last bar."""
    price, ref = prices(2, 120), made_up_reference(label)
    whole = label.values(price, ref)
    moved = np.zeros(price.size, dtype=bool)
    for last in np.unique(whole.last_used[whole.settled]):
        bars = (whole.last_used == last) & (np.arange(price.size) < last)
        for factor in (2.0, 0.5, 1.02, 0.98):
            other = price.copy()
            other[last] *= factor
            changed = label.values(other, ref)
            moved |= bars & ((changed.value != whole.value) | (changed.last_used != whole.last_used))
    inner = whole.settled & (np.abs(whole.value) < 1.0) & (whole.last_used > np.arange(price.size))
    if label.kind in TIGHT:
        assert moved[inner].all()
    assert moved.mean() > 0.05


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_equal_to_the_slow_twin(kind, options):
    label = make_label(kind, **options)
    for price in (walk(300, 11), walk(200, 12, coarse=True)):
        assert_equals(label.values(price, label.reference(price)), TWINS[kind](price.tolist(), **options))


@pytest.mark.parametrize("n", [1, 2])
def test_one_and_two_bars(label, n):
    price = np.array([100.0, 101.0])[:n]
    got = label.values(price, made_up_reference(label))
    assert got.value.shape == got.classes.shape == got.last_used.shape == (n,)
    assert got.value[-1] == 0.0 or (n == 2 and not got.settled[-1])
    assert (got.last_used >= np.arange(n)).all()
    assert (got.last_used <= n).all()


def test_a_price_at_rest_is_neutral(label):
    got = label.values(np.full(50, 100.0), made_up_reference(label))
    assert not got.value.any()
    assert (got.classes == 1).all()
    if label.reference(prices(0)) == 1.0:
        assert label.reference(np.full(50, 100.0)) == 1.0
    else:
        with pytest.raises(ValueError, match=f"label {label.name} cannot be scaled"):
            label.reference(np.full(50, 100.0))


def test_frozen_hashable_picklable(label):
    with pytest.raises(dataclasses.FrozenInstanceError):
        label.other = 1
    again = pickle.loads(pickle.dumps(label))
    assert again == label
    assert hash(again) == hash(label)
    np.testing.assert_array_equal(again.values(prices(0), 1.0), label.values(prices(0), 1.0))


def test_names_tell_labels_apart():
    names = [make_label(kind, **options).name for kind, options in CASES]
    assert len(set(names)) == len(names)


def test_turning_points_are_an_option_of_a_kind(label):
    found = turning_points(label, prices(0))
    if label.kind == "extrema":
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, label.turning_points(prices(0)))
    else:
        assert found is None
