"""A user's own indicators are proved before they are used."""

from dataclasses import replace

import numpy as np
import pytest

from feature_space import FeatureError
from feature_space.candidates import compute_candidates
from feature_space.feature_set import Feature, FeatureSet, warm_up_of
from feature_space.indicators import BY_NAME, INDICATORS, Indicator
from feature_space.normalise import Normalisation
from feature_space.proof import _market, prove_feature, prove_indicator
from feature_space.streaming import FeatureStream

OWN = '''"""Two indicators of a user."""
import numpy as np
from numba import njit
from feature_space.indicators import Indicator
from feature_space.kernels import rolling_sum_nb, smooth_part_nb

@njit(error_model="numpy")
def range_share_nb(high, low, a, b):
    """Mean range of the last a bars against that of the last b."""
    spread = high - low
    short, long, out = rolling_sum_nb(spread, a), rolling_sum_nb(spread, b), np.zeros(high.size)
    for i in range(out.size):
        if long[i] > 0.0:
            out[i] = short[i] / long[i]
    return out

@njit(error_model="numpy")
def distance_nb(close, k, state, out):
    """Close against its exponential mean."""
    smooth_part_nb(close, 2.0 / (k + 1.0), state[0], out)
    for i in range(out.size):
        out[i] = close[i] / out[i] - 1.0

INDICATORS = [
    Indicator("range_share", "R_a/R_b", "volatility", {"a": (65, 100), "b": (150, 300)}, ("high", "low"),
              range_share_nb, lambda a, b: b + 1),
    Indicator("distance", "C/EMA_k - 1", "trend", {"k": (5, 20)}, ("close",),
              distance_nb, lambda k: 12 * k + 12, lambda close: (close,)),
]
'''
PLAIN = """
import numpy as np
from feature_space.indicators import Indicator

def kernel({arguments}):
{body}

INDICATORS = [Indicator({name!r}, "?", "trend", {{"k": (2, 9)}}, ("close",), kernel, lambda k: {warm_up}{start})]
"""


def plain(body, name="mine", warm_up="k + 1", arguments="close, k", start=""):
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return PLAIN.format(body=lines, name=name, warm_up=warm_up, arguments=arguments, start=start)


def defined(text: str) -> list[Indicator]:
    """The ``INDICATORS`` of the text of a user's file."""
    names: dict = {}
    exec(text, names)
    return names["INDICATORS"]


@pytest.mark.parametrize("indicator", INDICATORS, ids=lambda i: i.name)
def test_the_proof_accepts_ours(indicator):
    prove_indicator(indicator)


def test_own_indicators_are_features_like_any_other(registries, market, cutter):
    found = defined(OWN)
    for indicator in found:
        prove_indicator(indicator)
        BY_NAME.register(indicator)
    inputs = cutter(market, 0, 800)
    features = (Feature("range_share", (70, 200)), Feature("macd", (5, 25)), Feature("distance", (7,)))
    chosen = FeatureSet(features, Normalisation("train", 240, 1.0)).fit(inputs, 600)
    chosen.check()
    matrix = chosen.matrix(inputs)
    stream = FeatureStream([chosen])
    bars = zip(*(getattr(inputs, c) for c in ("price", "high", "low", "close", "volume", "trades")), strict=True)
    assert np.array([stream.update(*bar)[0] for bar in bars]).tobytes() == matrix.tobytes()
    assert FeatureSet.from_dict(chosen.to_dict()) == chosen
    assert warm_up_of(found, Normalisation("local", 500, 1.0)) == 301 + 500
    with pytest.raises(ValueError, match="distance: k = 21"):
        Feature("distance", (21,)).raw(inputs)


def test_a_set_opens_without_its_indicators_and_computes_with_them(registries, market):
    own = defined(OWN)[1]
    data = {"normalisation": {"kind": "local", "window": 240, "gain": 1.0},
            "features": [{"name": "distance", "parameters": [7], "scale": 1.0}]}  # fmt: skip
    chosen = FeatureSet.from_dict(data)
    assert chosen.features[0].title == "distance(7)"
    computations = (
        chosen.check,
        lambda: chosen.warm_up,
        lambda: chosen.fit(market, 9),
        lambda: chosen.matrix(market),
        lambda: FeatureStream([chosen]),
    )
    for compute in computations:
        with pytest.raises(ValueError, match="unknown indicator 'distance'"):
            compute()
    BY_NAME.register(own)
    for compute in computations:
        compute()


def test_a_name_belongs_to_one_indicator(registries):
    BY_NAME.register(INDICATORS[0])
    with pytest.raises(ValueError, match="'macd': the name is taken"):
        BY_NAME.register(replace(defined(OWN)[1], name="macd", origin="a"))
    one, other = (replace(defined(OWN)[1], origin="a") for _ in range(2))
    for _ in range(2):
        BY_NAME.register(one)
    for row in (other, replace(one, origin="b"), replace(one, origin="")):  # the kernel of other is another object
        with pytest.raises(ValueError, match="'distance': the name is taken"):
            BY_NAME.register(row)


