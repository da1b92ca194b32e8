"""Every rolling kernel against its slow twin."""

import numpy as np
import pytest

from feature_space import elementary, kernels
from feature_space.chunks import first_needed
from feature_space.windows import TILE
from tests.naive import features as naive

pytestmark = pytest.mark.filterwarnings("ignore:invalid value")  # interpreted, a NaN or inf warns

ROLLING = {
    "sum": (kernels.rolling_sum_nb, naive.rolling_sum),
    "max": (kernels.rolling_max_nb, naive.rolling_max),
    "min": (kernels.rolling_min_nb, naive.rolling_min),
    "std": (kernels.rolling_std_nb, naive.rolling_std),
    "moments.mean": (lambda x, k: kernels.rolling_moments_nb(x, k)[0], naive.rolling_mean),
    "moments.square": (lambda x, k: kernels.rolling_moments_nb(x, k)[1], naive.rolling_squares),
    "moments.cross": (lambda x, k: kernels.rolling_moments_nb(x, k)[2], naive.rolling_cross),
    "centre": (kernels.rolling_centre_nb, naive.rolling_mean),
    "bars_since_max": (kernels.bars_since_max_nb, naive.bars_since_max),
    "bars_since_min": (kernels.bars_since_min_nb, lambda x, k: naive.bars_since_max(-x, k)),
}


def in_parts(kernel, x, first, *arguments):
    """A kernel that goes on from a state, in parts of 1, 2, 4, .. elements."""
    out, state = np.empty(x.size), np.full((2, 8), first)
    start, size = 0, 1
    while start < x.size:
        kernel(x[start : start + size], *arguments, state, out[start : start + size])
        start, size = start + size, 2 * size
    return out


def smooth(x, alpha):
    return in_parts(kernels.smooth_part_nb, x, x[0] if x.size else 0.0, alpha)


RECURSIVE = {
    "ema": (lambda x, k: smooth(x, 2 / (k + 1)), naive.ema),
    "wilder": (lambda x, k: smooth(x, 1 / k), naive.wilder),
}
STEPS = (lambda x, k: in_parts(kernels.steps_part_nb, x, x[0] if x.size else 0.0), lambda x, k: naive.steps(x))
ALL = {**ROLLING, **RECURSIVE, "steps": STEPS}
SKIP_NAN = ("max", "min", "bars_since_max", "bars_since_min")


def series(name):
    rng = np.random.default_rng(3)
    return {
        "walk": 9000.0 + np.cumsum(rng.normal(0, 5, 150)),
        "coarse walk": np.round(np.cumsum(rng.normal(0, 0.6, 150))),  # many ties and zeros
        "constant": np.full(60, 0.1),
        "jump": np.where(np.arange(80) < 37, 7000.1, 7000.2),
        "one": np.array([3.0]),
        "none": np.array([]),
        "short": np.array([3.0, -1.0, 4.0]),
    }[name]


def test_every_kernel_has_a_twin():
    here = {f"{name.split('.')[0]}" for name in (*ROLLING, "smooth_part", "steps_part")}
    public = {name.removesuffix("_nb").removeprefix("rolling_") for name in vars(kernels) if name.endswith("_nb")}
    through_others = {"divide", "divide_by_count", "balance_to", "recur", "extreme"}
    assert public - here == through_others


