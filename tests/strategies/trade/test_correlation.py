import numpy as np

from strategies.trade.correlation import unit_rows


def test_products_are_correlations_and_still_rows_are_zero():
    rows = np.random.default_rng(0).normal(3.0, 1.0, (5, 40))
    np.testing.assert_allclose(unit_rows(rows) @ unit_rows(rows).T, np.corrcoef(rows))
    rows[2] = 7.0
    assert not unit_rows(rows)[2].any()


def test_what_varies_by_rounding_alone_may_count_as_still():
    rows = np.full((2, 10), 1.0)
    rows[:, 0] += [1e-12, 1e-3]
    assert unit_rows(rows).any(axis=1).tolist() == [True, True]
    assert unit_rows(rows, least=1e-9).any(axis=1).tolist() == [False, True]
