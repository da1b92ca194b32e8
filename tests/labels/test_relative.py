"""The label that compares markets."""

from dataclasses import dataclass

import numpy as np
import pytest

from labelsearch.labels.base import LabelValues, MarketsBeside
from labelsearch.labels.kinds import make_label
from labelsearch.labels.proof import check_across, made_up_markets, prove_label
from labelsearch.labels.relative import Relative
from tests.naive import labels as naive


def markets_of(close, basket=None, **changes) -> MarketsBeside:
    close = np.array(close, dtype=float)
    there = np.isfinite(close)
    basket = np.zeros(len(close)) if basket is None else np.array(basket, dtype=float)
    return MarketsBeside(close, there, there, basket, np.ones(close.shape), np.full(close.shape, 0.02))._replace(
        **changes
    )


def labelled(markets: MarketsBeside, **options) -> list[LabelValues]:
    return Relative(**options).values_across(markets)


@pytest.mark.parametrize("options", Relative.examples)
def test_equal_to_the_slow_twin(options):
    for seed in range(3):
        markets = made_up_markets(seed, 200)
        for got, (value, classes, last) in zip(
            labelled(markets, **options), naive.relative(markets, **options), strict=True
        ):
            np.testing.assert_allclose(got.value, value, rtol=1e-11, atol=1e-14)
            assert got.classes.tolist() == classes
            assert got.last_used.tolist() == last


def test_by_hand():
    """Five markets over one bar; the basket gains 10 %, and the last one moves twice as much by its beta."""
    close = [[100.0] * 5, [110.0, 108.0, 115.0, 101.0, 125.0]]
    beta = np.ones((2, 5))
    beta[0, 4] = 2.0
    found = labelled(markets_of(close, [0.0, 0.1], beta=beta), horizon=1, value="rank")
    # beta-free: 0, -2, +5, -9, +5 %: the third and the last are equal
    assert [float(its.value[0]) for its in found] == [0.0, 0.5, -0.75, 1.0, -0.75]
    assert [int(its.classes[0]) for its in found] == [1, 1, 1, 2, 1]
    close[1][4] = 126.0
    found = labelled(markets_of(close, [0.0, 0.1], beta=beta), horizon=1, value="rank")
    assert [float(its.value[0]) for its in found] == [0.0, 0.5, -0.5, 1.0, -1.0]
    assert [int(its.classes[0]) for its in found] == [1, 1, 1, 2, 0]
    assert [its.last_used.tolist() for its in found] == [[1, 2]] * 5


def test_by_hand_in_volatilities():
    """The same beta-free gains, of markets with volatilities of 1 % and 2 %, over four bars."""
    close = [[100.0] * 3, [100.0] * 3, [100.0] * 3, [100.0] * 3, [104.0, 98.0, 103.0]]
    sigma = np.tile([0.02, 0.01, 0.01], (5, 1))
    found = labelled(markets_of(close, sigma=sigma), horizon=4)
    # gains 1, -1 and 1.5 volatilities of four bars; their median is 1
    assert [float(its.value[0]) for its in found] == pytest.approx([0.0, 2 / 3, -0.5 / 3])
    assert [int(its.classes[0]) for its in found] == [1, 2, 0]


def test_shares_are_those_asked_for():
    rng = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.01, (300, 20)), axis=0))
    found = labelled(markets_of(close), horizon=6, share=0.2)
    classes = np.array([its.classes for its in found])[:, :294]
    assert ((classes == 0).sum(axis=0) == 4).all()
    assert ((classes == 2).sum(axis=0) == 4).all()


def test_markets_that_are_no_members_have_no_label_and_change_none():
    markets = made_up_markets(4, 200)
    found = labelled(markets, horizon=3)
    close = markets.close.copy()
    out = ~(markets.member & markets.traded)
    later = np.roll(~out, 3, axis=0)  # whose close somebody's label reads
    close[out & ~later] *= 1.5
    again = labelled(markets._replace(close=close), horizon=3)
    for m, (its, other) in enumerate(zip(found, again, strict=True)):
        assert not its.settled[out[:, m]].any()
        assert not its.value[out[:, m]].any()
        np.testing.assert_array_equal(its.value, other.value)


def test_fewer_than_three_members_have_none():
    markets = made_up_markets(1, 100)
    member = np.zeros_like(markets.member)
    member[:, :2] = True
    assert not any(its.settled.any() for its in labelled(markets._replace(member=member), horizon=2))


def test_what_is_cut_is_what_is_computed_of_less():
    markets = made_up_markets(2, 150)
    for label in (Relative(1), Relative(8, 0.35), Relative(400)):
        whole = label.values_across(markets)
        for stop in (1, 7, 8, 9, 77, 149, 150):
            part = label.values_across(MarketsBeside(*(column[:stop] for column in markets)))
            for its, of_part in zip(whole, part, strict=True):
                for a, b in zip(its.before(stop), of_part, strict=True):
                    assert a.dtype == b.dtype
                    np.testing.assert_array_equal(a, b)


def test_one_series_is_refused_in_one_line():
    label = make_label("relative", horizon=6)
    assert (label.name, label.lookahead, label.reference(np.ones(3))) == ("relative_6", 6, 1.0)
    with pytest.raises(ValueError, match=r"^label relative_6 compares markets: it needs a panel of several$"):
        label.values(np.ones(9), 1.0)
    for bad in ({"horizon": 0}, {"horizon": 6, "share": 0.5}, {"horizon": 6, "share": 0.0}):
        with pytest.raises(ValueError, match=r"share between 0 and 0\.5"):
            make_label("relative", **bad)


def test_the_proof():
    prove_label(Relative)
    assert check_across(Relative(5)) > 0

    @dataclass(frozen=True)
    class Late(Relative):
        """Says that it is known a bar before it is."""

        def values_across(self, markets):
            found = super().values_across(markets)
            return [its._replace(last_used=np.where(its.settled, its.last_used - 1, its.last_used)) for its in found]

    with pytest.raises(ValueError, match=r"label kind relative: .*change labels whose last_used is not after it"):
        prove_label(Late)

    with pytest.raises(ValueError, match="label kind nothing: must be a frozen dataclass"):
        prove_label(type("Nothing", (), {"kind": "nothing", "across": True}))
