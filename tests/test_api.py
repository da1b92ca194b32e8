"""What `labelsearch` exports: exact names, whole types, whole docstrings, and types that a strict checker accepts."""

import inspect
import os
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
import vectorbt

import labelsearch
from labelsearch.classifiers.kinds import NETWORKS

ROOT = Path(__file__).parents[1]
OURS = ("labelsearch", "feature_space", "strategies")
NAMES = sorted(set(labelsearch.__all__) - {"__version__"})
FUNCTIONS = [getattr(labelsearch, name) for name in NAMES if inspect.isfunction(getattr(labelsearch, name))]
CLASSES = [getattr(labelsearch, name) for name in NAMES if inspect.isclass(getattr(labelsearch, name))]
METHODS = [
    method
    for cls in (labelsearch.Run, labelsearch.PanelRun)
    for name, method in vars(cls).items()
    if inspect.isfunction(method) and name[0] != "_"
]
LOADED_LATE = {"nn": torch.nn, "Portfolio": vectorbt.Portfolio}
# What no type below comes from is skipped.
SETTINGS = """
[mypy]
follow_imports = silent
[mypy-pandas]
ignore_missing_imports = True
[mypy-torch.*,optuna.*,labelsearch.stages.*,labelsearch.engine.*,labelsearch.results.*]
follow_imports = skip
"""
CONSUMER = '''
"""A program of a user's own."""

from typing import assert_type

import labelsearch as ls
import pandas as pd
from labelsearch import Label, make_label, make_score


def labels_of(bars: pd.DataFrame, label: Label) -> pd.DataFrame:
    return ls.label_bars(bars, label, reference=bars, price="vwap")


def chain(folder: str) -> ls.Judged:
    run = assert_type(ls.open_run(folder, store="store"), ls.Run | ls.PanelRun)
    if isinstance(run, ls.PanelRun):
        assert_type((run.verdict, run.tiers, run.returns("Top-5")), tuple[str, pd.DataFrame, pd.DataFrame])
        run = assert_type(run.cell("BTCUSDT", 1), ls.Run)
    experiment = assert_type(run.experiment, ls.Experiment)
    assert_type(experiment.windows.named, dict[str, ls.Span])
    assert_type((experiment.data, experiment.labels, experiment.null), tuple[ls.Data, ls.Labels, ls.Null])
    assert_type(experiment.tiers, ls.Tiers)
    assert_type(run.label_names, list[str])
    assert_type(run.members(5), list[int])
    label = assert_type(make_label("threshold", theta=0.01, horizon=5), Label)
    assert_type((label.name, label.lookahead), tuple[str, int | None])
    labels = labels_of(run.bars, label)

    space, separation = ls.FeatureSpace(gain=2.0), ls.Separation(n_pairs=1000)
    chosen = assert_type(ls.choose_features(run.bars, labels, label, space, separation, seed=3), ls.ChosenSet)
    feature: ls.Feature = chosen.feature_set.features[0]
    assert_type((feature.parameters, feature.scale), tuple[tuple[int, ...], float])
    assert_type(chosen.feature_set.normalisation, ls.Normalisation)
    features: pd.DataFrame = ls.compute_features(run.bars, chosen.feature_set)

    network = ls.Network(kind="mlp", n_trials=2)
    trained = assert_type(ls.train_classifier(features, labels, label, network, space=space), ls.Classifier)
    assert_type(trained.losses, tuple[float, ...])
    assert_type(trained.trials, tuple[ls.Trial, ...])
    assert_type(trained.evaluation, ls.Evaluation)
    assert_type(trained.evaluation.side("buy"), ls.ClassScores)
    assert_type(trained.calibration, ls.Calibration | None)
    outputs: pd.DataFrame = ls.predict(trained, features)

    search = ls.Search(n_strategies=100)
    score = assert_type(make_score("paper", target_trades=40.0), ls.Score)
    found: pd.DataFrame = ls.search_strategies(outputs, run.bars, search, score, days=("2020-01-04", "2020-05-05"))
    members = assert_type(ls.form_tiers(found, sizes=(20, 5)), dict[int, list[int]])
    return ls.judge_tiers(found, members, outputs, run.bars, search, capital="equal", past=(outputs, run.bars))


def refused(folder: str) -> str | None:
    try:
        chain(folder)
    except ls.InputError as error:
        wider: ls.LabelsearchError = error
        return str(wider)
    return None


ls.nothing  # type: ignore[attr-defined]
make_label("threshold", theta=[0.01])  # type: ignore[arg-type]
'''


