"""The dashboard shows the trials of the run, on the loopback alone."""

import http.client
import json
import signal
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from click.testing import CliRunner

from labelsearch.commands import main
from labelsearch.delivery.optuna_studies import chosen, studies


@pytest.fixture(scope="module")
def served(tiny_run):
    """Address of a dashboard of the tiny run."""
    folders = ["--runs", str(tiny_run.folder.parent), "--store", str(tiny_run.store)]
    command = ["dashboard", "tiny", "--port", "0", "--no-browser", *folders]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "labelsearch.commands", *command], stdout=subprocess.PIPE, text=True
    )
    line = process.stdout.readline()
    assert line.startswith("dashboard: http://127.0.0.1:")
    yield line.split()[1].removesuffix("/dashboard/")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0


def fetch(address: str) -> dict:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)


def test_the_server_answers_with_the_trials_of_the_run(served, tiny_run):
    found = {study["study_name"]: study for study in fetch(f"{served}/api/studies")["study_summaries"]}
    labels = [label.name for label in tiny_run.experiment.label_kinds()]
    assert list(found) == [
        *(f"network {name}" for name in labels), "strategies, island 000", "strategies, island 001"
    ]  # fmt: skip
    frame = tiny_run.strategies.frame
    study = fetch(f"{served}/api/studies/{found['strategies, island 001']['study_id']}")
    part = frame[frame["island"] == 1]
    assert len(study["trials"]) == len(part)
    for trial, (index, row) in zip(study["trials"], part.iterrows(), strict=True):
        told = {attribute["key"]: attribute["value"] for attribute in trial["user_attrs"]}
        assert told["strategy"] == str(index)
        assert float(told["score"]) == row["score"]
        assert trial["state"] == ("Complete" if row["complete"] else "Pruned")
        shown = {p["name"]: float(p["param_external_value"]) for p in trial["params"]}
        assert shown == {name: row[name] for name in shown}
        assert len(shown) == 9
        assert trial["intermediate_values"] == [{"step": row["blocks"], "value": row["rung_score"]}]
        if row["complete"]:
            assert trial["values"] == [row["rung_score"]]


def test_networks_keep_losses_states_and_ranges(tiny_run):
    storage = studies(tiny_run)
    label = tiny_run.experiment.label_kinds()[0].name
    figures = tiny_run.classifiers.of(label)
    trials = storage.get_all_trials(storage.get_study_id_from_name(f"network {label}"))
    for trial, told in zip(trials, figures.trials, strict=True):
        assert trial.state.name == told.state
        assert trial.params == told.parameters
        assert tuple(trial.intermediate_values.values()) == told.losses
        assert trial.value == told.value
        assert trial.distributions["learning_rate"].log
        assert trial.distributions["width"].choices == (32, 64, 128)


def test_fewer_strategies_are_the_best_and_others(tiny_run):
    frame = tiny_run.strategies.frame
    kept = chosen(frame, 41, seed=1)
    assert len(kept) == 41
    assert kept.index.is_monotonic_increasing
    best = frame["score"].sort_values(ascending=False, kind="stable").index[:21]
    assert set(best) <= set(kept.index)
    assert not np.array_equal(kept.index, chosen(frame, 41, seed=2).index)
    assert len(chosen(frame, 10**6, seed=1)) == len(frame)
    storage = studies(tiny_run, 41)
    counts = [len(storage.get_all_trials(s._study_id)) for s in storage.get_all_studies() if "island" in s.study_name]
    assert sum(counts) == 41


def test_without_optuna_dashboard_there_is_a_hint(tiny_run, monkeypatch):
    real = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "optuna_dashboard" else real(name))
    result = CliRunner().invoke(main, ["dashboard", "tiny", "--runs", str(tiny_run.folder.parent)])
    assert result.exit_code == 2
    assert result.stderr == 'Error: optuna-dashboard is not installed: pip install "labelsearch[dashboard]"\n'


def test_runs_without_strategies_are_refused(tmp_path):
    folder = tmp_path / "runs" / "half"
    folder.mkdir(parents=True)
    (folder / "ledger.jsonl").touch()
    CliRunner().invoke(main, ["init", str(folder / "experiment.toml")])
    result = CliRunner().invoke(main, ["dashboard", "half", "--runs", str(tmp_path / "runs"), "--no-browser"])
    assert result.exit_code == 2
    assert "has no search yet" in result.stderr


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("GET", {"Host": "localhost:1"}, 200),
        ("GET", {"Host": "[::1]:1"}, 200),
        ("GET", {"Host": "evil.example"}, 403),
        ("GET", {"Host": "127.0.0.1.evil.example:80"}, 403),
        ("GET", {"Host": ""}, 403),
        ("GET", {"Host": "["}, 403),
        ("GET", {"Origin": "http://evil.example"}, 403),
        ("DELETE", {"Origin": "http://evil.example"}, 403),
        ("DELETE", {"Origin": "null"}, 403),
        ("POST", {"Origin": "https://127.0.0.1"}, 403),
    ],
)
def test_pages_of_other_sites_are_refused(served, method, headers, status):
    connection = http.client.HTTPConnection(served.removeprefix("http://"), timeout=60)
    connection.request(method, "/api/studies" if method == "GET" else "/api/studies/0", headers=headers)
    assert connection.getresponse().status == status
    connection.close()
    assert len(fetch(f"{served}/api/studies")["study_summaries"]) == 5


def test_its_own_pages_may_change_the_copies(served):
    connection = http.client.HTTPConnection(served.removeprefix("http://"), timeout=60)
    connection.request("DELETE", "/api/studies/987654", headers={"Origin": served})
    assert connection.getresponse().status not in (200, 403)
    connection.close()
