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
import pytest

from feature_space.feature_set import FeatureSet
from feature_space.indicators import Inputs
from labelsearch.classifiers.files import load_network
from labelsearch.classifiers.prediction import predict
from labelsearch.labels.kinds import NEUTRAL
from labelsearch.pipeline.experiment import Experiment
from labelsearch.pipeline.ledger import Ledger, look_number
from labelsearch.pipeline.run import (
    STAGE_NAMES,
    RunError,
    done_events,
    find_run,
    list_runs,
    looks_ledger,
    open_context,
    run_experiment,
)
from labelsearch.pipeline.schema import ExperimentError
from labelsearch.pipeline.stages import ensembles, features, labels, outputs, search
from strategies.trade.simulate import simulate_paths


def contents(context) -> dict[str, str]:
    """Content hash of every finished stage."""
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    return {name: event["content"] for name, event in done.items()}


def test_every_stage_is_recorded_with_its_trials(tiny_run):
    done = done_events(Ledger(tiny_run.folder / "ledger.jsonl"))
    assert tuple(done) == STAGE_NAMES
    assert done["classifiers"]["counts"] == {"network_trials": 6}
    frame = search.load(tiny_run)
    counts = done["search"]["counts"]
    assert counts == {"strategy_trials": 300, "strategy_trials_pruned": int((~frame["complete"]).sum())}
    assert counts["strategy_trials_pruned"] > 0
    assert not (tiny_run.folder / ".units" / "search").exists()


def test_a_second_run_skips_everything_and_looks_only_once(tiny_run):
    seen = []
    before = (tiny_run.folder / "ledger.jsonl").read_bytes()
    again = run_experiment(
        tiny_run.experiment, tiny_run.folder.parent, tiny_run.store, progress=lambda *event: seen.append(event)
    )
    assert seen == [(name, 0, 0) for name in STAGE_NAMES]
    assert (again.folder / "ledger.jsonl").read_bytes() == before
    key = done_events(Ledger(again.folder / "ledger.jsonl"))["ensembles"]["key"]
    assert look_number(looks_ledger(again.folder), key) == (1, 1)


def test_a_changed_section_redoes_only_what_depends_on_it(tiny_run, tmp_path):
    base = tiny_run.experiment.to_dict()
    changed = Experiment.from_dict({**base, "tiers": {"sizes": [10], "n_shifts": 99}})
    # same folder name, so that the earlier stages are found
    shutil.copytree(tiny_run.folder, tmp_path / changed.run_id)
    shutil.copy(tiny_run.folder.parent / "looks.jsonl", tmp_path)
    seen = []
    context = run_experiment(changed, tmp_path, tiny_run.store, progress=lambda s, d, n: seen.append((s, n)))
    assert [s for s, n in seen if n == 0] == list(STAGE_NAMES[:-1])
    assert list(ensembles.load(context)["members"]) == ["10"]
    key = done_events(Ledger(context.folder / "ledger.jsonl"))["ensembles"]["key"]
    assert look_number(looks_ledger(context.folder), key) == (2, 2)


