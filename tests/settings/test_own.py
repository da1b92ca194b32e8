"""The user's own files: nothing is executed before it must be, each entry is proved, and all six kinds work."""

import pytest

from labelsearch.settings.experiment import Experiment
from labelsearch.settings.own import OwnFileError, activate, extensions
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
            "tiers": {"sizes": [5], "n_shifts": 9, "ranking": "early", "capital": "front"},
            "null": {"repeats": 0},
            "label": [{"kind": "jump", "size": 0.002, "horizon": 5}],
            **more,
        }
    )


def registered():
    return {extension.listed_as: set(extension.registry()) for extension in extensions()}


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


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_uses_all_six_and_opens_without_executing(own, marker, tmp_path, workers):
    import labelsearch
    from labelsearch.delivery.report import write_report
    from labelsearch.results.run import Results
    from labelsearch.stages.plan import run_experiment

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
        ("x = 1\n", "defines none of INDICATORS, LABELS"),
    ],
)
def test_files_that_cannot_be_used(text, words, tmp_path):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(OwnFileError, match=words):
        activate([path])
    with pytest.raises(OwnFileError, match="cannot be read"):
        activate([tmp_path / "none.py"])