def test_names_are_exact():
    assert dir(labelsearch) == sorted(set(labelsearch.__all__))
    assert all(getattr(labelsearch, name).__name__ == name for name in NAMES)
    for name in ("nothing", "pandas"):
        with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
            getattr(labelsearch, name)


def parts(hint: object) -> Iterator[object]:
    """A type and the types that it is made of."""
    yield hint
    for argument in typing.get_args(hint):
        for part in argument if isinstance(argument, (list, tuple)) else (argument,):
            yield from parts(part)


def hints_of(of: object) -> dict[str, object]:
    return typing.get_type_hints(of, localns=LOADED_LATE)


def named_in(cls: type) -> Iterator[object]:
    """Types of the public attributes of a class, and what the methods of a protocol take and return."""
    hints = {name: hint for name, hint in hints_of(cls).items() if name[0] != "_"}
    for name, member in vars(cls).items():
        called = getattr(member, "fget", getattr(member, "func", None))
        if called is None and inspect.isfunction(member) and getattr(cls, "_is_protocol", False):
            called = member
        if called is not None and name[0] != "_":
            hints |= {f"{name} {part}": hint for part, hint in hints_of(called).items()}
    for hint in hints.values():
        yield from parts(hint)


def test_named_types_are_exported():
    named = [part for function in FUNCTIONS for hint in hints_of(function).values() for part in parts(hint)]
    named += [part for cls in CLASSES if not issubclass(cls, BaseException) for part in named_in(cls)]
    ours = {part for part in named if isinstance(part, type) and part.__module__.split(".")[0] in OURS}
    assert {labelsearch.Evaluation, labelsearch.Span, labelsearch.LabelValues, labelsearch.Record} <= ours
    assert not ours - set(CLASSES)


@pytest.mark.parametrize("function", [*FUNCTIONS, *METHODS], ids=lambda function: function.__qualname__)
def test_docstrings_are_whole(function):
    text = inspect.getdoc(function)
    sections = dict(re.findall(r"^(\w+)\n-+\n(.*?)(?=\n\n\w+\n---|\Z)", text, re.S | re.M))
    documented = re.findall(r"^(\S.*?)(?: :.*)?$", sections["Parameters"], re.M)
    names = [name.strip("* ") for line in documented for name in line.split(",")]
    assert sorted(names) == sorted(set(inspect.signature(function).parameters) - {"self"})
    assert {"Returns", "Raises"} <= sections.keys()
    assert not any(part is typing.Any for hint in hints_of(function).values() for part in parts(hint))


def test_a_strict_checker_accepts_a_program_of_a_users_own(tmp_path):
    (tmp_path / "program.py").write_text(CONSUMER)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "cache", "program.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "MYPYPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_faults_of_a_user_are_input_errors():
    for call in (
        lambda: labelsearch.make_label("moon"),
        lambda: labelsearch.make_label("threshold", theta=-1.0, horizon=5),
        lambda: labelsearch.make_score("moon"),
        lambda: labelsearch.Normalisation("moon", 2, 1.0),
        lambda: labelsearch.Feature("moon", (5,)).indicator(),
        lambda: labelsearch.Span.of_days("2020-02-01", "2020-01-01"),
        lambda: labelsearch.Network(device="moon"),
        lambda: labelsearch.Search(budget="moon"),
        lambda: labelsearch.form_tiers(pd.DataFrame({"score": [1.0]})),
        lambda: labelsearch.compute_features(pd.DataFrame(), labelsearch.FeatureSet((), None)),
        lambda: NETWORKS.find("moon"),
    ):
        with pytest.raises(labelsearch.InputError, match=r"^[^\n]+$"):
            call()


@pytest.mark.parametrize("package", OURS)
def test_packages_are_marked_as_typed(package):
    assert (ROOT / package / "py.typed").is_file()
