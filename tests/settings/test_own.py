"""The user's own files: nothing is executed before it must be, each entry is proved, and all six kinds work."""

import os
import subprocess
import sys

import pytest

from labelsearch.engine.key import digest
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.own import OwnFileError, activate, active, extensions
from labelsearch.settings.schema import ExperimentError

WHOLE = r'''
"""One of each."""
import os
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numba import njit

from feature_space.indicators import Indicator
from labelsearch.classifiers.kinds import Choice, NetworkKind
from labelsearch.labels.base import LabelValues, bars_ahead, classes_by_value
from strategies.search.score import Score
from strategies.tiers.ranking import Ranking
from strategies.trade.capital import CapitalRule

with open(os.environ["LABELSEARCH_TEST_MARKER"], "a") as file:
    file.write("executed\n")


@njit(cache=False, nogil=True)
def gap_nb(close, k):
    out = np.zeros(close.size)
    for t in range(k, close.size):
        out[t] = close[t] / close[t - k] - 1.0
    return out


INDICATORS = [Indicator("gap", "C_t/C_{t-k} - 1", "momentum", {"k": (3, 9)}, ("close",), gap_nb, lambda k: k + 1)]


@dataclass(frozen=True)
class Jump:
    """Sign of the next move, where it is large."""

    kind: ClassVar[str] = "jump"
    origin: ClassVar[str] = ""
    examples: ClassVar[tuple] = ({"size": 0.002, "horizon": 5}, {"size": 0.004, "horizon": 20})
    size: float = field(metadata={"help": "relative move"})
    horizon: int = field(metadata={"help": "bars ahead"})

    @property
    def name(self):
        return f"jump_{self.size:g}_{self.horizon}"

    @property
    def lookahead(self):
        return self.horizon

    def reference(self, price):
        return 1.0

    def values(self, price, reference):
        move = np.zeros(price.size)
        if price.size > self.horizon:
            move[: -self.horizon] = price[self.horizon :] / price[: -self.horizon] - 1.0
        value = -np.clip(move / self.size, -1.0, 1.0)
        return LabelValues(value, classes_by_value(value, 1.0), bars_ahead(price.size, self.horizon))


LABELS = [Jump]


def build(n_features, width=8):
    from torch import nn

    return nn.Sequential(nn.Linear(n_features, width), nn.Tanh(), nn.Linear(width, 3))


NETWORKS = [NetworkKind("tanh", "one hidden layer", build, False, (Choice("width", (8, 16)),))]


@dataclass(frozen=True)
class Calmness(Score):
    """Monthly return less a cost of each transaction."""

    kind: ClassVar[str] = "calmness"
    cost: float = field(default=0.1, metadata={"help": "percent of each transaction a month"})

    def pieces(self, record):
        return {"score": record.monthly_return_pct - self.cost * record.trades_per_month}


SCORES = [Calmness]
RANKINGS = [Ranking("early", "score of the first half", lambda past: past.scores(0, max(past.n_days // 2, 1)))]
CAPITAL_RULES = [
    CapitalRule("front", "twice as much for the first", lambda past: np.r_[2.0, np.ones(past.shape[1] - 1)]),
]
'''


@pytest.fixture
def marker(tmp_path, monkeypatch):
    path = tmp_path / "executed.txt"
    monkeypatch.setenv("LABELSEARCH_TEST_MARKER", str(path))
    yield path
    activate([])


@pytest.fixture
def own(tmp_path, marker):
    path = tmp_path / "mine.py"
    path.write_text(WHOLE)
    return path


