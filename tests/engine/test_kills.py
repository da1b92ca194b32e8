"""Stopped at every single file operation, by a kill or a full disk: the next run ends with the same bytes."""

import errno
import os
from pathlib import Path

import pytest

from labelsearch.engine.executors.base import WorkError
from labelsearch.engine.files import remove_left_overs
from labelsearch.engine.ledger import Ledger
from labelsearch.engine.looks import Stretch, look_number, record_look
from tests.engine.test_run import a_run
from tests.engine.toy import DOUBLE, FIRST, SUM

OPERATIONS = ((os, "fsync"), (os, "rename"), (os, "mkdir"), (os, "rmdir"), (os, "unlink"), (Path, "write_bytes"))


def work(runs: Path) -> None:
    """Stages, one taken over from a run beside, a study that looks at the future, and a branch."""
    a_run(runs / "beside").do(FIRST)
    remove_left_overs(runs / "a")
    run = a_run(runs / "a")
    run.do(SUM, count=3, seen="future")
    run.branch("seeds/five", factor=5).do(DOUBLE)


def outcome(runs: Path) -> dict[str, object]:
    """All files of the runs, and their records but for what was measured."""
    found: dict[str, object] = {}
    for path in sorted(p for p in runs.rglob("*") if p.is_file()):
        content: object = path.read_bytes()
        if path.suffix == ".jsonl":
            events = Ledger(path).events()
            content = [
                {n: x for n, x in e.items() if n not in ("time", "seconds", "processor_seconds", "peak_mb")}
                for e in events
            ]
        found[str(path.relative_to(runs))] = content
    return found


class Stop:
    """Counts file operations, and ends the process or raises at one of them; a file is then written by half."""

    def __init__(self, monkeypatch, at: int, full_disk: bool = False) -> None:
        self.left, self.full_disk = at, full_disk
        for owner, name in OPERATIONS:
            monkeypatch.setattr(owner, name, self.counted(getattr(owner, name)))

    def counted(self, operation):
        def wrapped(*arguments, **named):
            self.left -= 1
            if self.left == 0:
                if operation.__name__ == "write_bytes":
                    operation(arguments[0], arguments[1][: len(arguments[1]) // 2])
                if not self.full_disk:
                    os._exit(9)
                raise OSError(errno.ENOSPC, "No space left on device")
            return operation(*arguments, **named)

        return wrapped


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    runs = tmp_path_factory.mktemp("whole")
    work(runs)
    return outcome(runs)


STEPS = pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 13])


@STEPS
def test_killed_at_every_file_operation(step, whole, tmp_path, monkeypatch):
    killed = 0
    for at in range(1, 1000, step):
        runs = tmp_path / str(at)
        child = os.fork()
        if not child:
            Stop(monkeypatch, at)
            work(runs)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        killed += code == 9
        work(runs)
        assert outcome(runs) == whole, at
        if code == 0:
            break
    assert code == 0
    assert killed > 60 // step


@STEPS
def test_a_disk_that_is_full_at_any_file_operation(step, whole, tmp_path, monkeypatch):
    refused = 0
    for at in range(1, 1000, step):
        runs = tmp_path / str(at)
        with monkeypatch.context() as patch:
            stop = Stop(patch, at, full_disk=True)
            text = ""
            try:
                work(runs)
            except (WorkError, OSError) as error:
                text = str(error)
        assert not text or ("No space left on device" in text and "\n" not in text)
        refused += bool(text)
        work(runs)
        assert outcome(runs) == whole, at
        if stop.left > 0:
            break
    assert stop.left > 0
    assert refused > 40 // step


def test_many_processes_count_looks_in_one_file(tmp_path):
    children = []
    for process in range(4):
        child = os.fork()
        if not child:
            for i in range(20):
                record_look(Ledger(tmp_path / "looks.jsonl"), f"{process}-{i}", Stretch("future", 0, 1), "run")
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    looks = Ledger(tmp_path / "looks.jsonl")
    keys = [event["key"] for event in looks.events()]
    assert sorted(keys) == sorted(f"{process}-{i}" for process in range(4) for i in range(20))
    assert look_number(looks, keys[-1]) == (80, 80)
