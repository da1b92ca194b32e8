"""Units and panels on a Ray cluster of two nodes on loopback: the same files, whatever dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest

from labelsearch.engine.executors import ray as ray_module
from labelsearch.engine.executors.base import WorkError
from labelsearch.engine.executors.choice import Workers
from labelsearch.engine.executors.local import LocalExecutor
from labelsearch.engine.executors.ray import ClusterError, RayExecutor
from labelsearch.engine.stage import Work
from labelsearch.panels.run import open_panel
from labelsearch.results.panel_run import PanelResults
from labelsearch.settings.schema import ExperimentError
from tests.engine.cluster_units import die, elsewhere, slow_draw, threads
from tests.engine.test_executors import SHARED, draw, leave
from tests.panels.conftest import tiny
from tests.panels.test_run import contents, run_panel

pytest.importorskip("ray")
MIB = 2**20


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one processor each."""
    from ray.cluster_utils import Cluster

    both = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": 100 * MIB, "include_dashboard": False},
    )
    both.add_node(num_cpus=1, object_store_memory=100 * MIB)
    yield both
    both.shutdown()


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Lost units are sent again at once."""
    monkeypatch.setattr(ray_module, "PAUSE_SECONDS", 0.1)


@pytest.fixture(scope="module")
def executor(cluster):
    with closing(RayExecutor(cluster.address)) as both:
        yield both


def test_results_are_those_of_the_local_executor(executor, tmp_path):
    tasks = {f"u{i}": i for i in range(12)}
    seen = []
    assert executor.workers == 2
    found = Work(executor, tmp_path / "ray", lambda *step: seen.append(step)).units(draw, tasks, SHARED)
    assert found == Work(LocalExecutor(1), tmp_path / "local").units(draw, tasks, SHARED)
    assert list(found) == list(tasks)
    assert seen == [(n, 12) for n in range(13)]


@pytest.mark.parametrize(
    ("task", "error", "text"),
    [(1, WorkError, "^bad: SystemExit"), (2, WorkError, "^bad: Awkward: a b"),
     (3, ExperimentError, "^a label that marks nothing$")],
)  # fmt: skip
def test_whatever_a_unit_raises_is_one_line(executor, task, error, text, tmp_path):
    with pytest.raises(error, match=text) as caught:
        Work(executor, tmp_path).units(leave, {"good": 0, "bad": task})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "bad").exists()


def test_units_of_killed_workers_are_done_again(executor, tmp_path):
    (tmp_path / "marks").mkdir()
    tasks = {f"u{i}": (i, str(tmp_path / "marks"), i % 3) for i in range(4)}
    found = Work(executor, tmp_path / "ray").units(die, tasks, SHARED)
    assert found == Work(LocalExecutor(1), tmp_path / "local").units(draw, {f"u{i}": i for i in range(4)}, SHARED)
    assert len(list((tmp_path / "marks").iterdir())) == 3


def test_a_unit_that_dies_three_times_is_named(executor, tmp_path):
    (tmp_path / "marks").mkdir()
    tasks = {"good": (1, "", 0), "bad": (2, str(tmp_path / "marks"), 9)}
    with pytest.raises(WorkError, match=r"^bad: its worker ended 3 times, at last: WorkerCrashedError") as caught:
        Work(executor, tmp_path / "units").units(die, tasks, SHARED)
    assert "\n" not in str(caught.value)
    assert {path.name for path in (tmp_path / "units").iterdir()} == {"good"}
    assert len(list((tmp_path / "marks").iterdir())) == 3
    (tmp_path / "marks" / "2-9").touch()
    again = Work(executor, tmp_path / "units").units(die, {**tasks, "bad": (2, str(tmp_path / "marks"), 4)}, SHARED)
    assert again["bad"] == draw(2, SHARED)


def test_a_killed_node_loses_nothing(cluster, executor, tmp_path, capfd):
    third = cluster.add_node(num_cpus=1, object_store_memory=100 * MIB)
    (tmp_path / "marks").mkdir()
    tasks = {f"u{i}": (i, str(tmp_path / "marks")) for i in range(16)}
    killed = []

    def after(done: int, total: int) -> None:
        if done >= 4 and not killed:
            killed.append(done)
            cluster.remove_node(third, allow_graceful=False)

    found = Work(executor, tmp_path / "ray", after).units(slow_draw, tasks, SHARED)
    assert killed
    assert found == {f"u{i}": draw(i, SHARED) for i in range(16)}
    assert capfd.readouterr().out == ""  # which is for results


def test_each_unit_has_one_thread(executor, tmp_path):
    found = Work(executor, tmp_path).units(threads, {"a": 0, "b": 1})
    assert {n for files in found.values() for n in files["n"]} == {1}


def test_closing_stops_the_rest(executor, tmp_path):
    (tmp_path / "marks").mkdir()
    tasks = {f"u{i}": (i, str(tmp_path / "marks")) for i in range(100)}
    results = executor.results(slow_draw, tasks, SHARED, dict.fromkeys(tasks, 1), lambda done: None)
    next(results)
    results.close()
    found = Work(executor, tmp_path / "next").units(draw, {"u": 1}, SHARED)
    assert found == {"u": draw(1, SHARED)}


def test_thousands_of_units_leave_nothing_behind(executor, tmp_path):
    def state() -> tuple[int, int]:
        own = psutil.Process()
        return own.memory_info().rss, own.num_fds()

    def many(start: int) -> None:
        tasks = {str(i): i for i in range(start, start + 500)}
        for _, files in executor.results(draw, tasks, SHARED, dict.fromkeys(tasks, 1), lambda done: None):
            assert files

    many(0)
    memory, files = state()
    many(500)
    many(1000)
    assert state()[0] - memory < 20 * MIB
    assert state()[1] - files < 20


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("127.0.0.1:9", r"^no Ray cluster answers at 127\.0\.0\.1:9: ConnectionRefusedError"),
        ("nowhere.invalid:6379", r"^no Ray cluster answers at nowhere\.invalid:6379"),
        ("127.0.0.1:port", r"^no Ray cluster answers at 127\.0\.0\.1:port"),
        ("head", r"^'head' is no address of a Ray cluster: host:port, auto or local$"),
        ("ray://127.0.0.1:10001", r"^name the head as host:port"),
    ],
)
def test_addresses_that_lead_nowhere(address, text):
    """In a process of its own, as this one has joined a cluster."""
    code = f"from labelsearch.engine.executors.ray import RayExecutor\nRayExecutor({address!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240)
    last = done.stderr.strip().splitlines()[-1]
    with pytest.raises(ClusterError, match=text):
        raise ClusterError(last.partition("ClusterError: ")[2])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"visible": [Path("/nowhere/store")]}, r"does not see /nowhere/store: every node needs the folders"),
        ({"code_here": elsewhere}, r"source code \d+, here \d+: install the same everywhere$"),
    ],
)
def test_nodes_that_differ_are_named(cluster, executor, options, text):
    with pytest.raises(ClusterError, match=text) as caught:
        RayExecutor(cluster.address, **options)
    assert "\n" not in str(caught.value)


def test_arrays_that_no_node_has_room_for_are_refused(executor, tmp_path):
    with pytest.raises(ClusterError, match=r" gives Ray 100 MiB for shared arrays, and these take 120: more room in "):
        Work(executor, tmp_path).units(draw, {"u": 1}, np.zeros(120 * MIB, dtype=np.uint8))


def kill_one_when(condition) -> tuple[threading.Thread, list[int]]:
    """Kill one worker process that runs a cell once a condition holds; the thread, and who was killed."""
    killed = []

    def wait() -> None:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            if condition():
                for process in psutil.process_iter(["cmdline"]):
                    if "ray::_run" in " ".join(process.info["cmdline"] or []):
                        process.send_signal(signal.SIGKILL)
                        killed.append(process.pid)
                        return
            time.sleep(0.01)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, killed


def test_a_killed_worker_changes_no_byte(panel_folder, tmp_path, cluster, executor):
    runs = tmp_path / "runs"
    killer, killed = kill_one_when(lambda: list(runs.glob("*/cells/*/*/features")))
    with open_panel(
        tiny(roll={"splits": 1}), runs, tmp_path / "store", workers=Workers(None, "ray", cluster.address)
    ) as run:
        run.do()
    killer.join()
    assert killed
    for market in ("ALPHA", "BETA"):
        cell = f"cells/{market}/split-1"
        assert contents(run.folder / cell) == contents(panel_folder / cell)
    assert set(PanelResults(run.folder).looks.values()) == {(1, 1)}
    before = contents(run.folder)
    assert run_panel(runs, roll={"splits": 1}) == run.folder  # and goes on in processes of this machine
    assert contents(run.folder) == before


SCRIPT = """
import sys
from pathlib import Path
from labelsearch.engine.executors.choice import Workers
from labelsearch.panels.run import open_panel
from tests.engine.test_executors import SHARED, draw, leave
from tests.panels.conftest import tiny

runs = Path(sys.argv[1])
with open_panel(tiny(), runs, runs / "store", workers=Workers(None, "ray", sys.argv[2])) as run:
    run.do()
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [8, 12, 16])
def test_a_killed_command_goes_on_to_the_same_bytes(panel_folder, tmp_path, cluster, seconds):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "runs"), cluster.address]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(seconds)
        process.kill()
    deadline = time.monotonic() + 60  # the cluster ends the workers of a program that has died
    while time.monotonic() < deadline and any("ray::_run" in p.name() for p in psutil.process_iter()):
        time.sleep(0.1)
    folder = run_panel(tmp_path / "runs")
    assert contents(folder) == contents(panel_folder)
    assert set(PanelResults(folder).looks.values()) == {(1, 1)}