@pytest.mark.parametrize("k", [1, 2, 3, 7, 64, 65, 66, 100, 128, 129, 500])
@pytest.mark.parametrize("shape", ["walk", "coarse walk", "constant", "jump", "one", "none", "short"])
@pytest.mark.parametrize("name", ALL)
def test_equals_its_twin(name, shape, k):
    fast, slow = ALL[name]
    x = series(shape)
    np.testing.assert_allclose(fast(x, k), slow(x, k), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("k", [1, 2, 5, 60])
def test_a_constant_has_exactly_no_variance(k):
    for value in (0.1, 1e-9, 8123.17):
        x = np.full(300, value)
        mean, square, cross = kernels.rolling_moments_nb(x, k)
        assert (mean == value).all()
        assert not square.any()
        assert not cross.any()
    # and again once a jump has left the window
    assert not kernels.rolling_std_nb(np.r_[np.full(100, 0.1), np.full(100, 0.3)], k)[100 + k - 1 :].any()


@pytest.mark.parametrize("scale", [1e-6, 1e9])
def test_small_moves_on_a_high_level_keep_their_digits(scale):
    x = scale * (1e6 + np.random.default_rng(0).normal(0, 1, 400))
    np.testing.assert_allclose(kernels.rolling_std_nb(x, 30), naive.rolling_std(x, 30), rtol=1e-9, atol=0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("k", [1, 2, 5, 16])
@pytest.mark.parametrize("name", ROLLING)
def test_a_bad_element_leaves_with_its_window(name, k, bad):
    fast, slow = ROLLING[name]
    x = series("walk")[:60].copy()
    clean = fast(x, k)
    x[[20, 21, 30]] = bad
    got = fast(x, k)
    touched = np.array([bool(set(range(max(t - k + 1, 0), t + 1)) & {20, 21, 30}) for t in range(60)])
    np.testing.assert_allclose(got[~touched], clean[~touched], rtol=1e-12)
    if name in SKIP_NAN:
        np.testing.assert_array_equal(got, slow(x, k))
    elif name == "sum":
        np.testing.assert_array_equal(got[touched], bad)
    else:
        assert not np.isfinite(got[touched]).any()


@pytest.mark.parametrize("name", RECURSIVE)
def test_a_bad_element_stays_in_a_recursive_mean(name):
    fast, _ = RECURSIVE[name]
    x = series("walk")[:60].copy()
    clean = fast(x, 5)
    x[20] = np.nan
    got = fast(x, 5)
    np.testing.assert_array_equal(got[:20], clean[:20])
    assert np.isnan(got[20:]).all()


@pytest.mark.parametrize("name", ALL)
def test_a_prefix_has_the_same_bits(name):
    fast, _ = ALL[name]
    x = series("walk")
    for k in (1, 7, 64, 65, 100):
        whole = fast(x, k)
        for stop in (1, 6, 7, 8, 63, 64, 65, 127, 128, 149):
            assert fast(x[:stop].copy(), k).tobytes() == whole[:stop].tobytes()


@pytest.mark.parametrize("k", [1, 2, 7, 64, 65, 100, 128, 129, 300])
@pytest.mark.parametrize("name", ROLLING)
def test_a_later_start_at_whole_blocks_has_the_same_bits(name, k):
    """What parts and the streaming form of a feature rest on."""
    fast, _ = ROLLING[name]
    x = np.random.default_rng(7).normal(0, 1, 1500)
    whole = fast(x, k)
    for index in (k, 511, 512, 700, 1499):
        first = first_needed(index, k)
        assert first <= max(index - k, 0)
        assert fast(x[first : index + 1], k)[-1] == whole[index]
        assert fast(x[first:], k)[index - first :].tobytes() == whole[index:].tobytes()


@pytest.mark.parametrize("k", [1, 5, 64, 100, 128, 129, 600, 1100])
def test_series_of_several_parts(k):
    x = np.random.default_rng(8).normal(0, 1, 4 * max(TILE, 4 * k) + 7)
    seen = np.lib.stride_tricks.sliding_window_view(np.r_[np.zeros(k - 1), x], k)
    np.testing.assert_allclose(kernels.rolling_sum_nb(x, k), seen.sum(axis=1), rtol=1e-9, atol=1e-9)
    full = seen[k - 1 :]
    np.testing.assert_array_equal(kernels.rolling_max_nb(x, k)[k - 1 :], full.max(axis=1))
    np.testing.assert_array_equal(kernels.rolling_min_nb(x, k)[k - 1 :], full.min(axis=1))


@pytest.mark.parametrize("k", [2, 7, 64, 100, 128])
def test_short_sums_of_equal_elements_are_equal(k):
    x = np.full(3 * TILE, 0.1)
    assert len(np.unique(kernels.rolling_sum_nb(x, k)[k - 1 :])) == 1


def test_by_hand():
    x = np.array([1.0, 3.0, 2.0, 2.0, 6.0])
    assert kernels.rolling_sum_nb(x, 2).tolist() == [1, 4, 5, 4, 8]
    assert kernels.rolling_centre_nb(x, 2).tolist() == [1, 2, 2.5, 2, 4]
    assert kernels.bars_since_max_nb(x, 3).tolist() == [0, 0, 1, 2, 0]
    assert ALL["ema"][0](x, 3).tolist() == [1, 2, 2, 2, 4]
    assert ALL["wilder"][0](x, 4).tolist() == [1, 1.5, 1.625, 1.71875, 2.7890625]
    assert ALL["steps"][0](x, 0).tolist() == [0, 2, -1, 0, 4]
    assert kernels.divide_nb(0.0, 0.0) == 0.0
    assert kernels.divide_nb(1.0, 0.0) == 0.0


def test_logarithm():
    rng = np.random.default_rng(0)
    x = np.r_[np.exp(rng.normal(0, 1, 300)), 1 + rng.normal(0, 1e-6, 300), 2.3e-308, 1e-9, 0.5, 0.7, 0.71, 1.42, 1e300]
    np.testing.assert_allclose([elementary.log_nb(v) for v in x], np.log(x), rtol=4e-16, atol=0)
    assert elementary.log_nb(np.float64(1.0)) == 0.0


def test_arctangent():
    x = np.r_[np.random.default_rng(0).standard_cauchy(600), 0.66, -0.67, 2.41, 2.42, 1e-200, -1e200, np.inf, -np.inf]
    for y in (1.0, 1e-9, 7.3):
        got = [elementary.arctan_of_ratio_nb(v, y) for v in x * y]
        np.testing.assert_allclose(got, np.arctan(x), rtol=1e-15, atol=0)
    assert elementary.arctan_of_ratio_nb(0.0, 2.0) == 0.0
    assert np.isnan(elementary.arctan_of_ratio_nb(np.nan, 2.0))
