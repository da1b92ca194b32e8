"""Dots of a swarm: apart where they are near, within their row."""

import numpy as np

from labelsearch.delivery.explain_plots import swarm_heights


def test_swarm():
    values = np.r_[np.full(9, 0.5), np.linspace(0, 0.3, 4)]
    heights = swarm_heights(values, 0.0, 1.0)
    assert len(set(heights[:9])) == 9
    assert heights[:9].sum() == 0
    assert (heights[9:] == 0).all()
    crowd = swarm_heights(np.zeros(1000), 0.0, 0.0)
    assert np.abs(crowd).max() == 0.4
    assert len(set(crowd)) == 1000
