"""A user's own indicators are proved before they are used."""

import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from feature_space.feature_set import Feature, FeatureSet
from feature_space.indicators import BY_NAME, INDICATORS
from feature_space.normalise import Normalisation
from feature_space.own import load_indicators, prove
from feature_space.streaming import FeatureStream
from labelsearch.pipeline.experiment import Experiment
from labelsearch.pipeline.schema import ExperimentError

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


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write a user's file; names made known are forgotten after the test."""
    names = set(BY_NAME)

    def write(text, name="own.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    yield write
    for name in set(BY_NAME) - names:
        del BY_NAME[name]


@pytest.mark.parametrize("indicator", INDICATORS, ids=lambda i: i.name)
def test_the_proof_accepts_ours(indicator):
    prove(indicator)


def test_own_indicators_are_features_like_any_other(own, market, cutter):
    found = load_indicators(own(OWN))
    assert [i.name for i in found] == ["range_share", "distance"]
    inputs = cutter(market, 0, 800)
    features = (Feature("range_share", (70, 200)), Feature("macd", (5, 25)), Feature("distance", (7,)))
    chosen = FeatureSet(features, Normalisation("train")).fit(inputs, 600)
    matrix = chosen.matrix(inputs)
    stream = FeatureStream([chosen])
    bars = zip(*(getattr(inputs, c) for c in ("price", "high", "low", "close", "volume", "trades")), strict=True)
    assert np.array([stream.update(*bar)[0] for bar in bars]).tobytes() == matrix.tobytes()
    assert FeatureSet.from_dict(chosen.to_dict()) == chosen
    with pytest.raises(ValueError, match="distance: k = 21"):
        Feature("distance", (21,))


@pytest.mark.parametrize(
    ("body", "options", "message"),
    [
        ("return np.append(close[1:], close[-1]) / close - 1.0", {}, "looks ahead"),
        ("return close - close.mean()", {}, "looks ahead"),
        ("return close / close[0] - 1.0", {"warm_up": "40"}, "has not forgotten its start"),
        ("return np.log(close - 100.0)", {}, "not a finite number"),
        ("return (close > 1.0)", {}, "one float64"),
        ("return close[k:]", {}, "one float64"),
        ("close /= 2.0\nreturn np.zeros(close.size)", {}, "changes its inputs"),
        ("return close.nothing", {}, "AttributeError"),
        ("total = np.cumsum(close)\nreturn (total - np.r_[np.zeros(k), total[:-k]])[:close.size]", {}, "mine"),
        ("return np.zeros(close.size)", {"name": "macd"}, "name 'macd' is taken"),
        (
            "out[:] = close / close[0] - 1.0",
            {"arguments": "close, k, state, out", "start": ", lambda c: (c,)", "warm_up": "900"},
            "forgotten|in parts",
        ),
        (
            "out[:] = np.diff(close, prepend=close[0])",
            {"arguments": "close, k, state, out", "start": ", lambda c: (c,)"},
            "in parts",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_faulty_indicator_is_refused(own, body, options, message):
    path = own(plain(body, **options))
    before = dict(BY_NAME)
    with pytest.raises(ValueError, match=message) as error:
        load_indicators(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert before == BY_NAME


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "needs a list INDICATORS"),
        ("INDICATORS = []", "needs a list INDICATORS"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("1 +", "SyntaxError"),
        (plain("return 0 * close").replace('("close",)', '("clothes",)'), "unknown column 'clothes'"),
    ],
)
def test_a_faulty_file_is_refused(own, text, message):
    with pytest.raises(ValueError, match=message):
        load_indicators(own(text))
    with pytest.raises(ValueError, match=r"none\.py: cannot be read"):
        load_indicators(own(text).with_name("none.py"))


def test_the_example_of_the_docs_works(own):
    text = (Path(__file__).parents[2] / "docs" / "FEATURES.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.S)
    assert [i.name for i in load_indicators(own(example))] == ["range_share"]


def test_a_saved_experiment_takes_its_files_along(own, tmp_path):
    own(OWN, "mine.py")
    (tmp_path / "a.toml").write_text('[feature_space]\nown = ["mine.py"]\nindicators = ["macd", "distance"]\n')
    experiment = Experiment.load(tmp_path / "a.toml")
    assert [i.name for i in experiment.feature_space.chosen()] == ["macd", "distance"]
    (tmp_path / "run").mkdir()
    saved = experiment.save(tmp_path / "run")
    assert (tmp_path / "run" / "mine.py").read_text() == OWN
    assert saved.digest == experiment.digest  # the place does not matter
    assert saved.save(tmp_path / "run").digest == experiment.digest
    own(OWN.replace("R_a/R_b", "another"), "mine.py")
    changed = Experiment.load(tmp_path / "a.toml")
    assert changed.digest != saved.digest  # the content does
    assert saved.section("feature_space") != changed.section("feature_space")
    (tmp_path / "b.toml").write_text('[feature_space]\nown = ["mine.py"]\n')
    everything = Experiment.load(tmp_path / "b.toml").feature_space.chosen()
    assert [i.name for i in everything][-2:] == ["range_share", "distance"]
    assert len(everything) == len(INDICATORS) + 2


def test_own_indicators_are_known_where_an_experiment_is_unpickled(own, tmp_path):
    own(OWN, "mine.py")
    (tmp_path / "a.toml").write_text('[feature_space]\nown = ["mine.py"]\nindicators = ["distance"]\n')
    data = pickle.dumps(Experiment.load(tmp_path / "a.toml"))
    del BY_NAME["distance"]
    again = pickle.loads(data)
    assert again.feature_space.chosen()[0] is BY_NAME["distance"]


def test_errors_name_the_experiment(own, tmp_path):
    own(plain("return close - close.mean()"), "mine.py")
    own(plain("return 0.0 * close", name="other"), "fine.py")
    for line, message in {
        'own = ["mine.py"]': r"\[feature_space\].*mine.py: indicator mine\(2,\) looks ahead",
        'own = ["none.py"]': "cannot be read",
        'own = ["fine.py", "sub/../fine.py"]': "the same name",
        'own = ["fine.py"]\nindicators = ["otter"]': "unknown key 'otter'; the nearest valid key is 'other'",
        "own = [3]": "own must be a list",
    }.items():
        (tmp_path / "a.toml").write_text(f"[feature_space]\n{line}\n")
        with pytest.raises(ExperimentError, match=message):
            Experiment.load(tmp_path / "a.toml")
    assert not [name for name in sys.modules if name.startswith("own_indicators")]