def small(own, **more):
    """An experiment that uses one of each."""
    return Experiment.from_dict(
        {
            "name": "own",
            "own": [str(own)],
            "data": {"source": "synthetic", "symbol": "SYNTH", "edge": 0.15, "market_seed": 5},
            "windows": {
                "train": ["2018-01-01", "2018-01-10"],
                "past": ["2018-01-12", "2018-01-15"],
                "future": ["2018-01-17", "2018-01-20"],
            },
            "feature_space": {"indicators": ["gap", "momentum_short", "bollinger"]},
            "separation": {"n_pairs": 1000, "n_values": 2, "n_restarts": 1, "n_shifts": 9},
            "network": {"kind": "tanh", "n_neutral": 1000, "n_trials": 1, "max_epochs": 1, "n_seeds": 1},
            "search": {"n_strategies": 30, "island_size": 20},
            "score": {"kind": "calmness", "cost": 0.2},
            "tiers": {"sizes": [5], "most_alike": 1.0, "ranking": "early", "capital": "front", "controls": []},
            "null": {"repeats": 0},
            "label": [{"kind": "jump", "size": 0.002, "horizon": 5}],
            **more,
        }
    )


def registered():
    return {extension.listed_as: set(extension.registry) for extension in extensions()}


def test_all_six_kinds_are_proved_registered_and_forgotten(own, marker):
    before = registered()
    activate([own])
    assert marker.read_text() == "executed\n"
    new = {name: names - before[name] for name, names in registered().items()}
    assert new == {
        "INDICATORS": {"gap"}, "LABELS": {"jump"}, "NETWORKS": {"tanh"}, "SCORES": {"calmness"}, "RANKINGS": {"early"},
        "CAPITAL_RULES": {"front"},
    }  # fmt: skip
    activate([own])  # active already
    assert marker.read_text() == "executed\n"
    activate([])
    assert registered() == before


def test_loading_saving_and_describing_an_experiment_executes_nothing(own, marker, tmp_path):
    experiment = small(own)
    digest = experiment.digest
    saved = experiment.save(tmp_path)
    assert saved.digest == digest
    assert (tmp_path / "mine.py").read_text() == WHOLE
    assert 'own = ["mine.py"]' in (tmp_path / "experiment.toml").read_text()
    assert "cost = 0.2" in experiment.to_toml()
    assert not marker.exists()
    own.write_text(WHOLE + "\n# changed\n")
    assert small(own).digest != digest


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_uses_all_six_and_opens_without_executing(own, marker, tmp_path, workers):
    import labelsearch
    from labelsearch.delivery.report import write_report
    from labelsearch.results.run import Results
    from tests.running import run_experiment

    labels = [{"kind": "jump", "size": 0.001, "horizon": 5}, {"kind": "jump", "size": 0.002, "horizon": 20}]
    experiment = small(own, label=labels)
    folder = run_experiment(experiment, tmp_path / "runs", tmp_path / "store", workers=workers)
    activate([])
    marker.unlink()
    results = Results(folder, tmp_path / "store")
    assert results.labels.names == ("jump_0.001_5", "jump_0.002_20")
    assert [f.name for f in results.features.chosen[0].feature_set.features] == ["gap", "momentum_short", "bollinger"]
    assert results.classifiers.figures[0].network == "tanh"
    frame = results.strategies.frame
    assert "trade_penalty_pct" not in frame
    wanted = frame["monthly_return_pct"] - 0.2 * frame["trades_per_month"]
    assert frame["score"].tolist() == pytest.approx(wanted.tolist())
    shares = results.ensembles.capital_at_start[5].shares
    assert shares == pytest.approx((2 / 6, 1 / 6, 1 / 6, 1 / 6, 1 / 6))
    run = labelsearch.open_run(folder, tmp_path / "store")
    assert run.label_names == ["jump_0.001_5", "jump_0.002_20"]
    assert run.feature_sets.index[0] == ("jump_0.001_5", "gap")
    write_report(results)
    assert not marker.exists()


def test_names_are_checked_when_the_files_are_known(own, marker):
    wrong = small(own, tiers={"sizes": [5], "ranking": "late"})
    with pytest.raises(ExperimentError, match=r"\[tiers\]: ranking = 'late' is unknown; known are score, .*early"):
        wrong.activate()
    with pytest.raises(ExperimentError, match=r"\[score\]: .*no option 'price'"):
        small(own, score={"kind": "calmness", "price": 1}).activate()