@pytest.mark.parametrize(
    ("body", "options", "message"),
    [
        ("return np.append(close[1:], close[-1]) / close - 1.0", {}, "looks ahead"),
        ("return close - close.mean()", {}, "looks ahead"),
        (
            "return close / close[0] - 1.0",
            {"warm_up": "40"},
            "still depends on where the series starts after its warm-up of 40",
        ),
        ("return np.log(close - 100.0)", {}, "is not finite at bar"),
        ("return (close > 1.0)", {}, "one float64"),
        ("return close[k:]", {}, "one float64"),
        ("close /= 2.0\nreturn np.zeros(close.size)", {}, "changes its input arrays"),
        ("return close.nothing", {}, "AttributeError"),
        ("total = np.cumsum(close)\nreturn (total - np.r_[np.zeros(k), total[:-k]])[:close.size]", {}, "in parts"),
        (
            "out[:] = close / close[0] - 1.0",
            {"arguments": "close, k, state, out", "start": ", lambda c: (c,)", "warm_up": "900"},
            "still depends|in parts",
        ),
        (
            "out[:] = np.diff(close, prepend=close[0])",
            {"arguments": "close, k, state, out", "start": ", lambda c: (c,)"},
            "in parts",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_faulty_indicator_is_refused(body, options, message):
    (indicator,) = defined(plain(body, **options))
    with pytest.raises(ValueError, match=rf"^indicator mine\([29],\) .*{message}") as error:
        prove_indicator(indicator)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": ("clothes",)}, "mine has an unknown column 'clothes'; known are price"),
        ({"columns": ()}, "mine has an unknown column ''"),
        ({"parameters": {}}, "mine needs one or more parameters"),
        ({"parameters": {"k": (9, 2)}}, "mine needs one or more parameters, each an interval"),
        ({"parameters": {"k": 9}}, "mine raises TypeError"),
    ],
)
def test_a_faulty_row_is_refused(change, message):
    (indicator,) = defined(plain("return 0.0 * close"))
    with pytest.raises(ValueError, match=message):
        prove_indicator(replace(indicator, **change))
    with pytest.raises(ValueError, match="dict is not a feature_space"):
        prove_indicator({})


@pytest.mark.parametrize("error", [SystemExit(), ZeroDivisionError("division by zero")])
def test_an_error_in_an_indicator_names_it(error):
    def fail(close, n):
        raise error

    with pytest.raises(type(error)) as caught:
        replace(INDICATORS[0], kernel=fail, start=None, columns=("close",)).compute(_market(50), (7,))
    assert caught.value.__notes__ == [f"indicator {INDICATORS[0].name}(7,)"]


# faults that the made-up market does not show: at parameters between ends and middle, or on many bars only
HIDDEN = {
    "not finite": "return np.full(close.size, np.nan) if k == 4 else 0.0 * close",
    "looks ahead": "return (np.append(close[1:], close[-1]) if k == 4 else close) / 1e3",
    "many bars": "return (close - close.mean() if close.size > 1500 else 0.0 * close)",
}


@pytest.mark.parametrize(("fault", "message"), [("looks ahead", "looks ahead"), ("many bars", "looks ahead|in parts")])
def test_a_chosen_feature_is_proved_on_its_own_bars(fault, message, registries):
    (indicator,) = defined(plain(HIDDEN[fault]))
    prove_indicator(indicator)
    BY_NAME.register(replace(indicator, origin="a"))
    with pytest.raises(FeatureError, match=rf"^indicator mine\(4\) on the bars of this run .*({message})"):
        prove_feature(Feature("mine", (4,)), _market(2000))
    if fault == "looks ahead":
        prove_feature(Feature("mine", (5,)), _market(2000))


def test_a_built_in_feature_is_not_proved_again(monkeypatch):
    monkeypatch.setattr(Indicator, "compute", None)
    prove_feature(Feature("macd", (5, 25)), _market(20))


def test_a_value_that_is_not_finite_is_refused_wherever_it_appears(registries):
    (indicator,) = defined(plain(HIDDEN["not finite"]))
    prove_indicator(indicator)
    BY_NAME.register(replace(indicator, origin="a"))
    inputs, chosen = _market(2000), FeatureSet((Feature("mine", (4,)),), Normalisation("train", 240, 1.0))
    stream = FeatureStream([chosen])
    attempts = (
        lambda: prove_feature(chosen.features[0], inputs),
        lambda: chosen.fit(inputs, 100),
        lambda: chosen.matrix(inputs),
        lambda: stream.update(1.0, 1.0, 1.0, 1.0, 1.0),
        lambda: compute_candidates(
            [BY_NAME["mine"]], inputs, np.arange(9), chosen.normalisation, n_values=8, fit_stop=5
        ),
    )
    for attempt in attempts:
        with pytest.raises(FeatureError, match=r"^indicator mine\(4,\) is not finite at bar 0$"):
            attempt()