def test_another_run_takes_over_what_does_not_depend_on_the_change(tiny_run, tmp_path, monkeypatch):
    """Stages of a run beside it, by their keys; what is no longer as its ledger says is done again."""
    shutil.copytree(tiny_run.folder, tmp_path / tiny_run.experiment.run_id)
    shutil.copy(tiny_run.folder.parent / "looks.jsonl", tmp_path)
    base = tiny_run.experiment.to_dict()
    search = {**base["search"], "n_strategies": 200, "island_size": 100}
    changed = Experiment.from_dict({**base, "name": "other", "search": search})
    seen = []
    context = run_experiment(changed, tmp_path, tiny_run.store, workers=1, progress=lambda s, d, n: seen.append((s, n)))
    assert [s for s, n in seen if n == 0] == list(STAGE_NAMES[:4])
    done = done_events(Ledger(context.folder / "ledger.jsonl"))
    assert [done[name].get("run") for name in STAGE_NAMES] == [tiny_run.experiment.run_id] * 4 + [None] * 2
    assert done["classifiers"]["counts"] == {"network_trials": 6}
    for name in STAGE_NAMES[:4]:
        for path in filter(Path.is_file, (tiny_run.folder / name).rglob("*")):
            assert (context.folder / path.relative_to(tiny_run.folder)).read_bytes() == path.read_bytes()

    # the same run again, from whole files and from one that has changed
    again = Experiment.from_dict({**base, "name": "again", "search": search})
    path = tmp_path / tiny_run.experiment.run_id / "labels" / "spoilt.json"
    path.write_text("{}")
    seen.clear()
    third = run_experiment(again, tmp_path, tiny_run.store, last="labels", progress=lambda s, d, n: seen.append((s, n)))
    assert done_events(Ledger(third.folder / "ledger.jsonl"))["labels"]["run"] == context.folder.name
    shutil.rmtree(context.folder)
    shutil.rmtree(third.folder)
    run_experiment(again, tmp_path, tiny_run.store, last="labels", progress=lambda s, d, n: seen.append((s, n)))
    assert seen[0] == ("labels", 0)
    assert seen[-1][1] > 0


def test_two_workers_give_the_same_bits_as_one(tiny_run, tmp_path):
    seen: dict[str, list[tuple[int, int]]] = {}
    other = run_experiment(
        tiny_run.experiment, tmp_path, tmp_path / "store", workers=2,
        progress=lambda stage, done, total: seen.setdefault(stage, []).append((done, total)),
    )  # fmt: skip
    assert list(seen) == list(STAGE_NAMES)
    for told in seen.values():  # from 0, so that rates count the time of the first unit too
        assert told[0][0] == 0
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]
    assert seen["classifiers"][-1] == (18, 18)  # epochs: three labels, two trials, three epochs
    assert seen["search"][-1] == (300, 300)  # strategies
    assert contents(other) == contents(tiny_run)


def _spawn(tiny_run, root):
    (root / "tiny.toml").write_text(tiny_run.experiment.to_toml())
    command = [sys.executable, "-m", "labelsearch.commands", "run", "tiny.toml", "--workers", "2"]
    return subprocess.Popen(command, cwd=root, start_new_session=True, stdout=subprocess.DEVNULL)


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
    assert contents(resumed) == contents(tiny_run)


def test_only_one_process_works_on_a_run(tiny_run):
    import fcntl

    with (tiny_run.folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="in use"):
            run_experiment(tiny_run.experiment, tiny_run.folder.parent, tiny_run.store)


def test_outputs_and_trades_do_not_know_what_comes_after(tiny_run):
    """Bars cut inside past: features, probabilities, orders and equity keep their bits."""
    past = tiny_run.rows("past")
    stored = outputs.load(tiny_run, "past")
    assert len(stored.outputs) == past.stop - past.start
    population = search.load(tiny_run)
    space = search.strategy_space(tiny_run)
    params = population[list(space.names)].to_numpy()[:20]
    whole = simulate_paths(params, stored.outputs, stored.open, stored.close)
    rng = np.random.default_rng(0)
    for length in [1, *rng.integers(2, past.stop - past.start, 3)]:
        head = Inputs(*(column[: past.start + length] for column in tiny_run.inputs))
        cut = np.empty((length, stored.outputs.shape[1]))
        for i, label in enumerate(tiny_run.experiment.label_kinds()):
            feature_set = FeatureSet.from_dict(features.load(tiny_run, label.name)["feature_set"])
            network = load_network(tiny_run.stage("classifiers") / label.name)
            cut[:, 2 * i : 2 * i + 2] = predict(network, feature_set.matrix(head)[past.start :])[:, (0, 2)]
        assert np.array_equal(cut, stored.outputs[:length])
        walked = simulate_paths(params, cut, stored.open[:length], stored.close[:length])
        for path in ("orders", "position", "equity"):
            assert np.array_equal(getattr(walked, path), getattr(whole, path)[:length], equal_nan=True)