BAD = {
    "LABELS": (
        "LABELS = [Jump]\nJump.lookahead = property(lambda self: 0)",
        "jump",
    ),
    "looks ahead": (
        "@njit\ndef ahead_nb(close, k):\n    return np.append(close[1:], close[-1]) - close\n"
        "INDICATORS = [Indicator('ahead', '', 'x', {'k': (2, 3)}, ('close',), ahead_nb, lambda k: k + 1)]",
        "ahead",
    ),
    "not a number": ("RANKINGS = [Ranking('nan', '', lambda past: past.scores(0, 1) * np.nan)]", "nan"),
    "negative": ("CAPITAL_RULES = [CapitalRule('minus', '', lambda past: -np.ones(past.shape[1]))]", "minus"),
    "taken": ("RANKINGS = [Ranking('score', '', lambda past: past.scores(0, 1))]", "score"),
    "empty": ("SCORES = []", "SCORES must be a list"),
    "no entry": ("SCORES = [3]", "is not an entry"),
    "instance": ("LABELS = [Jump(0.1, 3)]", "is not an entry"),
    "lines": ("RANKINGS = [np.zeros((2, 2))]", "is not an entry"),
    "leaves": ("RANKINGS = [Ranking('leaver', '', lambda past: exit(0))]", "leaver: SystemExit"),
    "raises": ("RANKINGS = [Ranking('bad', '', lambda past: 1 / 0)]", "ZeroDivisionError"),
}


@pytest.mark.parametrize("case", BAD)
def test_entries_that_fail_their_proof_are_refused_in_one_line(case, own, marker):
    before = registered()
    text, words = BAD[case]
    own.write_text(WHOLE + "\n" + text + "\n")
    with pytest.raises(OwnFileError, match=words) as caught:
        activate([own])
    assert "\n" not in str(caught.value)
    assert str(own) in str(caught.value)
    activate([])
    assert registered() == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:\n", "SyntaxError while it was executed"),
        ("raise RuntimeError('no')\n", "RuntimeError while it was executed: no"),
        ("raise RuntimeError('two\\nlines')\n", "RuntimeError while it was executed: two lines"),
        ("import sys\nsys.exit(0)\n", "SystemExit while it was executed: 0"),
        ("x = 1\n", "defines none of INDICATORS, LABELS"),
    ],
)
def test_files_that_cannot_be_used(text, words, tmp_path):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(OwnFileError, match=words) as caught:
        activate([path])
    assert "\n" not in str(caught.value)
    with pytest.raises(OwnFileError, match="cannot be read"):
        activate(["a\0.py"])
    with pytest.raises(OwnFileError, match="not a Python file"):
        activate([path.rename(tmp_path / "bad.txt")])
    with pytest.raises(OwnFileError, match="cannot be read"):
        activate([tmp_path / "none.py"])


RULE = """
import numpy as np
{more}
from strategies.trade.capital import CapitalRule

def rule(past):
    return np.ones(past.shape[1])

CAPITAL_RULES = [CapitalRule("mine", "version {version}", rule)]
"""


def test_an_edited_file_is_executed_anew_even_within_a_second(tmp_path, monkeypatch):
    """Compiled files are known by second and size; the bytes that were hashed are the ones that are executed."""
    from strategies.trade.capital import CAPITAL_RULES

    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "mine.py"
    for version in (1, 2):
        path.write_text(RULE.format(more="", version=version))
        os.utime(path, (1e9, 1e9))
        activate([path])
        assert CAPITAL_RULES["mine"].explanation == f"version {version}"
    assert not (tmp_path / "__pycache__").exists()
    activate([])


def test_an_interrupted_proof_leaves_nothing(tmp_path, capsys):
    before = registered()
    path = tmp_path / "mine.py"
    rule = "def rule(past):\n    print('at work')\n    return np.ones(past.shape[1])\n"
    path.write_text(RULE.format(more="", version=1) + rule + "CAPITAL_RULES[0] = CapitalRule('mine', '', rule)\n")
    activate([path])
    assert capsys.readouterr().out == ""  # which is for results
    activate([])
    stop = "def stop(past):\n    raise KeyboardInterrupt\nCAPITAL_RULES.append(CapitalRule('stop', '', stop))\n"
    path.write_text(RULE.format(more="", version=2) + stop)
    with pytest.raises(KeyboardInterrupt):
        activate([path])
    assert (registered(), active()) == (before, ())


