"""Panels on a Ray cluster: the bytes of one process, with workers killed in the middle."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from labelsearch.engine.executors.choice import Workers
from labelsearch.panels.run import open_panel
from labelsearch.results.panel_run import PanelResults
from tests.panels.conftest import tiny
from tests.panels.test_run import contents, run_panel

pytest.importorskip("ray")


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


@pytest.fixture(scope="module")
def address():
    """A cluster of two nodes of one processor."""
    from ray.cluster_utils import Cluster

    store = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    both = Cluster(initialize_head=True, head_node_args={**store, "include_dashboard": False})
    both.add_node(**store)
    yield both.address
    both.shutdown()


def test_a_killed_worker_changes_no_byte(panel_folder, tmp_path, address):
    runs = tmp_path / "runs"
    killer, killed = kill_one_when(lambda: list(runs.glob("*/cells/*/*/features")))
    with open_panel(tiny(), runs, tmp_path / "store", workers=Workers(None, "ray", address)) as run:
        run.do()
    killer.join()
    assert killed
    assert contents(run.folder) == contents(panel_folder)
    assert set(PanelResults(run.folder).looks.values()) == {(1, 1)}
    before = contents(run.folder)
    assert run_panel(runs) == run.folder  # and goes on in processes of this machine
    assert contents(run.folder) == before


SCRIPT = """
import sys
from pathlib import Path
from labelsearch.engine.executors.choice import Workers
from labelsearch.panels.run import open_panel
from tests.panels.conftest import tiny

runs = Path(sys.argv[1])
with open_panel(tiny(), runs, runs / "store", workers=Workers(None, "ray", sys.argv[2])) as run:
    run.do()
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [8, 12, 16])
def test_a_killed_command_goes_on_to_the_same_bytes(panel_folder, tmp_path, address, seconds):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "runs"), address]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(seconds)
        process.kill()
    deadline = time.monotonic() + 60  # the cluster ends the workers of a program that has died
    while time.monotonic() < deadline and any("ray::_run" in p.name() for p in psutil.process_iter()):
        time.sleep(0.1)
    folder = run_panel(tmp_path / "runs")
    assert contents(folder) == contents(panel_folder)
    assert set(PanelResults(folder).looks.values()) == {(1, 1)}
