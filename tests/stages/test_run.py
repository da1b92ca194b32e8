"""A whole small run: recorded, skipped when done, resumed after a kill, and the same however it is run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from feature_space.indicators import Inputs
from labelsearch.classifiers.files import network_from_files
from labelsearch.classifiers.prediction import predict
from labelsearch.delivery.export import export_bundle
from labelsearch.engine.ledger import Ledger
from labelsearch.engine.run import RunError, done_events, locked
from labelsearch.labels.base import NEUTRAL
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.results.outputs import WINDOWS
from labelsearch.results.record import read_frame
from labelsearch.results.run import STAGE_NAMES, Results
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.schema import ExperimentError
from labelsearch.stages.features import inputs_of
from labelsearch.stages.plan import STAGES, open_run
from strategies.trade.simulate import simulate_paths
from tests.running import run_experiment


def contents(folder: Path) -> dict[str, str]:
    """Content hash of every finished stage."""
    return {name: event["content"] for name, event in done_events(Ledger(folder / "ledger.jsonl")).items()}


def test_every_stage_is_recorded_with_its_trials(tiny_run):
    done = tiny_run.done
    assert tuple(done) == STAGE_NAMES == tuple(STAGES)
    assert done["classifiers"]["counts"] == {"network_trials": 6}
    frame = tiny_run.strategies.frame
    counts = done["search"]["counts"]
    assert counts == {"strategy_trials": 300, "strategy_trials_pruned": int((~frame["complete"]).sum())}
    assert counts["strategy_trials_pruned"] > 0
    assert not (tiny_run.folder / ".units" / "search").exists()


def test_a_second_run_skips_everything_and_looks_only_once(tiny_run):
    seen = []
    before = (tiny_run.folder / "ledger.jsonl").read_bytes()
    runs = tiny_run.folder.parent
    run_experiment(tiny_run.experiment, runs, tiny_run.store, progress=lambda *event: seen.append(event))
    assert sorted(seen) == sorted((name, 0, 0) for name in STAGE_NAMES)
    assert (tiny_run.folder / "ledger.jsonl").read_bytes() == before
    assert tiny_run.look == (1, 1)


def test_a_changed_section_redoes_only_what_depends_on_it(tiny_run, tmp_path):
    changed = Experiment.from_dict({**tiny_run.experiment.to_dict(), "tiers": {"sizes": [10]}})
    # same folder name, so that the earlier stages are found
    shutil.copytree(tiny_run.folder, tmp_path / changed.run_id)
    shutil.copy(tiny_run.folder.parent / "looks.jsonl", tmp_path)
    seen = []
    folder = run_experiment(changed, tmp_path, tiny_run.store, progress=lambda s, d, n: seen.append((s, n)))
    assert sorted(s for s, n in seen if n == 0) == sorted(STAGE_NAMES[:-2])  # no control is fitted again
    results = Results(folder, tiny_run.store)
    assert results.ensembles.sizes == (10,)
    assert results.look == (2, 2)


def test_another_run_takes_over_what_does_not_depend_on_the_change(tiny_run, tmp_path):
    """Stages of a run beside it, by their keys; files that differ from their record are not used."""
    shutil.copytree(tiny_run.folder, tmp_path / tiny_run.experiment.run_id)
    shutil.copy(tiny_run.folder.parent / "looks.jsonl", tmp_path)
    base = tiny_run.experiment.to_dict()
    search = {**base["search"], "n_strategies": 200, "island_size": 100}
    changed = Experiment.from_dict({**base, "name": "other", "search": search})
    seen = []
    folder = run_experiment(changed, tmp_path, tiny_run.store, workers=1, progress=lambda s, d, n: seen.append((s, n)))
    assert sorted(s for s, n in seen if n == 0) == sorted(STAGE_NAMES[:5])
    done = done_events(Ledger(folder / "ledger.jsonl"))
    assert [done[name].get("run") for name in STAGE_NAMES] == [tiny_run.experiment.run_id] * 5 + [None] * 4
    assert done["classifiers"]["counts"] == {"network_trials": 6}
    for name in STAGE_NAMES[:5]:
        for path in filter(Path.is_file, (tiny_run.folder / name).rglob("*")):
            assert (folder / path.relative_to(tiny_run.folder)).read_bytes() == path.read_bytes()

    # the same run again, from whole files and from one that has changed
    again = Experiment.from_dict({**base, "name": "again", "search": search})
    (tmp_path / tiny_run.experiment.run_id / "labels" / "spoilt.json").write_text("{}")
    third = run_experiment(again, tmp_path, tiny_run.store, last="labels")
    assert done_events(Ledger(third / "ledger.jsonl"))["labels"]["run"] == folder.name
    shutil.rmtree(folder)
    shutil.rmtree(third)
    seen.clear()
    run_experiment(again, tmp_path, tiny_run.store, last="labels", progress=lambda s, d, n: seen.append((s, d, n)))
    assert seen[0][:2] == ("labels", 0)
    assert seen[-1][2] > 0


@pytest.mark.slow
def test_two_workers_give_the_same_bits_as_one(tiny_run, tmp_path):
    seen: dict[str, list[tuple[int, int]]] = {}
    other = run_experiment(
        tiny_run.experiment, tmp_path, tmp_path / "store", workers=2,
        progress=lambda stage, done, total: seen.setdefault(stage, []).append((done, total)),
    )  # fmt: skip
    assert set(seen) == set(STAGE_NAMES)
    for steps in seen.values():  # from 0, so that rates count the time of the first unit too
        assert steps[0][0] == 0
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1]
    assert seen["classifiers"][-1] == (18, 18)  # epochs: three labels, two trials, three epochs
    assert seen["search"][-1] == (300, 300)  # strategies
    assert contents(other) == contents(tiny_run.folder)


def _spawn(tiny_run, root):
    (root / "tiny.toml").write_text(tiny_run.experiment.to_toml())
    command = [sys.executable, "-m", "labelsearch.commands", "run", "tiny.toml", "--workers", "2"]
    return subprocess.Popen(command, cwd=root, start_new_session=True, stdout=subprocess.DEVNULL)


@pytest.mark.slow
@pytest.mark.parametrize("moment", [".units/classifiers/*/figures.json", ".units/search/*/trials.npz"])
def test_killed_and_resumed_ends_with_the_same_bits(tiny_run, tmp_path, moment):
    process = _spawn(tiny_run, tmp_path)
    folder = tmp_path / "runs" / tiny_run.experiment.run_id
    deadline = time.monotonic() + 240
    while not list(folder.glob(moment)):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    stage = moment.split("/")[1]
    assert stage not in done_events(Ledger(folder / "ledger.jsonl"))
    resumed = run_experiment(tiny_run.experiment, tmp_path / "runs", tmp_path / "store", workers=1)
    assert contents(resumed) == contents(tiny_run.folder)


def test_only_one_process_works_on_a_run(tiny_run):
    with locked(tiny_run.folder), pytest.raises(RunError, match="in use"):
        run_experiment(tiny_run.experiment, tiny_run.folder.parent, tiny_run.store)


def test_outputs_and_trades_do_not_depend_on_later_bars(tiny_run):
    """Bars cut inside past: features, probabilities, orders and equity keep their bits."""
    past = tiny_run.rows("past")
    stored = tiny_run.outputs.past
    assert len(stored.outputs) == past.stop - past.start
    params, rules = tiny_run.strategies.params[:20], tiny_run.experiment.rules()
    whole = simulate_paths(params, stored, rules)
    rng = np.random.default_rng(0)
    for length in [1, *rng.integers(2, past.stop - past.start, 3)]:
        head = Inputs(*(column[: past.start + length] for column in inputs_of(tiny_run.bars)))
        cut = np.empty((length, stored.outputs.shape[1]))
        for i, entry in enumerate(tiny_run.features.chosen):
            network = network_from_files(tiny_run.classifiers.networks[entry.label])
            matrix = entry.feature_set.matrix(head)[past.start :]
            cut[:, 2 * i : 2 * i + 2] = predict(network, matrix)[:, (0, 2)]
        assert np.array_equal(cut, stored.outputs[:length])
        walked = simulate_paths(params, stored.rows(slice(0, length))._replace(outputs=cut), rules)
        for path in ("orders", "position", "equity"):
            assert np.array_equal(getattr(walked, path), getattr(whole, path)[:length], equal_nan=True)


def test_labels_of_train_depend_on_nothing_of_past(tiny_run):
    past = tiny_run.rows("past")
    for values in tiny_run.labels.values.values():
        assert values.value.size == past.start
        assert (values.last_used[values.settled] < past.start).all()
        assert (values.classes != NEUTRAL).any()


def test_tier_members_are_the_best_by_past_score(tiny_run):
    score, members = tiny_run.strategies.score, tiny_run.ensembles.members
    assert sorted(score[list(members[20])])[0] >= np.sort(score)[-20]
    assert members[20][:5] == members[5]


def test_table_agrees_with_the_simulator(tiny_run):
    """The tier's return in the table, from vectorbt, is the mean of its members' simulated values."""
    found = tiny_run.ensembles
    values = {"past": tiny_run.strategies.frame["value"].to_numpy(), "future": found.future["value"].to_numpy()}
    for window in WINDOWS:
        for size, members in found.members.items():
            wanted = 100 * (values[window][list(members)].mean() - 1)
            assert found.row(window, size).figures.total_return_pct == pytest.approx(wanted, rel=1e-6)


@pytest.mark.slow
def test_an_edge_is_found_and_none_is_claimed_without(tiny_run, tmp_path):
    assert tiny_run.belief.verdict != "no edge shown"
    p_values, verdicts = [], []
    for seed in (1, 2, 3):
        base = tiny_run.experiment.to_dict()
        data = {**base["data"], "edge": 0.0, "market_seed": seed}
        experiment = Experiment.from_dict({**base, "seed": seed, "data": data})
        found = Results(run_experiment(experiment, tmp_path, tmp_path / "store", workers=1))
        verdicts.append(found.belief.verdict)
        p_values += found.ensembles.timing.p_value.values()
    assert max(p_values) > 0.1
    assert verdicts.count("no edge shown") >= 2  # two questions, each at 5 %


def test_a_store_that_is_too_short_is_refused(tiny_experiment, tmp_path):
    base = tiny_experiment.to_dict()
    experiment = Experiment.from_dict({**base, "data": {"symbol": "SHORT"}})
    Store(tmp_path / "store").save(synthetic_bars(10_000, 1, symbol="SHORT"))
    with pytest.raises(ExperimentError, match="need bars from 2018-01-01 to 2018-02-05"):
        run_experiment(experiment, tmp_path / "runs", tmp_path / "store")
    assert list((tmp_path / "runs").iterdir()) == []  # no folder of a run that was never begun


def test_what_killed_processes_left_in_a_run_is_removed(tiny_run, tmp_path):
    folder = tmp_path / tiny_run.folder.name
    shutil.copytree(tiny_run.folder, folder)
    before = {path.relative_to(folder) for path in folder.rglob("*")}
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in (f".features.{dead.pid}", ".report.old", f"studies/null/.0123.{dead.pid}", ".scratch/tmp0123"):
        (folder / name).mkdir(parents=True)
        (folder / name / "part").write_bytes(b"half")
    with open_run(tiny_run.experiment, tmp_path, tiny_run.store):
        assert list((folder / ".scratch").iterdir()) == []
    assert {path.relative_to(folder) for path in folder.rglob("*")} - before <= {Path("studies"), Path("studies/null")}


def flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_damaged_results_are_refused_by_readers_and_made_again_by_a_run(tiny_run, tmp_path, caplog):
    """A bit of a weight and an empty table: neither is exported or reported, and the next run has the same bytes."""
    folder = tmp_path / tiny_run.folder.name
    shutil.copytree(tiny_run.folder, folder)
    shutil.copy(tiny_run.folder.parent / "looks.jsonl", tmp_path)
    weights = next(folder.glob("classifiers/*/weights*.safetensors"))
    whole = weights.read_bytes()
    flip_bit(weights)
    results = Results(folder, tiny_run.store)
    with pytest.raises(RunError, match=r"/classifiers: not the files that the ledger records; the command that"):
        export_bundle(results, None, tmp_path / "winners")
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, "looks.jsonl"}
    (folder / "search" / "strategies.parquet").write_bytes(b"")
    with pytest.raises(RunError, match=r"/search: not the files"):
        _ = Results(folder, tiny_run.store).strategies
    caplog.clear()
    run_experiment(tiny_run.experiment, tmp_path, tiny_run.store, workers=1)
    assert [text.partition(": ")[0].rpartition("/")[2] for text in caplog.messages] == ["classifiers", "search"]
    assert contents(folder) == contents(tiny_run.folder)
    assert weights.read_bytes() == whole
    assert Results(folder, tiny_run.store).look == (1, 1)


def test_every_page_of_a_table_has_a_checksum(tiny_run, tmp_path):
    """A flipped bit anywhere in the pages of a table is seen, whoever reads the file."""
    source = tiny_run.folder / "search" / "strategies.parquet"
    whole, path = source.read_bytes(), tmp_path / "strategies.parquet"
    column = pq.ParquetFile(source).metadata.row_group(0).column(0)
    for i in np.linspace(column.dictionary_page_offset + 60, column.data_page_offset - 1, 30).astype(int):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        with pytest.raises(OSError, match="page integrity"):
            read_frame(path)


def test_a_label_without_action_bars_is_refused_by_name(tiny_experiment, tmp_path):
    base = tiny_experiment.to_dict()
    experiment = Experiment.from_dict({**base, "label": [{"kind": "threshold", "theta": 0.5, "horizon": 2}]})
    with pytest.raises(ExperimentError, match=r"threshold_50_2 marks 0 buy"):
        run_experiment(experiment, tmp_path / "runs", tmp_path / "store")


def test_the_written_experiment_is_the_one_that_ran(tiny_run, tmp_path):
    assert Experiment.load(tiny_run.folder / "experiment.toml").digest == tiny_run.experiment.digest
    assert json.loads((tiny_run.folder / "search" / "search.json").read_text())["settings"]["n_strategies"] == 300
    with pytest.raises(RunError, match="holds no run"):
        Results(tmp_path)


def test_each_window_is_simulated_once(tiny_run, tmp_path, monkeypatch):
    """Paths of the largest tier in vectorbt, and all strategies by days, once for each window."""
    from labelsearch.stages import belief
    from strategies.trade import backtest

    calls = []
    for module, name in ((belief, "equity_grid"), (backtest, "backtest")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, n=name, r=real, **k: (calls.append(n), r(*a, **k))[1])
    shutil.copytree(tiny_run.folder, tmp_path / tiny_run.folder.name)
    for stage in ("ensembles", "belief"):
        shutil.rmtree(tmp_path / tiny_run.folder.name / stage)
    with open_run(tiny_run.experiment, tmp_path, tiny_run.store) as run:
        run.do(STAGES["belief"])
    assert sorted(calls) == ["backtest", "backtest", "equity_grid", "equity_grid"]
    assert contents(run.folder) == contents(tiny_run.folder)
