"""Panels from cells to verdict."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from labelsearch.engine.budget import Budget, BudgetError
from labelsearch.engine.executors.choice import Workers
from labelsearch.engine.executors.local import LocalExecutor
from labelsearch.engine.ledger import Ledger
from labelsearch.engine.run import RunError, done_events
from labelsearch.engine.stage import Work
from labelsearch.panels.cells import Place
from labelsearch.panels.reopen import reopen_cell
from labelsearch.panels.run import open_panel
from labelsearch.panels.verdict import VERDICT, VerdictInputs, verdict_inputs
from labelsearch.results.panel import Panel
from labelsearch.results.panel_run import PanelResults
from labelsearch.settings.cells import cells_of
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.plan import STAGES, open_run
from strategies.luck.verdict import verdict
from tests.panels.conftest import tiny

RECORDS = ("ledger.jsonl", "looks.jsonl")


def contents(folder: Path) -> dict[str, bytes]:
    """Files of a folder but for records of time, hidden ones and reports."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    named = {p.relative_to(folder).as_posix(): p for p in files}
    return {
        n: p.read_bytes()
        for n, p in named.items()
        if p.name not in RECORDS and not any(part.startswith(".") for part in n.split("/")) and "report" not in n
    }


def run_panel(runs: Path, workers: int = 1, **changes) -> Path:
    with open_panel(tiny(**changes), runs, runs / "store", workers=Workers(workers)) as run:
        run.do()
    return run.folder


def done(cell: Path) -> dict:
    return done_events(Ledger(cell / "ledger.jsonl"))


# that processes change no byte, units of stages show on a cluster and in the study of shifted outputs
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_cell_is_a_run_that_makes_the_same_bits_alone(panel_folder, tmp_path, workers):
    """With one thread in each process (of `make test`), where the panel had two; progress is told from 0 to the end."""
    cell = panel_folder / "cells" / "BETA" / "split-2"
    experiment = PanelResults(panel_folder).cell("BETA", 2).experiment
    seen: dict[str, list[tuple[int, int]]] = {}
    with open_run(
        experiment, tmp_path, tmp_path, workers=Workers(workers),
        progress=lambda stage, done, total: seen.setdefault(stage, []).append((done, total)),
    ) as run:  # fmt: skip
        run.do(STAGES["costs"])
        run.do(STAGES["ensembles"])
    alone, within = contents(run.folder), contents(cell)
    assert alone.keys() == within.keys()
    assert [name for name in alone if alone[name] != within[name]] == []
    assert list(seen) == list(STAGES)[:-1]
    for steps in seen.values():  # from 0, so that rates count the time of the first unit too
        assert steps[0][0] == 0
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1]
    assert seen["classifiers"][-1] == (8, 8)  # two labels, a trial and its training on all, two epochs
    assert seen["search"][-1] == (120, 120)  # strategies


@pytest.mark.slow
def test_two_workers_change_no_byte(panel_folder, tmp_path):
    again = run_panel(tmp_path, workers=2)
    assert contents(again) == contents(panel_folder)


def test_a_second_run_does_nothing_and_looks_once_at_each_future(panel_folder):
    before = contents(panel_folder)
    looks = (panel_folder.parent / "looks.jsonl").read_bytes()
    ledgers = [path.read_bytes() for path in sorted(panel_folder.rglob("ledger.jsonl"))]
    assert run_panel(panel_folder.parent) == panel_folder
    assert contents(panel_folder) == before
    assert [path.read_bytes() for path in sorted(panel_folder.rglob("ledger.jsonl"))] == ledgers
    assert (panel_folder.parent / "looks.jsonl").read_bytes() == looks
    assert set(PanelResults(panel_folder).looks.values()) == {(1, 1)}