def test_labels_of_train_hold_nothing_of_past(tiny_run):
    past = tiny_run.rows("past")
    for label in tiny_run.experiment.label_kinds():
        values = labels.load(tiny_run, label.name)
        assert values.value.size == past.start
        assert (values.last_used[values.settled] < past.start).all()
        assert (values.classes != NEUTRAL).any()


def test_tier_members_are_the_best_by_past_score(tiny_run):
    score = search.load(tiny_run)["score"].to_numpy()
    members = ensembles.load(tiny_run)["members"]
    assert sorted(score[members["20"]])[0] >= np.sort(score)[-20]
    assert members["20"][:5] == members["5"]


def test_table_agrees_with_the_simulator(tiny_run):
    """The tier's return in the table, from vectorbt, is the mean of its members' simulated values."""
    found = ensembles.load(tiny_run)
    past = search.load(tiny_run)["value"].to_numpy()
    future = ensembles.load_future(tiny_run)["value"].to_numpy()
    for row in found["table"]:
        if row["tier"] not in ensembles.BASELINES:
            members = found["members"][row["tier"].removeprefix("Top-")]
            value = (past if row["window"] == "past" else future)[members]
            assert row["total_return"] == pytest.approx(100 * (value.mean() - 1), rel=1e-6)


def test_an_edge_is_found_and_none_is_claimed_without(tiny_run, tmp_path):
    assert ensembles.load(tiny_run)["verdict"] == "edge"
    p_values = []
    for seed in (1, 2, 3):
        base = tiny_run.experiment.to_dict()
        data = {**base["data"], "edge": 0.0, "market_seed": seed}
        experiment = Experiment.from_dict({**base, "seed": seed, "data": data})
        found = ensembles.load(run_experiment(experiment, tmp_path, tmp_path / "store", workers=1))
        assert found["verdict"] == "no edge shown"
        p_values += found["placebo"]["p_value"].values()
    assert max(p_values) > 0.1


def test_missing_bars_are_refused(tiny_experiment, tmp_path):
    from labelsearch.market.store import Store
    from labelsearch.market.synthetic import synthetic_bars

    base = tiny_experiment.to_dict()
    experiment = Experiment.from_dict({**base, "data": {"symbol": "SHORT"}})
    Store(tmp_path / "store").save(synthetic_bars(10_000, 1, symbol="SHORT"))
    with pytest.raises(ExperimentError, match="need bars from 2018-01-01 to 2018-02-05"):
        run_experiment(experiment, tmp_path / "runs", tmp_path / "store")


def test_a_label_without_action_bars_is_refused_by_name(tiny_experiment, tmp_path):
    base = tiny_experiment.to_dict()
    experiment = Experiment.from_dict({**base, "label": [{"kind": "threshold", "theta": 0.5, "horizon": 2}]})
    with pytest.raises(ExperimentError, match=r"threshold_50_2 marks 0 buy"):
        run_experiment(experiment, tmp_path / "runs", tmp_path / "store")


def test_finding_runs(tiny_run, tmp_path):
    runs = tiny_run.folder.parent
    assert tiny_run.folder in list_runs(runs)
    assert find_run("tiny", runs) == find_run(tiny_run.folder.name, runs) == tiny_run.folder
    assert find_run(str(tiny_run.folder), tmp_path) == tiny_run.folder
    with pytest.raises(RunError, match="no run matches 'other'; there are: tiny-"):
        find_run("other", runs)
    assert list_runs(tmp_path / "none") == []
    with pytest.raises(RunError, match="holds no run"):
        open_context(tmp_path, tmp_path)
    assert open_context(tiny_run.folder, tiny_run.store).experiment == tiny_run.experiment


def test_the_written_experiment_is_the_one_that_ran(tiny_run):
    assert Experiment.load(tiny_run.folder / "experiment.toml").digest == tiny_run.experiment.digest
    assert json.loads((tiny_run.stage("search") / "search.json").read_text())["trials"] == 300
