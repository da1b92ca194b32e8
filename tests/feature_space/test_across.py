"""Features of many markets: ranks among them, and bar by bar."""

import numpy as np
import pytest

from feature_space.across import (
    AcrossStream,
    MarketBar,
    SideBySide,
    arranged,
    basket_column_nb,
    matrices,
    rank_rows_nb,
    ranked_candidates,
)
from feature_space.candidates import compute_candidates, joined
from feature_space.feature_set import Feature, FeatureSet
from feature_space.indicators import BY_NAME, Inputs, make_inputs
from feature_space.normalise import Normalisation
from tests.naive import features as naive

RANK = Normalisation("rank", 2, 1.0)
FEATURES = (
    Feature("momentum_short", (3,)), Feature("macd", (3, 20)), Feature("basket_beta", (120,)),
    Feature("beta_free_short", (5, 120)), Feature("funding_mean", (12,)), Feature("value_level", (20,)),
)  # fmt: skip
N, FIRST = 420, (0, 0, 60, 0)  # rows of the grid, and those that markets begin with
BAR = ("price", "high", "low", "close", "volume", "trades")


class Panel:
    """Four markets with missing bars, of which one begins late; and their common columns."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.basket = rng.normal(0, 1e-3, N)
        self.member = rng.random((N, 4)) > 0.2
        self.present = rng.random((N, 4)) > 0.1
        self.funding = np.where(rng.random((N, 4)) > 0.8, rng.normal(0, 1e-4, (N, 4)), 0.0)
        self.bars: list[list[MarketBar | None]] = []
        columns = []
        for m, first in enumerate(FIRST):
            self.present[:first, m], self.present[first, m] = False, True
            close = 100.0 * np.exp(np.cumsum(self.basket + rng.normal(0, 2e-3, N)))
            volume, noise = rng.lognormal(0, 1, N), rng.uniform(0, 1e-3, (2, N))
            rows = [(close[t] * (1 + noise[0, t] / 2), close[t] * (1 + noise[0, t]), close[t] * (1 - noise[1, t]),
                     close[t], volume[t], np.ceil(volume[t])) for t in range(N)]  # fmt: skip
            self.bars.append([MarketBar(*row) if self.present[t, m] else None for t, row in enumerate(rows)])
            columns.append(self.filled(rows, m, first))
        self.inputs = columns
        self.ranked = [(self.member & self.present)[first:, m] for m, first in enumerate(FIRST)]

    def filled(self, rows: list[tuple[float, ...]], m: int, first: int) -> Inputs:
        """Columns of a market from its first bar on, as a run fills in what is missing."""
        last, grid = 0.0, []
        for t in range(first, N):
            last = rows[t][3] if self.present[t, m] else last
            grid.append(rows[t] if self.present[t, m] else (last, last, last, last, 0.0, 0.0))
        own = np.array(grid).T.copy()
        return make_inputs(*own, basket_column_nb(self.basket[first:]), self.funding[first:, m].copy())

    def side_by_side(self, stop: int = N) -> SideBySide:
        sizes = [max(stop - first, 0) for first in FIRST]
        inputs = [Inputs(*(c[:size] for c in its)) for its, size in zip(self.inputs, sizes, strict=True)]
        ranked = [its[:size] for its, size in zip(self.ranked, sizes, strict=True)]
        found = arranged(inputs, ranked, [7 + first for first in FIRST])
        assert isinstance(found, SideBySide)
        return found


@pytest.fixture(scope="module")
def panel() -> Panel:
    return Panel()


def test_ranks_equal_their_twin_and_are_balanced():
    rng = np.random.default_rng(1)
    values, takes = np.round(rng.normal(0, 1, (300, 7)), 1), rng.random((300, 7)) > 0.3
    got = rank_rows_nb(values, takes)
    np.testing.assert_allclose(got, naive.ranks(values, takes), atol=1e-15)
    assert np.abs(got).max() < 1
    np.testing.assert_allclose(got.sum(axis=1), 0.0, atol=1e-12)
    one = rank_rows_nb(np.array([[5.0, 1.0, 1.0, 9.0]]), np.array([[True, True, True, False]]))
    assert one.tolist() == [[2 / 3, -1 / 3, -1 / 3, 0.0]]


def test_ranks_do_not_depend_on_where_a_series_began():
    """Markets that pay the same funding share a rank, though the last digits of their means differ by their start."""
    rng, rate = np.random.default_rng(2), 1e-4
    feature = Feature("funding_mean", (192,))
    firsts, columns = (0, 7, 40, 61, 131), []
    for first in firsts:
        close = 100.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, 500 - first)))
        paid = np.where(np.arange(first, 500) % 2 == 0, rate, 0.0)
        columns.append(make_inputs(*([close] * 4), np.ones_like(close), None, np.zeros_like(close), paid))
    raw = np.array([feature.raw(its)[-150:] for its in columns])
    assert len(np.unique(raw)) > 1
    np.testing.assert_allclose(raw, np.full_like(raw, raw[0, 0]), rtol=1e-12)
    flags = [np.ones(len(its.close), dtype=bool) for its in columns]
    side_by_side = arranged(columns, flags, firsts)
    for matrix in matrices([FeatureSet((feature,), RANK)] * 5, side_by_side):
        assert not matrix[-150:].any()


def test_matrices_are_ranks_of_raw_values(panel):
    made = list(matrices([FeatureSet(FEATURES, RANK)] * 4, panel.side_by_side()))
    for column, feature in enumerate(FEATURES):
        raw = np.zeros((N, 4))
        for m, first in enumerate(FIRST):
            raw[first:, m] = feature.raw(panel.inputs[m])
        wanted = naive.ranks(raw, panel.member & panel.present)
        for m, first in enumerate(FIRST):
            np.testing.assert_allclose(made[m][:, column], wanted[first:, m], atol=1e-7)
            assert not made[m][~panel.ranked[m], column].any()
    assert all(matrix.dtype == np.float32 for matrix in made)


def test_nothing_looks_ahead(panel):
    sets = [FeatureSet(FEATURES, RANK)] * 4
    whole = list(matrices(sets, panel.side_by_side()))
    for stop in (61, 200, 333):
        for part, matrix in zip(matrices(sets, panel.side_by_side(stop)), whole, strict=True):
            assert part.tobytes() == matrix[: len(part)].tobytes()


def test_some_markets_from_a_later_bar_on(panel):
    sets = [FeatureSet(FEATURES, RANK)] * 4
    whole = list(matrices(sets, panel.side_by_side()))
    some = list(matrices(sets, panel.side_by_side(), [2, 0], starts=[5, 6, 7, 8]))
    assert [its.tobytes() for its in some] == [whole[2][7:].tobytes(), whole[0][5:].tobytes()]


def test_without_ranks_each_market_is_on_its_own(panel):
    sets = [FeatureSet(FEATURES, Normalisation("train", 2, 1.0)).fit(its, 200) for its in panel.inputs]
    columns = arranged(panel.inputs, [None] * 4, list(FIRST))
    assert not isinstance(columns, SideBySide)
    for matrix, chosen, its in zip(matrices(sets, columns), sets, panel.inputs, strict=True):
        assert matrix.tobytes() == chosen.matrix(its).tobytes()


def test_candidates_hold_the_same_ranks(panel):
    names = ("momentum_short", "basket_beta")
    rows = [np.arange(m, len(its), 3) for m, its in enumerate(panel.ranked)]
    found = ranked_candidates([BY_NAME[n] for n in names], panel.side_by_side(), rows, n_values=3)
    for row, feature in enumerate(f for group in found[0].features for f in group):
        for m, matrix in enumerate(matrices([FeatureSet((feature,), RANK)] * 4, panel.side_by_side())):
            np.testing.assert_array_equal(found[m].values[row], matrix[rows[m], 0])
            np.testing.assert_array_equal(found[m].position[rows[m]], np.arange(rows[m].size))
    # as those of markets on their own are, they can be joined
    alone = [
        compute_candidates([BY_NAME[n] for n in names], its, r, Normalisation("train", 2, 1.0), n_values=3, fit_stop=50)
        for its, r in zip(panel.inputs, rows, strict=True)
    ]
    ranked, plain = joined(found), joined(alone)
    names_of = [[(f.name, f.parameters) for group in its.features for f in group] for its in (ranked, plain)]
    assert names_of[0] == names_of[1]
    assert ranked.values.shape == plain.values.shape


@pytest.mark.parametrize("kind", ["rank", "train", "local"])
def test_bar_by_bar_has_the_same_bits(panel, kind):
    normalisation = Normalisation(kind, 50, 1.0)
    labels = [FEATURES, FEATURES[::-1][:3]]  # two sets that share features
    sets = [[FeatureSet(its, normalisation).fit(own, 200) if kind != "rank" else FeatureSet(its, RANK)
             for its in labels] for own in panel.inputs]  # fmt: skip
    stream = AcrossStream(sets)
    rows = [
        stream.update([its[t] for its in panel.bars], panel.member[t], panel.basket[t], panel.funding[t])
        for t in range(N)
    ]
    columns = panel.side_by_side() if kind == "rank" else panel.inputs
    for n in range(len(labels)):
        for m, matrix in enumerate(matrices([its[n] for its in sets], columns)):
            assert all(row[m] is None for row in rows[: FIRST[m]])
            assert np.array([row[m][n] for row in rows[FIRST[m] :]]).tobytes() == matrix.tobytes()