def test_a_longer_panel_takes_over_the_cells_of_a_shorter_one(panel_folder, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(panel_folder.parent, runs)
    folder = run_panel(runs, roll={"splits": 3})
    events = done(folder / "cells" / "ALPHA" / "split-1")
    assert {events[name].get("run") for name in STAGES if name != "belief"} == {"split-1"}
    assert "run" not in done(folder / "cells" / "ALPHA" / "split-3")["search"]
    # what was looked at before counts, though nothing was computed again
    looks = PanelResults(folder).looks
    assert looks["ALPHA", 1] == looks["ALPHA", 3] == (1, 1)


def test_the_verdict_is_that_of_its_cells(panel_folder):
    results = PanelResults(panel_folder)
    found = results.panel
    assert len(found.cells) == 4
    assert found.strategies == 4 * 120
    for row in found.cells:
        ensembles = results.cell(row.market, row.split).ensembles
        for size in (20, 5):
            assert row.return_pct[size] == ensembles.row("future", size).figures.total_return_pct
            # the statistic from curves, and from strategies simulated for it
            assert row.timing[size] == pytest.approx(ensembles.timing.statistic[size], rel=1e-9)
        assert row.rank == ensembles.ranks.all
    equity = found.equity
    for name in ("Top-20", "Top-5"):
        wide = found.wide(name)
        assert list(wide.columns) == ["ALPHA", "BETA"]
        days = equity["day"].to_numpy()
        assert np.array_equal(wide.index.to_numpy(), days)
        # within a split the book is the mean of its markets
        first = (1 + wide[equity["split"].to_numpy() == 1]).cumprod().mean(axis=1).to_numpy()
        assert equity[name].to_numpy()[:7] == pytest.approx(first)
    for row in found.splits:
        part = equity[equity["split"] == row.split]["Top-20"].to_numpy()
        start = 1.0 if row.split == 1 else equity[equity["split"] == row.split - 1]["Top-20"].to_numpy()[-1]
        assert row.return_pct[20] == pytest.approx(100 * (part[-1] / start - 1))
    alpha = {row.size: row.alpha_adjusted for row in found.tiers if row.size}
    assert found.verdict == verdict(found.timing.adjusted, alpha)
    assert Panel.load(panel_folder / "panel") == found


def test_the_verdict_holds_no_cell_after_it_has_read_it(panel_folder):
    results = PanelResults(panel_folder)
    cells = cells_of(results.experiment, panel_folder)
    inputs = VerdictInputs(**verdict_inputs(results.experiment, cells, Place(panel_folder, panel_folder), 0))
    assert VERDICT.run(inputs, Work(LocalExecutor(), panel_folder)) == results.panel
    assert not any("value" in vars(stored) for cell in inputs.cells for stored in (cell.outputs, cell.ensembles))


@pytest.mark.parametrize(
    ("refit", "kept", "made"),
    [
        ("classifiers", ("features",), ("classifiers", "search")),
        ("search", ("features", "classifiers"), ("search",)),
        ("tiers", ("features", "classifiers"), ("ensembles",)),
    ],
)
def test_what_is_not_refitted_is_kept_from_the_first_split(panel_folder, tmp_path, refit, kept, made):
    runs = tmp_path / "runs"
    shutil.copytree(panel_folder.parent, runs)  # cells of the first split are taken over
    folder = run_panel(runs, roll={"refit": refit})
    first, later = (folder / "cells" / "ALPHA" / f"split-{n}" for n in (1, 2))
    for name in kept:
        assert done(later)[name]["folder"] == f"../split-1/{name}"
        assert done(later)[name]["content"] == done(first)[name]["content"]
        assert not (later / name).exists()
    for name in made:
        assert (later / name).is_dir()
    results = PanelResults(folder)
    a, b = results.cell("ALPHA", 1), results.cell("ALPHA", 2)
    assert b.features == a.features
    same = np.array_equal(a.strategies.params, b.strategies.params)
    assert same == (refit == "tiers")
    assert not a.strategies.frame["score"].equals(b.strategies.frame["score"])
    assert len(results.panel.cells) == 4


@pytest.mark.parametrize("pool", [{}, {"classifiers": True}])
def test_hyperparameters_of_the_first_split_serve_all(panel_folder, tmp_path, pool):
    runs = tmp_path / "runs"
    if not pool:
        shutil.copytree(panel_folder.parent, runs)  # cells of the first split are taken over
    results = PanelResults(run_panel(runs, roll={"hyperparameters": "first"}, pool=pool))
    a, b = (results.cell("ALPHA", split).classifiers for split in (1, 2))
    for first, later in zip(a.figures, b.figures, strict=True):
        best = min(first.trials, key=lambda trial: trial.best)
        files = [json.loads(its.networks[first.label]["network.json"]) for its in (a, b)]
        assert files[0]["options"] == files[1]["options"]
        assert {name: best.parameters[name] for name in files[1]["options"]} == files[1]["options"]
        assert first.study is not None
        assert (later.trials, later.study) == ((), None)
        assert a.networks[first.label] != b.networks[first.label]
    assert b.trial_counts["network_trials"] == len(b.figures)  # trained once each
    assert len(results.panel.cells) == 4
    # a study of the cell takes its networks as they are
    with reopen_cell(results.cell("ALPHA", 2).folder, tmp_path / "store") as run:
        assert run.do(STAGES["classifiers"]).content == done(run.folder)["classifiers"]["content"]


@pytest.mark.slow
@pytest.mark.parametrize("pool", [{"classifiers": True}, {"strategies": True}])
def test_pooled_results_do_not_depend_on_workers(tmp_path, pool):
    one, two = (run_panel(tmp_path / f"{n}", workers=n, pool=pool) for n in (1, 2))
    assert contents(one) == contents(two)


@pytest.mark.parametrize(
    ("pool", "splits"),
    [({"classifiers": True}, 1), ({"strategies": True}, 2), ({"classifiers": True, "strategies": True}, 1)],
)
def test_what_is_pooled_is_the_same_in_all_markets(panel_folder, tmp_path, pool, splits):
    runs = tmp_path / "runs"
    shutil.copytree(panel_folder.parent, runs)  # what is not pooled is taken over
    results = PanelResults(run_panel(runs, roll={"splits": splits}, pool=pool))
    for split in range(1, splits + 1):
        a, b = results.cell("ALPHA", split), results.cell("BETA", split)
        names = [[f.title for f in run.features.chosen[0].feature_set.features] for run in (a, b)]
        if pool.get("classifiers"):
            assert done(a.folder)["classifiers"]["content"] == done(b.folder)["classifiers"]["content"]
            assert names[0] == names[1]
            scales = [[f.scale for f in run.features.chosen[0].feature_set.features] for run in (a, b)]
            assert scales[0] != scales[1]
        else:
            assert done(a.folder)["classifiers"]["content"] != done(b.folder)["classifiers"]["content"]
        if pool.get("strategies"):
            assert a.strategies.frame["score"].equals(b.strategies.frame["score"])
            mean = (a.strategies.frame["own_score"] + b.strategies.frame["own_score"]) / 2
            assert a.strategies.score == pytest.approx(mean.to_numpy())
            assert a.ensembles.members == b.ensembles.members


def test_what_cannot_be_kept_is_refused_and_leaves_no_folder(tmp_path):
    with pytest.raises(ExperimentError, match="refit = tiers"):
        run_panel(tmp_path, roll={"refit": "tiers"}, pool={"strategies": True})
    assert [path.name for path in tmp_path.iterdir()] == []


def test_an_error_in_a_cell_names_it_and_keeps_the_others(tmp_path):
    with pytest.raises(ExperimentError, match=r"^ALPHA, split 1: label threshold_30_4 marks 0 buy"):
        run_panel(tmp_path, label=[{"kind": "threshold", "theta": 0.3, "horizon": "1h"}])
    with pytest.raises(RunError, match="holds no run of many markets"):
        PanelResults(tmp_path)


def test_a_train_shorter_than_the_indicators_says_so(tmp_path):
    windows = {"train": ["2018-01-27", "2018-02-05"]}
    with pytest.raises(
        ExperimentError, match="ALPHA, split 1: the fitted part of train has 768 bars, and the indicators"
    ):
        run_panel(tmp_path, windows=windows, feature_space={"indicators": []})


def test_other_seeds_of_the_classifiers(panel_folder, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(panel_folder.parent, runs)  # cells of the first split are taken over
    with open_panel(tiny(roll={"splits": 1}), runs, runs / "store", workers=Workers(1)) as run:
        run.do(classifier_seeds=1)
    found = PanelResults(run.folder).panel
    assert {n: len(values) for n, values in found.seeds.total_pct.items()} == {20: 2, 5: 2}
    assert found.seeds.total_pct[20][0] == pytest.approx(found.tier(20).total_pct)
    assert found.seeds.total_pct[20][1] != found.seeds.total_pct[20][0]


KILLED = """
import sys
from pathlib import Path
from labelsearch.engine.executors.choice import Workers
from labelsearch.panels.reopen import reopen_cell
from labelsearch.panels.run import open_panel
from tests.panels.conftest import tiny

if __name__ == "__main__":
    runs = Path(sys.argv[1])
    with open_panel(tiny(), runs, runs / "store", workers=Workers(2)) as run:
        run.do()
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [6, 9, 12, 15, 20])
def test_a_killed_panel_goes_on_to_the_same_bytes(panel_folder, tmp_path, seconds):
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script), str(tmp_path / "runs")]
    with subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
    folder = run_panel(tmp_path / "runs", workers=2)
    assert contents(folder) == contents(panel_folder)
    assert set(PanelResults(folder).looks.values()) == {(1, 1)}


def test_panel_json_has_no_number_that_is_not_finite(panel_folder):
    json.loads((panel_folder / "panel" / "panel.json").read_text(), parse_constant=lambda text: pytest.fail(text))


def test_a_spent_budget_ends_between_units_and_the_same_command_goes_on(panel_folder, tmp_path):
    """Cells of one split are those of the panel of two."""

    def run_within(until: float, workers: int) -> Path:
        budget, one = Budget(until), tiny(roll={"splits": 1})
        with open_panel(one, tmp_path, tmp_path / "store", workers=Workers(workers, budget=budget)) as run:
            run.do()
        return run.folder

    with pytest.raises(BudgetError, match="the time of --max-hours is over"):
        run_within(time.time() + 1.0, 1)
    with pytest.raises(BudgetError, match="the time of --max-hours is over"):
        run_within(time.time(), 2)
    folder = run_within(float("inf"), 1)
    assert len(PanelResults(folder).panel.cells) == 2
    for cell in ("cells/ALPHA/split-1", "cells/BETA/split-1"):
        assert contents(folder / cell) == contents(panel_folder / cell)
