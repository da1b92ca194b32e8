"""What every label kind must hold, whichever kinds there are."""

import dataclasses
import pickle

import numpy as np
import pytest

from labelsearch.labels.kinds import KINDS, LabelValues, make_label
from tests.naive.labels import TWINS
from tests.naive.prices import assert_equals, walk

SETTINGS = {
    "threshold": [
        {"theta": 0.004, "horizon": h, "future": f, "scale": s}
        for h in (1, 8)
        for f in ("point", "wma")
        for s in ("fixed", "volatility", "quantile")
    ],
    "published": [{"horizon": 1}, {"horizon": 12}],
    "extrema": [{"up": 0.8, "down": 0.1}, {"up": 1, "down": 1}, {"up": 0.3, "down": 0.0}],
    "triple_barrier": [
        {"up": up, "down": down, "horizon": h, "scale": s, "vertical": v}
        for s, up, down, h in (("volatility", 0.8, 1.1, 8), ("fixed", 0.004, 0.003, 8), ("fixed", 0.004, 0.004, 1))
        for v in ("neutral", "sign")
    ],
    "trend_scanning": [
        {"shortest": 4, "longest": 12, "edge": 8.0},
        {"shortest": 2, "longest": 11, "edge": 5.0, "step": 4},
        {"shortest": 6, "longest": 6, "edge": 3.0},
    ],
}
# kinds in which the price at the last bar used moves every value that is not at its limit
TIGHT = {"threshold", "published", "triple_barrier"}
CASES = [(kind, options) for kind in KINDS for options in SETTINGS.get(kind, [{}])]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}{list(case[1].values())}")
def label(request):
    kind, options = request.param
    return make_label(kind, **options)


def prices(seed: int, n: int = 400) -> np.ndarray:
    """Random walk; odd seeds on a coarse tick with many equal prices."""
    rng = np.random.default_rng(seed)
    walk = 100.0 * np.exp(np.cumsum(rng.standard_t(4, n) * 2e-3))
    return np.round(walk * 4) / 4 if seed % 2 else walk


def reference(label) -> float:
    """From a price series of its own, and then held."""
    return label.reference(prices(99, 2000))


def futures(price: np.ndarray, last: int, rng: np.random.Generator):
    """The same prices up to ``last``, then others: flat, up, down, a jump, wild, and nothing at all."""
    rest = price.size - last - 1
    tails = [
        np.full(rest, price[last]),
        price[last] * 1.02 ** np.arange(1, rest + 1),
        price[last] * 0.98 ** np.arange(1, rest + 1),
        np.full(rest, 1000 * price[last]),
        price[last] * np.exp(rng.normal(0, 0.05, rest)),
        np.full(0, 1.0),
    ]
    return [np.r_[price[: last + 1], tail] for tail in tails]


def assert_last_used_holds(label, price: np.ndarray, rng: np.random.Generator) -> int:
    """Changing all prices after ``last_used[t]``, or cutting them, leaves label t as it is."""
    ref = reference(label)
    whole = label.values(price, ref)
    ends = np.unique(whole.last_used[whole.settled])
    for last in rng.choice(ends, min(ends.size, 12), replace=False) if ends.size else []:
        bars = np.flatnonzero(whole.last_used <= last)
        for other in futures(price, int(last), rng):
            changed = label.values(other, ref)
            what = f"{label.name}: bar {bars[0]}.. with last_used {last}"
            assert changed.value[bars].tobytes() == whole.value[bars].tobytes(), what
            assert (changed.classes[bars] == whole.classes[bars]).all(), what
            assert (changed.last_used[bars] == whole.last_used[bars]).all(), what
    return ends.size


def test_every_kind_is_here():
    assert set(SETTINGS) == set(KINDS)


def test_shape_range_and_class(label):
    for seed in range(6):
        price = prices(seed)
        got = label.values(price, reference(label))
        assert isinstance(got, LabelValues)
        assert got.value.dtype == np.float64
        assert got.classes.dtype == np.int8
        assert got.last_used.dtype == np.int64
        assert np.abs(got.value).max() <= 1.0
        assert set(got.classes.tolist()) <= {0, 1, 2}
        size = np.abs(got.value)
        action = size > label.class_edge if label.class_edge < 1.0 else size >= 1.0
        wanted = np.where(~action, 1, np.where(got.value < 0, 0, 2))
        np.testing.assert_array_equal(got.classes, wanted)
        assert (got.last_used >= np.arange(400)).all()
        assert (got.last_used <= 400).all()
        np.testing.assert_array_equal(got.settled, got.last_used < 400)


def test_lookahead_bounds_what_was_used(label):
    got = label.values(prices(0), reference(label))
    used = (got.last_used - np.arange(400))[got.settled]
    if label.lookahead is None:
        assert np.unique(used).size > 1
    else:
        assert used.max() == label.lookahead
        assert got.settled[: 400 - label.lookahead].all()
    assert (got.last_used[~got.settled] == 400).all()


def test_nothing_after_last_used_matters(label):
    settled = 0
    for seed in range(10):
        settled += assert_last_used_holds(label, prices(seed), np.random.default_rng(seed))
    assert settled > 0


def test_last_used_is_no_mere_caution(label):
    """One bar less changes some label, so the helper above can fail."""

    class Boasting:
        name, reference = label.name, staticmethod(label.reference)

        @staticmethod
        def values(price, ref):
            got = label.values(price, ref)
            return LabelValues(got.value, got.classes, np.where(got.settled, got.last_used - 1, price.size))

    def check_all():
        for seed in range(10):
            assert_last_used_holds(Boasting, prices(seed), np.random.default_rng(seed))

    with pytest.raises(AssertionError, match="last_used"):
        check_all()


def test_unsettled_bars_can_still_change(label):
    """The last bars are marked T, and another future does change some of them."""
    price, ref = prices(0), reference(label)
    got = label.values(price, ref)
    assert got.last_used[-1] == 400
    longer = label.values(np.r_[price, price[-1] * 1.02 ** np.arange(1, 100)], ref)
    assert (longer.value[:400] != got.value)[~got.settled].any()
    assert (longer.value[:400] == got.value)[got.settled].all()


def test_the_last_bar_used_is_used(label):
    """Another price at ``last_used[t]`` alone gives bar t another label, or another last bar."""
    kind = next(name for name, made in KINDS.items() if isinstance(label, made))
    price, ref = prices(2, 120), reference(label)
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
    if kind in TIGHT:
        assert moved[inner].all()
    assert moved.mean() > 0.05


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_equal_to_the_slow_twin(kind, options):
    label = make_label(kind, **options)
    for price in (walk(300, 11), walk(200, 12, coarse=True)):
        assert_equals(label.values(price, label.reference(price)), TWINS[kind](price.tolist(), *options.values()))


@pytest.mark.parametrize("n", [1, 2])
def test_one_and_two_bars(label, n):
    price = np.array([100.0, 101.0])[:n]
    got = label.values(price, reference(label))
    assert got.value.shape == got.classes.shape == got.last_used.shape == (n,)
    assert got.value[-1] == 0.0 or (n == 2 and not got.settled[-1])
    assert (got.last_used >= np.arange(n)).all()
    assert (got.last_used <= n).all()


def test_a_price_at_rest_is_neutral(label):
    got = label.values(np.full(50, 100.0), reference(label))
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


def test_prices_are_left_alone(label):
    price = prices(0)
    label.values(price, reference(label))
    np.testing.assert_array_equal(price, prices(0))
