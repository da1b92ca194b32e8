"""The verdict on tiers that were chosen before the window they are judged on.

Two questions, each at a level of 5 % over all tiers: whether positions were larger before prices rose (timing, which
costs and the market's direction do not touch), and whether the account earned more than its share of the market after
costs (alpha). Only the second is worth money.
"""

from collections.abc import Mapping

LEVEL = 0.05
EDGE, TIMING_ALONE, NOTHING = "edge", "timing, no profit shown", "no edge shown"


def verdict(timing: Mapping[int, float], alpha: Mapping[int, float]) -> str:
    """``edge``, ``timing, no profit shown`` or ``no edge shown``.

    Parameters
    ----------
    timing, alpha : mapping of int to float
        p-values by size of the tier, adjusted for the number of tiers; alpha may be empty where none can be told.

    Raises
    ------
    ValueError
        Without p-values of timing.

    Examples
    --------
    >>> verdict({20: 0.01}, {20: 0.04}), verdict({20: 0.01}, {20: 0.4}), verdict({20: 0.2}, {})
    ('edge', 'timing, no profit shown', 'no edge shown')
    """
    if not timing:
        raise ValueError("no p-values to judge")
    if alpha and min(alpha.values()) <= LEVEL:
        return EDGE
    return TIMING_ALONE if min(timing.values()) <= LEVEL else NOTHING