def test_workers_execute_only_what_was_proved(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(RULE.format(more="", version=1))
    activate([path])
    proved = active()
    activate([])
    path.write_text(RULE.format(more="", version=2))
    with pytest.raises(OwnFileError, match="changed while they were in use"):
        activate([path], proved=proved)


def test_a_file_beside_counts_in_the_keys_of_the_entries(tmp_path, monkeypatch):
    from labelsearch.engine import key
    from labelsearch.stages.plan import CODE
    from strategies.trade.capital import CAPITAL_RULES

    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "mine.py"
    path.write_text(RULE.format(more="import beside_mine", version=1))
    digests = []
    for text in ("x = 1\n", "x = 2\n", "x = 2  # the same\n"):
        (tmp_path / "beside_mine.py").write_text(text)
        activate([path])
        key._source.cache_clear()
        digests.append(digest(CAPITAL_RULES["mine"], CODE))
        activate([])
        del sys.modules["beside_mine"]
    assert digests[0] != digests[1] == digests[2]
    monkeypatch.setattr(key, "_version", lambda package: "0.0")
    activate([path])
    assert digest(CAPITAL_RULES["mine"], CODE) not in digests
    activate([])
    del sys.modules["beside_mine"]


def test_two_experiments_in_turn_keep_to_their_own_files(tmp_path):
    """Entries of the same name from different files: each run resolves its own."""
    from labelsearch.stages.plan import RunValues

    values = []
    for version in (1, 2):
        path = tmp_path / f"{version}" / "mine.py"
        path.parent.mkdir()
        path.write_text(RULE.format(more="", version=version))
        data = {"data": {"source": "synthetic"}, "own": [str(path)], "tiers": {"capital": "mine"}}
        values.append(RunValues(Experiment.from_dict(data), tmp_path))
    values.append(RunValues(Experiment(), tmp_path))
    for _ in range(2):
        assert [value["capital_rule"].explanation for value in values[:2]] == ["version 1", "version 2"]
        assert values[2]["capital_rule"].name == "equal"
        assert active() == ()


@pytest.mark.parametrize("data", [{"label": [{"kind": []}]}, {"score": {"kind": []}}, {"label": [{"kind": {}}]}])
def test_kinds_that_are_no_text_are_refused(data):
    with pytest.raises(ExperimentError, match="kind"):
        Experiment.from_dict(data)


CACHED = """
import numpy as np
from numba import njit
from feature_space.indicators import Indicator

@njit(cache=True)
def step_nb(x, k):
    out = np.zeros(x.size)
    for i in range(k, x.size):
        out[i] = x[i] - x[i - k]
    return out

@njit(cache=True)
def own_nb(x, k):
    return step_nb(x, k)

INDICATORS = [Indicator("own_step", "step", "momentum", {"k": (2, 20)}, ("log_return",), own_nb, lambda k: k + 1)]
"""


@pytest.mark.slow
def test_a_kernel_that_is_kept_works_in_later_processes_and_workers(tmp_path):
    (tmp_path / "mine.py").write_text(CACHED)
    program = """
import numpy as np
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from functools import partial
from labelsearch.settings.own import activate, active

def work(n):
    from feature_space.indicators import BY_NAME
    return float(BY_NAME.find("own_step").kernel(np.arange(float(n)), 2)[-1])

if __name__ == "__main__":
    activate(["mine.py"])
    start = partial(activate, ["mine.py"], proved=active())
    with ProcessPoolExecutor(2, get_context("spawn"), start) as pool:
        print(work(9), *pool.map(work, [7, 8, 9]))
"""
    (tmp_path / "program.py").write_text(program)
    for _ in range(3):
        done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True)
        assert done.stdout.split() == ["2.0"] * 4, done.stderr
    assert list(tmp_path.glob("__pycache__/*.nbi"))
