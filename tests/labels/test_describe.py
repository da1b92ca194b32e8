"""Numbers of labels, counted by hand."""

import numpy as np

from labelsearch.labels.base import LabelValues
from labelsearch.labels.describe import ClassCounts, class_counts, marks, mean_horizon, mean_leg, overlap


def labelled(classes, last_used):
    classes = np.array(classes, dtype=np.int8)
    return LabelValues(classes - 1.0, classes, np.array(last_used))


#                    0  1  2  3  4  5  6  7
VALUES = labelled([0, 0, 1, 2, 2, 1, 0, 2], [1, 5, 3, 4, 8, 6, 7, 8])
TRADED = np.array([1, 1, 1, 1, 1, 0, 1, 1], dtype=bool)


def test_counts():
    assert class_counts(VALUES, TRADED) == ClassCounts(buy=3, neutral=1, sell=1, unsettled=2)
    nothing = class_counts(VALUES, np.zeros(8, dtype=bool))
    assert nothing == ClassCounts(0, 0, 0, 0)


def test_mean_horizon():
    assert mean_horizon(VALUES, TRADED) == (1 + 4 + 1 + 1) / 4  # bars 0, 1, 3 and 6; 4 and 7 are not settled
    assert mean_horizon(VALUES, TRADED & (VALUES.classes == 1)) is None


def test_mean_leg():
    turns = np.array([1, 4, 10, 11, 20])
    settled = np.ones(30, dtype=bool)
    assert mean_leg(turns, settled, slice(0, 30)) == 19 / 4
    assert mean_leg(turns, settled, slice(4, 20)) == 7 / 2
    settled[20] = False
    assert mean_leg(turns, settled, slice(0, 30)) == 10 / 3
    assert mean_leg(turns, settled, slice(0, 4)) is None


def test_overlap():
    #          0  1  2  3  4  5
    a = labelled([0, 0, 2, 2, 1, 0], [1, 2, 3, 4, 5, 6])  # bar 5 is not settled
    b = labelled([0, 2, 2, 1, 2, 0], [1, 2, 3, 4, 5, 5])
    c = labelled([1, 1, 1, 1, 1, 1], [1, 2, 3, 4, 5, 5])
    traded = np.array([1, 1, 1, 1, 1, 1], dtype=bool)
    assert overlap([marks(v, traded) for v in (a, b, c)]) == [
        [1.0, 2 / 4, 0.0],  # of 0, 1, 2, 3: b marks 0 and 2 alike, and 1 on the other side
        [2 / 5, 1.0, 0.0],
        [None, None, None],
    ]
    traded[0] = False
    assert overlap([marks(v, traded) for v in (a, b)])[0] == [1.0, 1 / 3]
