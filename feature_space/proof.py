"""The proof of a user's own indicator before its use.

It computes the indicator at both ends and in the middle of its parameter intervals on a made-up market, and refuses it
if a value looks ahead, depends on bars before the warm-up, or is not a finite number. Features that were chosen are
proved once more on the bars that they were chosen on.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from feature_space import FeatureError
from feature_space.chunks import first_needed
from feature_space.feature_set import Feature
from feature_space.indicators import BY_NAME, Array, Indicator, Inputs, make_inputs

LOOKS_AHEAD = "looks ahead: a prefix of the bars gives other values"
OTHER_IN_PARTS = "gives other values in parts than at once: see the docstrings of formulas and recursive"


def prove_indicator(indicator: Indicator) -> None:
    """Check an indicator as the contract tests check the built-in ones.

    Raises
    ------
    FeatureError
        One line that names the indicator and what is wrong.
    """
    BY_NAME.refuse_faulty(indicator, Indicator, _checks(indicator))


def _checks(indicator: Indicator) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "", lambda: _fault_of_row(indicator)
    intervals = indicator.parameters.values()
    for place in (min, max, lambda interval: sum(interval) // 2):
        values = tuple(place(interval) for interval in intervals)
        yield str(values), partial(_fault, indicator, values)


def prove_feature(feature: Feature, inputs: Inputs) -> None:
    """Check a feature of the user's own on the bars that it was chosen on; built-in ones are taken on trust.

    Raises
    ------
    FeatureError
        One line that names the feature and what is wrong.
    """
    indicator = feature.indicator()
    if indicator.origin:
        whole = indicator.finite(inputs, feature.parameters)
        for holds, fault in ((_is_causal, LOOKS_AHEAD), (_same_in_parts, OTHER_IN_PARTS)):
            if not holds(indicator, feature.parameters, inputs, whole):
                raise FeatureError(f"indicator {feature.title} on the bars of this run {fault}")


def _fault_of_row(indicator: Indicator) -> str:
    """What is wrong with the row itself, or nothing."""
    unknown = [column for column in indicator.columns if column not in Inputs._fields]
    if unknown or not indicator.columns:
        return f"has an unknown column {(*unknown, '')[0]!r}; known are {', '.join(Inputs._fields)}"
    intervals = indicator.parameters.values()
    if not intervals or not all(isinstance(a, int) and isinstance(b, int) and a <= b for a, b in intervals):
        return "needs one or more parameters, each an interval (low, high) of integers"
    return ""


def _fault(indicator: Indicator, values: tuple[int, ...]) -> str:
    """What is wrong at these parameters, or nothing."""
    warm_up = indicator.warm_up(*values)
    n = 2 * warm_up + 300
    inputs = _market(n)
    before = [column.tobytes() for column in inputs]
    whole = indicator.compute(inputs, values)
    if not isinstance(whole, np.ndarray) or whole.shape != (n,) or whole.dtype != np.float64:
        return "must return one float64 per bar"
    if not np.isfinite(whole).all():
        return f"is not finite at bar {int(np.flatnonzero(~np.isfinite(whole))[0])}"
    if not _is_causal(indicator, values, inputs, whole):
        return LOOKS_AHEAD
    late = indicator.compute(_rows(inputs, 150, n), values)[warm_up:] - whole[150 + warm_up :]
    if np.abs(late).max() > 1e-6:
        return f"still depends on where the series starts after its warm-up of {warm_up} bars"
    if not _same_in_parts(indicator, values, inputs, whole):
        return OTHER_IN_PARTS
    if before != [column.tobytes() for column in inputs]:
        return "changes its input arrays"
    return ""


def _is_causal(indicator: Indicator, values: tuple[int, ...], inputs: Inputs, whole: Array) -> bool:
    """Whether prefixes of the bars give the same bits as all at once."""
    n = whole.size
    prefixes = (1, 2, 7, n // 3, n // 2, n - 1)
    return all(indicator.compute(_rows(inputs, 0, n), values).tobytes() == whole[:n].tobytes() for n in prefixes)


def _same_in_parts(indicator: Indicator, values: tuple[int, ...], inputs: Inputs, whole: Array) -> bool:
    """Whether parts of the bars, as `FeatureStream` computes them, give the same bits as all at once."""
    columns, warm_up = indicator.columns_of(inputs), indicator.warm_up(*values)
    if indicator.start is None:
        for index in (whole.size - 1, whole.size - 2, max(whole.size - 99, 0)):
            first = first_needed(index, warm_up)
            part = indicator.kernel(*(column[first : index + 1] for column in columns), *values)
            if part[-1] != whole[index]:
                return False
        return True
    state, out = indicator.new_state(columns), np.empty(whole.size)
    for first, stop in ((0, 1), (1, 2), (2, 9), (9, 100), (100, whole.size)):
        indicator.kernel(*(column[first:stop] for column in columns), *values, state, out[first:stop])
    return out.tobytes() == whole.tobytes()


def _rows(inputs: Inputs, start: int, stop: int) -> Inputs:
    """Copies of bars start..stop as a series of their own: its first log return is 0."""
    part = Inputs(*(column[start:stop].copy() for column in inputs))
    part.log_return[:1] = 0.0
    return part


def _market(n: int) -> Inputs:
    """A made-up market of ``n`` bars, 20 of them without trade."""
    rng = np.random.default_rng(n)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-3, n)))
    close[n // 2 : n // 2 + 20] = close[n // 2]
    volume = rng.lognormal(0.0, 1.0, n)
    noise = rng.uniform(0.0, 1e-3, (2, n))
    volume[n // 2 : n // 2 + 20], noise[:, n // 2 : n // 2 + 20] = 0.0, 0.0
    high, low = close * (1.0 + noise[0]), close * (1.0 - noise[1])
    basket, funding = rng.normal(0.0, 1e-3, (2, n))
    return make_inputs((high + low + close) / 3.0, high, low, close, volume, np.ceil(10.0 * volume), basket, funding)
