"""What figures show, computed once for page, pictures and tables."""

import numpy as np

from labelsearch.delivery.data import busiest_stretch, deciles, swarm_heights
from labelsearch.delivery.page.strategy_figures import decile_figure


def test_busiest_stretch():
    marked = np.ones(100, dtype=np.int8)
    marked[[31, 33, 35, 36]] = 0
    marked[[32, 38]] = 2
    marked[70:79] = 0
    # 6 of both sides count more than 9 of one
    assert busiest_stretch(marked, 10) == slice(30, 40)
    assert busiest_stretch(marked, 1000) == slice(0, 100)
    assert busiest_stretch(np.ones(100, dtype=np.int8), 10) == slice(0, 10)


def test_deciles_are_drawn_unrounded(tiny_run):
    found = deciles(tiny_run)
    mean, median = decile_figure(found).data
    assert mean["x"] == [str(decile) for decile in range(1, 11)]
    assert mean["y"] == [entry.mean_monthly_pct for entry in found]
    assert median["y"] == [entry.median_monthly_pct for entry in found]


def test_dots_of_a_swarm_are_apart_where_they_are_near_and_within_their_row():
    values = np.r_[np.full(9, 0.5), np.linspace(0, 0.3, 4)]
    heights = swarm_heights(values, 0.0, 1.0)
    assert len(set(heights[:9])) == 9
    assert heights[:9].sum() == 0
    assert (heights[9:] == 0).all()
    crowd = swarm_heights(np.zeros(1000), 0.0, 0.0)
    assert np.abs(crowd).max() == 0.4
    assert len(set(crowd)) == 1000
