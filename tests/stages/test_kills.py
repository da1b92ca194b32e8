"""Whole commands killed again and again, in all stages and studies: the last one ends with the same bytes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from labelsearch.engine.ledger import Ledger

N_KILLS = 50
COMMANDS = (
    ("run",),
    ("seeds", "--search-seeds", "1", "--classifier-seeds", "1"),
    ("null", "--repeats", "3", "--strategies", "40"),
    ("walk-forward", "--window", "past", "--every", "2"),
)


def start(command: tuple[str, ...], root: Path) -> subprocess.Popen:
    arguments = [command[0], "tiny.toml", *command[1:], "--workers", "2"]
    return subprocess.Popen(
        [sys.executable, "-m", "labelsearch.commands", *arguments], cwd=root, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def outcome(root: Path) -> set[tuple[str, ...]]:
    """What the ledgers record and the looks, whatever their order."""
    found = {
        (path.parent.name, event["stage"], event["key"], event["content"])
        for path in root.rglob("ledger.jsonl")
        for event in Ledger(path).stages()
    }
    return found | {("look", e["key"], e["of"], e["start_ms"]) for e in Ledger(root / "runs" / "looks.jsonl").events()}


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    return []


def kill(process: subprocess.Popen, kind: int) -> str:
    """Kill the whole group, the parent alone, or one worker; what it told."""
    workers = workers_of(process)
    if kind == 0 or not workers:
        os.killpg(process.pid, signal.SIGKILL)
    elif kind == 1:
        process.kill()
    else:
        with contextlib.suppress(psutil.NoSuchProcess):
            workers[0].kill()
    told = process.communicate(timeout=300)[1]
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert not alive, "workers without their parent"
    return told


@pytest.mark.slow
def test_fifty_kills_end_with_the_same_bytes(tiny_experiment, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for root in (whole, killed):
        root.mkdir()
        (root / "tiny.toml").write_text(tiny_experiment.to_toml())
    for command in COMMANDS:
        assert start(command, whole).communicate()[1] == ""
    rng = np.random.default_rng(0)
    kills = n_cycles = 0
    waiting: list[tuple[str, ...]] = []
    while kills < N_KILLS or waiting:
        if not waiting:
            n_cycles += 1
            (killed / "runs").exists() and (killed / "runs").rename(tmp_path / f"cycle-{n_cycles}")
            waiting = list(COMMANDS)
        process = start(waiting[0], killed)
        # past the start of Python, which holds nothing that could be lost
        deadline = time.monotonic() + rng.uniform(4.0, 12.0) if kills < N_KILLS else np.inf
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if process.poll() is None:
            told = kill(process, kills % 3)
            assert told.count("\n") <= 2, told
            assert "Traceback" not in told
            kills += 1
        else:
            told = process.communicate()[1]
            assert process.returncode == 0, told
            waiting.pop(0)
    assert outcome(killed) == outcome(whole)
    hidden = {path.name for path in (killed / "runs").rglob(".*") if not path.name.endswith(".lock")}
    assert hidden <= {".units", ".sha256"}  # no drafts
